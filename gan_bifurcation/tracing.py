"""Tracing of a Python right-hand side: it is called once with symbolic scalars, which NumPy's functions understand."""

import math
import operator
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
import sympy

from gan_bifurcation.errors import GanBifurcationError, MisuseError
from gan_bifurcation.expressions import LogSigmoid, Sigmoid, Softplus, symbol

if TYPE_CHECKING:
    from gan_bifurcation.system import System

Program = list[tuple[sympy.Symbol, sympy.Expr]]

# Operations in an expression before it is given a name, and how the names begin.
LARGEST: Final = 60
PREFIX: Final = "traced_"


class Traced:
    """A symbolic scalar. NumPy calls its methods (``np.sin(x)`` calls ``x.sin()``).

    An expression that has grown is given a name, which later ones use: a value that a function uses many times would
    otherwise be written out many times.
    """

    __slots__ = ("expression", "program", "size")
    __array_priority__ = 100.0

    def __init__(self, expression: sympy.Expr, program: Program, size: int = 1) -> None:
        if size > LARGEST:
            name = sympy.Symbol(f"{PREFIX}{len(program)}", real=True)
            program.append((name, expression))
            expression, size = name, 1
        self.expression = expression
        self.program = program
        self.size = size

    def __bool__(self) -> NoReturn:
        raise MisuseError(
            "The function branches on the value of a state or parameter; use numpy-style minimum, maximum or "
            "from_equations with where()."
        )

    def __float__(self) -> NoReturn:
        raise MisuseError(
            "The function turns a state or parameter into a float (for example by math.sin); use NumPy's "
            "functions, as np.sin."
        )

    __int__ = __index__ = __complex__ = __float__

    def __lt__(self, other: object) -> NoReturn:
        bool(self)
        raise AssertionError

    __le__ = __gt__ = __ge__ = __lt__


def _binary(function: Callable[[Any, Any], Any], swapped: bool = False) -> Callable[[Traced, Any], Any]:
    def method(self: Traced, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        value = expression_of(other)
        result = function(value, self.expression) if swapped else function(self.expression, value)
        return Traced(result, self.program, self.size + (other.size if isinstance(other, Traced) else 1) + 1)

    return method


def _unary(function: Callable[[Any], Any]) -> Callable[[Traced], Traced]:
    return lambda self: Traced(function(self.expression), self.program, self.size + 1)


for _name in ("add", "sub", "mul", "truediv", "pow"):
    _function = getattr(operator, _name)
    setattr(Traced, f"__{_name}__", _binary(_function))
    setattr(Traced, f"__r{_name}__", _binary(_function, swapped=True))
for _name, _function in {
    "__neg__": operator.neg, "__pos__": operator.pos, "__abs__": sympy.Abs, "sqrt": sympy.sqrt, "exp": sympy.exp,
    "log": sympy.log, "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "sinh": sympy.sinh, "cosh": sympy.cosh,
    "tanh": sympy.tanh, "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "sign": sympy.sign,
    "square": lambda e: e**2, "absolute": sympy.Abs, "fabs": sympy.Abs, "log1p": lambda e: sympy.log(1 + e),
    "expm1": lambda e: sympy.exp(e) - 1, "erf": sympy.erf, "erfc": sympy.erfc, "sigmoid": Sigmoid,
    "softplus": Softplus, "logsigmoid": LogSigmoid,
}.items():  # fmt: skip
    setattr(Traced, _name, _unary(_function))


def _dispatch(name: str, number: Callable[[float], float]) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return np.array([function(e) for e in x.ravel()]).reshape(x.shape)
        return getattr(x, name)() if isinstance(x, Traced) else number(x)

    function.__name__ = name
    function.__doc__ = f"{name}(x) of a number, an array or a traced scalar."
    return function


erf = _dispatch("erf", math.erf)
erfc = _dispatch("erfc", math.erfc)
sigmoid = _dispatch("sigmoid", lambda x: 1.0 / (1.0 + math.exp(-x)))
softplus = _dispatch("softplus", lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))))
logsigmoid = _dispatch("logsigmoid", lambda x: -softplus(-x))


def expression_of(value: Any) -> sympy.Expr:
    """The expression behind a traced scalar or a number."""
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, int | np.integer):
        return sympy.Integer(int(value))
    if isinstance(value, float | np.floating):
        return sympy.Float(float(value), 17) if not float(value).is_integer() else sympy.Integer(int(value))
    raise MisuseError(f"The function computed with a {type(value).__name__}, expected numbers, states and parameters.")


def trace_function(
    function: Callable[[Any, Any], Sequence[Any]], states: tuple[str, ...], parameters: tuple[str, ...]
) -> tuple[Program, tuple[sympy.Expr, ...]]:
    """Call ``function(x, p)`` with symbolic scalars; return named intermediates and one expression per state."""
    for name in (*states, *parameters):
        if name.startswith(PREFIX):
            raise MisuseError(
                f"The name '{name}' begins with '{PREFIX}', which intermediate values use; choose another."
            )
    program: Program = []
    x = np.array([Traced(symbol(s), program) for s in states], dtype=object)
    p = SimpleNamespace(**{name: Traced(symbol(name), program) for name in parameters})
    try:
        result = function(x, p)
    except GanBifurcationError:
        raise
    except Exception as error:
        raise MisuseError(
            f"The function could not be traced ({type(error).__name__}: {error}); use operators, NumPy's "
            "elementary functions and those of gan_bifurcation.tracing."
        ) from error
    values = list(np.asarray(result, dtype=object).ravel())
    if len(values) != len(states):
        raise MisuseError(f"The function returned {len(values)} values for {len(states)} states ({', '.join(states)}).")
    return program, tuple(expression_of(v) for v in values)


def check_jacobian(system: "System", jacobian: Callable[[Any, Any], Any]) -> None:
    """Refuse a Jacobian ``jacobian(x, p)`` that is not the derivative of a system's right-hand side."""
    x = np.random.default_rng(0).uniform(0.1, 0.9, system.n)
    own = system.jacobian(x)[:, : system.n]
    given = np.asarray(jacobian(x, SimpleNamespace(**system.parameters)), float)
    if given.shape != own.shape or not np.allclose(own, given, rtol=1e-8, atol=1e-10, equal_nan=True):
        raise MisuseError(
            f"The Jacobian given for '{system.name}' is not the derivative of the function at {x.tolist()}; "
            "correct it or leave it out."
        )

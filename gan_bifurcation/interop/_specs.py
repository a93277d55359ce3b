"""Right-hand sides as PyDSTool's specification text: expressions, auxiliary functions, Jacobian, straight-line code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expectation import Mean, explicit
from gan_bifurcation.functions import LogSigmoid, Sigmoid, Softplus, derivative, symbol

__all__ = ["AUXILIARY", "Specification", "specify"]

# Functions that PyDSTool lacks, as auxiliary functions for its Python and its C targets; none of them overflows.
AUXILIARY: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "gb_sigmoid": (("u_",), "exp(-0.5*(abs(u_)-u_)-log1p(exp(-abs(u_))))"),
    "gb_logsigmoid": (("u_",), "0.5*(u_-abs(u_))-log1p(exp(-abs(u_)))"),
    "gb_softplus": (("u_",), "0.5*(u_+abs(u_))+log1p(exp(-abs(u_)))"),
    "gb_sign": (("u_",), "heav(u_)-heav(-u_)"),
    "gb_larger": (("u_", "v_"), "if(u_>v_,u_,v_)"),
    "gb_smaller": (("u_", "v_"), "if(u_<v_,u_,v_)"),
    # PyDSTool does not translate "abs" and "if" in a Jacobian for C.
    "gb_abs": (("u_",), "abs(u_)"),
    "gb_where": (("c_", "u_", "v_"), "if(c_>0,u_,v_)"),
}
_FUNCTIONS: Final[Mapping[type, str]] = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
    sympy.asin: "asin",
    sympy.acos: "acos",
    sympy.atan: "atan",
    sympy.erf: "erf",
    sympy.erfc: "erfc",
    sympy.Abs: "abs",
    sympy.sign: "gb_sign",
    Sigmoid: "gb_sigmoid",
    LogSigmoid: "gb_logsigmoid",
    Softplus: "gb_softplus",
}
_CHOICE: Final = "if({},{},{})"
# Operations above which intermediates are kept as lines of code instead of being substituted, if that is any shorter,
# and above which text is refused: PyDSTool reads it letter by letter.
_MOST_SUBSTITUTED: Final = 2_000
_MOST_PRINTED: Final = 60_000


class _Printer(StrPrinter):  # type: ignore[misc]
    """SymPy -> PyDSTool's text, with the ways to write a size and a choice that the place of the text allows."""

    def __init__(self, names: Mapping[str, str], choice: str, size: str = "abs") -> None:
        super().__init__()
        self._names = names
        self._choice = choice
        self._functions = {**_FUNCTIONS, sympy.Abs: size}

    def _print_Symbol(self, expr: sympy.Symbol) -> str:
        return self._names.get(expr.name, expr.name)

    def _number(self, value: float) -> str:
        return repr(float(value))

    def _print_Integer(self, expr: sympy.Integer) -> str:
        return self._number(expr)

    def _print_Float(self, expr: sympy.Float) -> str:
        return self._number(expr)

    def _print_Rational(self, expr: sympy.Rational) -> str:
        return f"{self._number(expr.p)}/{self._number(expr.q)}"

    def _print_NumberSymbol(self, expr: sympy.NumberSymbol) -> str:
        return self._number(expr)

    _print_Pi = _print_Exp1 = _print_NumberSymbol  # noqa: N815 -- SymPy's names

    def _print_Half(self, expr: sympy.Rational) -> str:
        return "0.5"

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        if exponent == sympy.S.Half:
            return f"sqrt({self._print(base)})"
        if exponent == -sympy.S.Half:
            return f"1.0/sqrt({self._print(base)})"
        if exponent == sympy.S.NegativeOne:
            return f"1.0/{self.parenthesize(base, PRECEDENCE['Pow'])}"
        if exponent.is_Integer:
            return f"pow({self._print(base)},{int(exponent)})"
        return f"pow({self._print(base)},{self._print(exponent)})"

    def _print_ExpBase(self, expr: sympy.Expr) -> str:
        return f"exp({self._print(expr.exp)})"

    def _print_Function(self, expr: sympy.Function) -> str:
        name = self._functions.get(expr.func)
        if name is None or isinstance(expr, AppliedUndef):
            raise MisuseError(f"PyDSTool has no function '{expr.func.__name__}'; write the equation without it.")
        return f"{name}({','.join(self._print(argument) for argument in expr.args)})"

    _print_Abs = _print_sign = _print_Function  # noqa: N815

    def _pairwise(self, name: str, arguments: Sequence[sympy.Expr]) -> str:
        text = self._print(arguments[-1])
        for argument in reversed(arguments[:-1]):
            text = f"{name}({self._print(argument)},{text})"
        return str(text)

    def _print_Max(self, expr: sympy.Max) -> str:
        return self._pairwise("gb_larger", sorted(expr.args, key=str))

    def _print_Min(self, expr: sympy.Min) -> str:
        return self._pairwise("gb_smaller", sorted(expr.args, key=str))

    def _print_Piecewise(self, expr: sympy.Piecewise) -> str:
        *pieces, (text, last) = [(self._print(value), condition) for value, condition in expr.args]
        if last != sympy.true:
            raise MisuseError("A piecewise expression needs a last piece that holds otherwise; add one.")
        for value, condition in reversed(pieces):
            text = self._choice.format(self._print(condition), value, text)
        return str(text)

    # Conditions joined by arithmetic mean the same in Python and in C.
    def _print_And(self, expr: sympy.And) -> str:
        return "*".join(f"({self._print(part)})" for part in expr.args)

    def _print_Or(self, expr: sympy.Or) -> str:
        return "(" + "+".join(f"({self._print(part)})" for part in expr.args) + ">0)"

    def _print_Not(self, expr: sympy.Not) -> str:
        return f"(1-({self._print(expr.args[0])}))"

    def _print_ITE(self, expr: sympy.ITE) -> str:
        condition, yes, no = expr.args
        return str(
            self._print(sympy.Or(sympy.And(condition, yes), sympy.And(sympy.Not(condition), no), evaluate=False))
        )

    def _print_Relational(self, expr: Any) -> str:
        return f"{self._print(expr.lhs)}{expr.rel_op}{self._print(expr.rhs)}"

    def _print_Basic(self, expr: Any) -> str:
        raise MisuseError(f"PyDSTool has nothing like '{type(expr).__name__}'; write the equation without it.")

    emptyPrinter = _print_Boolean = _print_Basic  # noqa: N815


@dataclass(frozen=True)
class Specification:
    """Text for PyDSTool.

    Attributes
    ----------
    equations : dict of PyDSTool's state to text
    functions : dict of name to (arguments, text)
        Auxiliary functions that occur, and the Jacobian.
    code : str
        Straight-line code in front of the equations; "" if there is none.
    intermediates : list of str
        Names that the code defines.
    """

    equations: dict[str, str]
    functions: dict[str, tuple[list[str], str]] = field(default_factory=dict)
    code: str = ""
    intermediates: list[str] = field(default_factory=list)


def specify(system: Any, names: Mapping[str, str], *, jacobian: bool, code_allowed: bool) -> Specification:
    """The specification of a system under PyDSTool's names.

    Parameters
    ----------
    system : System
    names : mapping of our names to PyDSTool's
    jacobian : bool
        Whether to add the exact Jacobian (where the equations are substituted).
    code_allowed : bool
        Whether straight-line code may be used (targets in Python), for iterates and nested intermediates.

    Raises
    ------
    MisuseError
        If the equations are too long for PyDSTool, or use what it does not have.
    """
    lines = _lines(system)
    results = [symbol(f"{_STEP}{system.iterations}_{name}") for name in system.states]
    whole, kept = _sizes(lines, results)
    if whole <= _MOST_SUBSTITUTED or (whole <= _MOST_PRINTED and (not code_allowed or whole <= 1.2 * kept)):
        known: dict[sympy.Basic, sympy.Expr] = {}
        for name, expression in lines:
            known[name] = expression.xreplace(known)
        right = [known[name] for name in results]
        printer = _Printer(names, _CHOICE) if code_allowed else _Printer(names, "gb_where({},{},{})", "gb_abs")
        equations = {
            names[name]: printer.doprint(expression) for name, expression in zip(system.states, right, strict=True)
        }
        functions = _auxiliary(equations.values())
        if jacobian:
            text = _jacobian(system.states, right, names, printer)
            functions = {**_auxiliary([*equations.values(), text]), "Jacobian": (["t", *sorted(equations)], text)}
        return Specification(equations, functions)
    if not code_allowed or kept > _MOST_PRINTED:
        count = min(whole, kept) if code_allowed else whole
        raise MisuseError(
            f"The equations of '{system.name}' have about {count:.0f} operations, more than the {_MOST_PRINTED} that "
            "PyDSTool reads in reasonable time; use fewer nodes or features"
            + ("." if code_allowed else ", or target='vode'.")
        )
    return _with_code(lines, results, system.states, names)


_STEP: Final = "gb_step"


def _lines(system: Any) -> list[tuple[sympy.Symbol, sympy.Expr]]:
    """All assignments of all iterations in order; the last ones are the results ``gb_step<k>_<state>``."""
    lines: list[tuple[sympy.Symbol, sympy.Expr]] = []
    current: dict[sympy.Basic, sympy.Expr] = {}
    assignments = [(name, _written_out(expression, system.name)) for name, expression in system.assignments]
    right = [_written_out(expression, system.name) for expression in system.rhs_expressions]
    # What depends on parameters only is computed once.
    moving = {symbol(name) for name in system.states}
    for name, expression in assignments:
        if expression.free_symbols & moving:
            moving.add(name)
    for step in range(1, system.iterations + 1):
        for position, (name, expression) in enumerate(assignments):
            if name not in moving and step > 1:
                continue
            fresh = symbol(f"gb_v{step}_{position}")
            lines.append((fresh, expression.xreplace(current)))
            current[name] = fresh
        images = [expression.xreplace(current) for expression in right]
        results = [symbol(f"{_STEP}{step}_{name}") for name in system.states]
        lines.extend(zip(results, images, strict=True))
        current.update(zip((symbol(name) for name in system.states), results, strict=True))
    return lines


def _written_out(expression: sympy.Expr, title: str) -> sympy.Expr:
    """Expectations as sums, unless these would be too long to write."""
    means = expression.atoms(Mean)
    terms = sum(len(mean.table.weights) * sum(1 for _ in sympy.preorder_traversal(mean.body)) for mean in means)
    if terms > _MOST_PRINTED:
        raise MisuseError(
            f"The expectations of '{title}' have about {terms} operations when written out for PyDSTool, more than the "
            f"{_MOST_PRINTED} that it reads in reasonable time; use fewer nodes."
        )
    return explicit(expression)


def _sizes(lines: Sequence[tuple[sympy.Symbol, sympy.Expr]], results: Sequence[sympy.Symbol]) -> tuple[float, float]:
    """Operations with everything substituted, and with every line kept."""
    size: dict[sympy.Basic, float] = {}
    kept = 0.0
    for name, expression in lines:
        own = inherited = 0.0
        for part in sympy.preorder_traversal(expression):
            if part in size:
                inherited += size[part]
            elif part.args:
                own += 1
        size[name] = own + inherited
        kept += own + 1
    return sum(size[name] for name in results), kept


def _with_code(
    lines: Sequence[tuple[sympy.Symbol, sympy.Expr]],
    results: Sequence[sympy.Symbol],
    states: Sequence[str],
    names: Mapping[str, str],
) -> Specification:
    # Python's own choice evaluates one side only; PyDSTool's macro evaluates both.
    printer = _Printer(names, "({1} if {0} else {2})")
    last = set(results)
    code = [f"{name.name} = {printer.doprint(expression)}" for name, expression in lines if name not in last]
    final = dict(lines)
    plain = _Printer(names, _CHOICE)
    equations = {names[state]: plain.doprint(final[name]) for state, name in zip(states, results, strict=True)}
    intermediates = [name.name for name, _ in lines if name not in last]
    return Specification(equations, _auxiliary([*code, *equations.values()]), "; ".join(code), intermediates)


def _auxiliary(texts: Iterable[str]) -> dict[str, tuple[list[str], str]]:
    whole = "\n".join(texts)
    return {name: (list(arguments), text) for name, (arguments, text) in AUXILIARY.items() if f"{name}(" in whole}


def _jacobian(states: Sequence[str], right: Sequence[sympy.Expr], names: Mapping[str, str], printer: _Printer) -> str:
    """Rows and columns in PyDSTool's order, which is that of the sorted names."""
    order = sorted(range(len(states)), key=lambda index: names[states[index]])
    symbols = [symbol(states[index]) for index in order]
    rows = []
    for index in order:
        free = right[index].free_symbols
        entries = [printer.doprint(derivative(right[index], name)) if name in free else "0" for name in symbols]
        rows.append("[" + ",".join(entries) + "]")
    return rows[0][1:-1] if len(states) == 1 else "[" + ",".join(rows) + "]"

"""Expressions from text, without running it: a parser over a whitelist of Python's syntax.

A study file may come from a stranger. Its text is parsed by Python's own `ast` and rebuilt node by node; what is not on
the list below is refused, and so is what would take unbounded time or memory (long text, deep nesting, huge powers).
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import sympy

from gan_bifurcation.errors import MisuseError, quoted, unknown_name
from gan_bifurcation.expectation import (
    Mean,
    NodeTable,
    explicit,
    gauss_hermite,
    gauss_legendre,
    product_table,
    sample_table,
)
from gan_bifurcation.functions import LogSigmoid, Sigmoid, Softplus, derivative, is_smooth, symbol

__all__ = [
    "LogSigmoid",
    "Mean",
    "NodeTable",
    "Sigmoid",
    "Softplus",
    "derivative",
    "explicit",
    "gauss_hermite",
    "gauss_legendre",
    "is_smooth",
    "parse",
    "product_table",
    "sample_table",
    "symbol",
]

LONGEST_TEXT: Final = 20_000
DEEPEST_NESTING: Final = 60
LARGEST_EXPONENT: Final = 1000
# No exact number that appears on the way may need more bits than this.
_MOST_BITS: Final = 8192


@dataclass(frozen=True)
class _Value:
    """An expression, and its value as a float if it is a constant, so that what is too large is refused in time."""

    expression: sympy.Expr
    number: float | None


@dataclass(frozen=True)
class _Function:
    build: Callable[..., sympy.Expr]
    number: Callable[..., float]
    fewest: int = 1
    most: int = 1


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))


_MANY: Final = 50
_PLAIN: Final[Mapping[str, _Function]] = {
    "sqrt": _Function(sympy.sqrt, math.sqrt),
    "exp": _Function(sympy.exp, math.exp),
    "log": _Function(sympy.log, math.log),
    "sin": _Function(sympy.sin, math.sin),
    "cos": _Function(sympy.cos, math.cos),
    "tan": _Function(sympy.tan, math.tan),
    "sinh": _Function(sympy.sinh, math.sinh),
    "cosh": _Function(sympy.cosh, math.cosh),
    "tanh": _Function(sympy.tanh, math.tanh),
    "asin": _Function(sympy.asin, math.asin),
    "acos": _Function(sympy.acos, math.acos),
    "atan": _Function(sympy.atan, math.atan),
    "erf": _Function(sympy.erf, math.erf),
    "erfc": _Function(sympy.erfc, math.erfc),
    "sigmoid": _Function(Sigmoid, _sigmoid),
    "logsigmoid": _Function(LogSigmoid, lambda x: -_softplus(-x)),
    "softplus": _Function(Softplus, _softplus),
    "abs": _Function(sympy.Abs, abs),
    "sign": _Function(sympy.sign, _sign),
    "minimum": _Function(sympy.Min, min, 2, _MANY),
    "maximum": _Function(sympy.Max, max, 2, _MANY),
}
# Names of NumPy and SciPy for the same functions.
_ALIASES: Final[Mapping[str, str]] = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "ln": "log",
    "expit": "sigmoid",
    "log_expit": "logsigmoid",
    "log_sigmoid": "logsigmoid",
    "min": "minimum",
    "max": "maximum",
}
_CHOICES: Final = ("where", "piecewise")
_MEAN: Final = "mean"
_CONSTANTS: Final[Mapping[str, _Value]] = {"pi": _Value(sympy.pi, math.pi), "e": _Value(sympy.E, math.e)}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: sympy.Lt,
    ast.LtE: sympy.Le,
    ast.Gt: sympy.Gt,
    ast.GtE: sympy.Ge,
}
_WORDS: Final[Mapping[type[ast.AST], str]] = {
    ast.Attribute: "a dot after a name",
    ast.Subscript: "an index in brackets",
    ast.Lambda: "a lambda",
    ast.IfExp: "an if ... else (write where(condition, a, b))",
    ast.JoinedStr: "a string",
    ast.List: "a list",
    ast.Tuple: "a comma outside a function",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.NamedExpr: "an assignment",
    ast.Starred: "a star",
    ast.ListComp: "a loop",
    ast.SetComp: "a loop",
    ast.DictComp: "a loop",
    ast.GeneratorExp: "a loop",
    ast.Await: "the word await",
    ast.Yield: "the word yield",
    ast.YieldFrom: "the word yield",
    ast.Compare: "a comparison outside of where or piecewise",
    ast.BoolOp: "'and' or 'or' outside of where or piecewise",
    ast.Mod: "the operator %",
    ast.FloorDiv: "the operator //",
    ast.MatMult: "the operator @",
    ast.LShift: "the operator <<",
    ast.RShift: "the operator >>",
    ast.BitOr: "the operator |",
    ast.BitAnd: "the operator &",
    ast.Not: "'not'",
    ast.Invert: "the operator ~",
}


def parse(text: str, names: Mapping[str, sympy.Symbol], random: Sequence[NodeTable] = ()) -> sympy.Expr:
    """Read an expression from text; nothing in it is ever run.

    Parameters
    ----------
    text : str
        Python syntax: + - * / **, the functions sqrt exp log sin cos tan sinh cosh tanh asin acos atan erf erfc sigmoid
        logsigmoid softplus abs sign minimum maximum, ``where(condition, a, b)``,
        ``piecewise(condition, a, condition, b, ..., otherwise)``, and the constants pi and e.
    names : mapping of str to Symbol
        The names that may occur. They come before functions and constants of the same name.
    random : sequence of NodeTable
        Independent random variables: ``mean(...)`` is the expectation over those that occur in it.

    Returns
    -------
    sympy.Expr
        Whole numbers and decimals are kept exact.

    Raises
    ------
    MisuseError
        If the text is no expression, uses anything else, or is too large; the message is one sentence.

    Examples
    --------
    >>> names = {"x": symbol("x"), "a": symbol("a")}
    >>> parse("a*x*(1 - x) + 0.5", names)
    a*x*(1 - x) + 1/2
    >>> parse("where(x > 0, x, exp(x) - 1)", names)
    Piecewise((x, x > 0), (exp(x) - 1, True))
    >>> parse("mean((x + eps)**2)", names, [gauss_hermite("eps", 5)])
    Mean((eps + x)**2)
    >>> parse("__import__('os')", names)
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.UnknownNameError: Unknown function '__import__'. Known: abs, acos, asin, atan, ...
    """
    if not isinstance(text, str):
        raise MisuseError(
            f"An expression is given as text, but got {quoted(repr(text))} of type {type(text).__name__}."
        )
    if len(text) > LONGEST_TEXT:
        raise MisuseError(
            f"An expression may have {LONGEST_TEXT} characters, but this one has {len(text)}: split it up."
        )
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise MisuseError(f"{quoted(text)} is not an expression: {error.msg} at character {error.offset}.") from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise MisuseError(
            f"{quoted(text)} is not an expression that can be read: it is nested too deeply or damaged."
        ) from None
    return _Parser(text, names, random).value(tree.body, 0).expression


class _Parser:
    def __init__(self, text: str, names: Mapping[str, sympy.Symbol], random: Sequence[NodeTable]) -> None:
        self.text = text
        self.names = names
        self.random = {column.name: table for table in random for column in table.columns}
        self.averages = False

    def refuse(self, what: str) -> MisuseError:
        return MisuseError(f"In the expression {quoted(self.text)}: {what}.")

    def value(self, node: ast.expr, depth: int) -> _Value:
        if depth > DEEPEST_NESTING:
            raise self.refuse(f"it is nested more than {DEEPEST_NESTING} levels deep; split it up")
        if isinstance(node, ast.Constant):
            return self.constant(node.value)
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
            inner = self.value(node.operand, depth + 1)
            return inner if isinstance(node.op, ast.UAdd) else self.checked(-inner.expression, _negated(inner.number))
        if isinstance(node, ast.BinOp):
            return self.chain(node, depth)
        if isinstance(node, ast.Call):
            return self.call(node, depth)
        culprit = node.op if isinstance(node, ast.UnaryOp) else node
        words = _WORDS.get(type(culprit), "this kind of syntax")
        raise self.refuse(f"{words} is not allowed here; use numbers, names, + - * / ** and the known functions")

    def constant(self, value: object) -> _Value:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(f"{quoted(repr(value))} is not a real number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.refuse("it contains a number that is too large")
        # The shortest decimal that gives this float, kept exact: 0.1 is 1/10.
        return _Value(sympy.Integer(value) if isinstance(value, int) else sympy.Rational(repr(value)), number)

    def name(self, name: str) -> _Value:
        if name in self.names:
            return _Value(self.names[name], None)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in self.random:
            if not self.averages:
                raise self.refuse(f"the random variable '{name}' occurs outside of {_MEAN}(...)")
            return _Value(symbol(name), None)
        if name in _PLAIN or name in _ALIASES or name in _CHOICES:
            raise self.refuse(f"the function '{name}' needs arguments in parentheses")
        raise unknown_name("name in an expression", name, [*self.names, *self.random, *_CONSTANTS])

    def chain(self, node: ast.BinOp, depth: int) -> _Value:
        """Operators of one level: a long sum is a deep tree leaning to the left, and no deep nesting."""
        links: list[ast.BinOp] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            links.append(left)
            left = left.left
        result = self.value(left, depth + 1)
        terms: list[_Value] = []
        for link in reversed(links):
            right = self.value(link.right, depth + 1)
            if isinstance(link.op, ast.Add | ast.Sub):
                if isinstance(link.op, ast.Sub):
                    right = _Value(-right.expression, _negated(right.number))
                # Gathered and added once: adding one by one would take time quadratic in the number of terms.
                terms = terms or [result]
                terms.append(right)
                continue
            if terms:
                result, terms = self.sum(terms), []
            result = self.binary(link.op, result, right)
        return self.sum(terms) if terms else result

    def sum(self, terms: list[_Value]) -> _Value:
        numbers = [term.number for term in terms if term.number is not None]
        total = sum(numbers) if len(numbers) == len(terms) else None
        return self.checked(sympy.Add(*(term.expression for term in terms)), total)

    def binary(self, operator: ast.operator, left: _Value, right: _Value) -> _Value:
        if isinstance(operator, ast.Mult):
            return self.checked(left.expression * right.expression, _product(left.number, right.number))
        if isinstance(operator, ast.Div):
            if right.expression.is_zero:
                raise self.refuse("it divides by zero")
            inverse = None if right.number is None else 1.0 / right.number if right.number else math.inf
            return self.checked(left.expression / right.expression, _product(left.number, inverse))
        if isinstance(operator, ast.Pow):
            return self.power(left, right)
        if isinstance(operator, ast.BitXor):
            raise self.refuse("the operator ^ is not a power in Python; write **")
        raise self.refuse(f"{_WORDS.get(type(operator), 'this operator')} is not allowed; use + - * / **")

    def power(self, base: _Value, exponent: _Value) -> _Value:
        number = None
        if exponent.number is not None:
            if abs(exponent.number) > LARGEST_EXPONENT:
                raise self.refuse(f"an exponent is larger than {LARGEST_EXPONENT} in size")
            if _bits(base.expression) * max(abs(exponent.number), 1.0) > _MOST_BITS:
                raise self.refuse("it contains a power that is too large")
            if base.number is not None:
                number = self.evaluated("**", math.pow, base.number, exponent.number)
        return self.checked(sympy.Pow(base.expression, exponent.expression), number)

    def call(self, node: ast.Call, depth: int) -> _Value:
        if not isinstance(node.func, ast.Name):
            raise self.refuse("only the known functions can be called, by their plain names")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.refuse(f"the arguments of '{node.func.id}' must be plain expressions")
        name = _ALIASES.get(node.func.id, node.func.id)
        if name in _CHOICES:
            return self.choice(name, node.args, depth)
        if name == _MEAN and self.random:
            return self.mean(node.args, depth)
        if name not in _PLAIN:
            if name in self.names:
                raise self.refuse(f"'{name}' is a number and cannot be called; write a product with *")
            raise unknown_name("function", node.func.id, sorted([*_PLAIN, *_CHOICES]))
        function = _PLAIN[name]
        if not function.fewest <= len(node.args) <= function.most:
            wanted = "1 argument" if function.most == 1 else f"{function.fewest} to {function.most} arguments"
            raise self.refuse(f"'{node.func.id}' takes {wanted}, but got {len(node.args)}")
        values = [self.value(argument, depth + 1) for argument in node.args]
        numbers = [value.number for value in values if value.number is not None]
        number = self.evaluated(name, function.number, *numbers) if len(numbers) == len(values) else None
        return self.checked(function.build(*(value.expression for value in values)), number)

    def mean(self, arguments: list[ast.expr], depth: int) -> _Value:
        if len(arguments) != 1 or self.averages:
            raise self.refuse(f"{_MEAN}(...) takes one expression, and none inside another one")
        self.averages = True
        body = self.value(arguments[0], depth + 1).expression
        self.averages = False
        used = list(dict.fromkeys(t for name, t in self.random.items() if symbol(name) in body.free_symbols))
        if not used:
            raise self.refuse(f"{_MEAN}(...) holds no random variable; known ones: {', '.join(self.random)}")
        return _Value(Mean(body, reduce(product_table, used)), None)

    def choice(self, name: str, arguments: list[ast.expr], depth: int) -> _Value:
        count = len(arguments)
        if (name == "where" and count != 3) or count < 3 or count % 2 == 0 or count > 2 * _MANY:
            usage = "where(condition, a, b)" if name == "where" else "piecewise(condition, a, ..., otherwise)"
            raise self.refuse(f"write {usage}, not '{name}' with {count} arguments")
        pieces = [
            (self.value(value, depth + 1).expression, self.condition(condition, depth + 1))
            for condition, value in zip(arguments[0:-1:2], arguments[1::2], strict=True)
        ]
        return _Value(sympy.Piecewise(*pieces, (self.value(arguments[-1], depth + 1).expression, True)), None)

    def condition(self, node: ast.expr, depth: int) -> Any:
        if depth > DEEPEST_NESTING:
            raise self.refuse(f"it is nested more than {DEEPEST_NESTING} levels deep; split it up")
        if isinstance(node, ast.BoolOp):
            join = sympy.And if isinstance(node.op, ast.And) else sympy.Or
            return join(*(self.condition(part, depth + 1) for part in node.values[:_MANY]))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return sympy.Not(self.condition(node.operand, depth + 1))
        if not isinstance(node, ast.Compare):
            raise self.refuse("a condition must compare with < <= > or >=, joined by and, or, not")
        operands = [self.value(part, depth + 1).expression for part in [node.left, *node.comparators]]
        parts = []
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(operator) not in _COMPARISONS:
                raise self.refuse("a condition must compare with < <= > or >=")
            try:
                parts.append(_COMPARISONS[type(operator)](left, right))
            except TypeError:
                raise self.refuse("it compares what is not a real number") from None
        return sympy.And(*parts)

    def evaluated(self, name: str, function: Callable[..., float], *numbers: float) -> float:
        try:
            return function(*numbers)
        except OverflowError:
            raise self.refuse("it contains a number that is too large") from None
        except (ValueError, ZeroDivisionError):
            shown = ", ".join(f"{number:g}" for number in numbers)
            raise self.refuse(f"'{name}' has no real value at {shown}") from None

    def checked(self, expression: sympy.Expr, number: float | None) -> _Value:
        if number is not None and not math.isfinite(number):
            raise self.refuse("it contains a number that is too large")
        if expression.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I):
            raise self.refuse("it has no finite real value")
        return _Value(expression, number)


def _negated(number: float | None) -> float | None:
    return None if number is None else -number


def _product(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left * right


def _bits(expression: sympy.Expr) -> int:
    """How many bits the exact numeric factor of an expression needs."""
    factor = expression.as_coeff_Mul()[0]
    return max(int(factor.p).bit_length(), int(factor.q).bit_length()) if factor.is_Rational else 64

"""PyDSTool generators as systems: their specifications are parsed, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import sympy

from gan_bifurcation.errors import MisuseError, quoted
from gan_bifurcation.expressions import LONGEST_TEXT, parse
from gan_bifurcation.functions import symbol
from gan_bifurcation.interop._names import name_map
from gan_bifurcation.interop._specs import AUXILIARY

if TYPE_CHECKING:
    from gan_bifurcation.system import System

__all__ = ["from_pydstool"]

# Functions of PyDSTool that our expressions know under another name.
_RENAMED: Final[Mapping[str, str]] = {
    "fabs": "abs",
    "gb_abs": "abs",
    "gb_sigmoid": "sigmoid",
    "gb_logsigmoid": "logsigmoid",
    "gb_softplus": "softplus",
    "gb_sign": "sign",
    "gb_larger": "maximum",
    "gb_smaller": "minimum",
}
# Functions of math that our expressions lack, written with those they have; {0}, {1} are the arguments.
_REWRITTEN: Final[Mapping[tuple[str, int], str]] = {
    ("pow", 2): "({0})**({1})",
    ("heav", 1): "where(({0}) > 0, 1, 0)",
    ("log10", 1): "log({0})/log(10)",
    ("log2", 1): "log({0})/log(2)",
    ("log", 2): "log({0})/log({1})",
    ("log1p", 1): "log(1 + ({0}))",
    ("expm1", 1): "(exp({0}) - 1)",
    ("asinh", 1): "log(({0}) + sqrt(({0})**2 + 1))",
    ("acosh", 1): "log(({0}) + sqrt(({0})**2 - 1))",
    ("atanh", 1): "(log((1 + ({0}))/(1 - ({0})))/2)",
    ("hypot", 2): "sqrt(({0})**2 + ({1})**2)",
    ("cbrt", 1): "(sign({0})*abs({0})**(1/3))",
}
_NOT_FUNCTIONS: Final = frozenset({"Jacobian", "Jacobian_pars", "massMatrix"})
_DEEPEST_CALLS: Final = 20
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)\s*(\S.*)", re.DOTALL)


def from_pydstool(generator: Any) -> System:
    """A system from a PyDSTool Generator.

    Parameters
    ----------
    generator : PyDSTool Generator
        A MapSystem, or an ODE system (Vode, Dopri, Radau, Euler). Auxiliary functions, reused terms and straight-line
        code are translated; auxiliary variables are left out.

    Returns
    -------
    System
        With the generator's present parameter values. States and parameters have the order and names they had when
        `register` made the generator, and are otherwise sorted, as in PyDSTool.

    Raises
    ------
    MisuseError
        Naming what cannot be translated.

    Examples
    --------
    >>> from PyDSTool import Generator, args
    >>> specs = {"x": "a*min([x, 1-x])"}
    >>> made = Generator.MapSystem(args(name="tent", varspecs=specs, pars={"a": 2}, ics={"x": 0.3}, ttype=int))
    >>> from_pydstool(made).rhs([0.3]).tolist()
    [0.6]
    """
    from PyDSTool.Generator import MapSystem, ODEsystem

    from gan_bifurcation.system import System

    if not isinstance(generator, MapSystem | ODEsystem):
        raise MisuseError(
            f"Got a {type(generator).__name__}, expected a PyDSTool MapSystem or an ODE system such as Vode_ODEsystem."
        )
    title = str(generator.name)
    if generator.inputs:
        raise MisuseError(
            f"PyDSTool's '{title}' has external inputs, which a system of ours has not; write them as states."
        )
    try:
        states, parameters, lines, right = _translate(generator)
    except MisuseError as error:
        raise MisuseError(f"PyDSTool's '{title}' cannot be translated: {error}") from error
    return System("map" if isinstance(generator, MapSystem) else "flow", title, states, parameters, lines, right)


def _translate(
    generator: Any,
) -> tuple[tuple[str, ...], dict[str, float], tuple[tuple[sympy.Symbol, sympy.Expr], ...], tuple[sympy.Expr, ...]]:
    specs = generator.funcspec
    theirs = [*specs.vars, *sorted(generator.pars)]
    ours = {new: old for old, new in name_map(generator).items()}
    if set(ours) != set(theirs):
        ours = {name: name for name in theirs}
    ordered = [name for name in ours if name in specs.vars], [name for name in ours if name in generator.pars]
    reader = _Reader({name: symbol(ours[name]) for name in theirs}, _functions(specs))
    for name, text in _reused(specs):
        reader.assign(name, text)
    if str(specs.codegen.opts["end"]).strip():
        raise MisuseError("it has a code insert at the end; write what it does into the equations.")
    for statement in re.split(r"[;\n]", str(specs.codegen.opts["start"])):
        if not statement.strip():
            continue
        match = _ASSIGNMENT.fullmatch(statement.strip())
        if match is None:
            raise MisuseError(f"the code insert {quoted(statement.strip())} is not an assignment of an expression.")
        reader.assign(match[1], match[2])
    missing = [name for name in ordered[0] if name not in specs.varspecs]
    if missing:
        raise MisuseError(f"the state {quoted(missing[0])} is defined by a macro; write its equation out.")
    right = tuple(reader.read(str(specs.varspecs[name])) for name in ordered[0])
    parameters = {ours[name]: float(generator.pars[name]) for name in ordered[1]}
    return tuple(ours[name] for name in ordered[0]), parameters, tuple(reader.lines), right


def _functions(specs: Any) -> dict[str, tuple[list[str], str]]:
    """Auxiliary functions that are not ours (no name of ours can begin with "gb_" at this border)."""
    return {
        str(name): (list(arguments), str(text))
        for name, (arguments, text) in specs._auxfnspecs.items()
        if name not in _NOT_FUNCTIONS and name not in AUXILIARY
    }


def _reused(specs: Any) -> list[tuple[str, str]]:
    """Reused terms in an order in which each uses earlier ones only."""
    waiting = {str(name): str(text) for text, name in specs.reuseterms.items()}
    ordered: list[tuple[str, str]] = []
    while waiting:
        ready = [
            name for name, text in waiting.items() if not any(other in re.findall(r"\w+", text) for other in waiting)
        ]
        if not ready:
            raise MisuseError(f"the reused terms {', '.join(sorted(waiting))} need each other.")
        ordered.extend((name, waiting.pop(name)) for name in ready)
    return ordered


class _Reader:
    """Turns PyDSTool's text into SymPy by way of our own parser; calls of auxiliary functions become their values."""

    def __init__(self, names: Mapping[str, sympy.Symbol], functions: Mapping[str, tuple[list[str], str]]) -> None:
        self._names = dict(names)
        self._functions = functions
        self._bodies: dict[str, sympy.Expr] = {}
        self._reading: list[str] = []
        self.lines: list[tuple[sympy.Symbol, sympy.Expr]] = []

    def assign(self, name: str, text: str) -> None:
        """Read one line of straight-line code."""
        value = self.read(text)
        taken = {target.name for target, _ in self.lines} | {known.name for known in self._names.values()}
        fresh = name
        while fresh in taken:
            fresh += "_"
        self.lines.append((symbol(fresh), value))
        self._names[name] = symbol(fresh)

    def read(self, text: str) -> sympy.Expr:
        """An expression in states, parameters and assigned names."""
        return self._read(text, self._names)

    def _read(self, text: str, names: Mapping[str, sympy.Symbol]) -> sympy.Expr:
        plain = re.sub(r"\bif\s*\(", "where(", text) if not re.search(r"\belse\b", text) else text
        plain = plain.replace("^", "**").replace("&&", " and ").replace("||", " or ").strip()
        try:
            tree = ast.parse(plain, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise MisuseError(f"{quoted(text)} is not an expression.") from None
        rewriter = _Rewriter(self._value_of_call, names)
        tree = rewriter.visit(tree)
        if "t" not in names and any(isinstance(node, ast.Name) and node.id == "t" for node in ast.walk(tree)):
            raise MisuseError(f"{quoted(text)} uses the time t; add a state with the equation 1 for it.")
        known = {**names, **{name: symbol(name) for name in rewriter.values}}
        whole = sympy.Add(*(parse(term, known) for term in _terms(tree)))
        return whole.xreplace({symbol(name): value for name, value in rewriter.values.items()})

    def _value_of_call(
        self, name: str, arguments: Sequence[ast.expr], names: Mapping[str, sympy.Symbol]
    ) -> sympy.Expr | None:
        """The value of an auxiliary function, or None if the name is not one of them."""
        if name not in self._functions:
            return None
        formal, text = self._functions[name]
        if len(formal) != len(arguments):
            raise MisuseError(f"the function '{name}' takes {len(formal)} arguments, but got {len(arguments)}.")
        if name in self._reading or len(self._reading) > _DEEPEST_CALLS:
            raise MisuseError(f"the function '{name}' calls itself.")
        if name not in self._bodies:
            self._reading.append(name)
            scope = {**self._names, **{argument: symbol(argument) for argument in formal}}
            self._bodies[name] = self._read(text, scope)
            self._reading.pop()
        values = [self._read(ast.unparse(argument), names) for argument in arguments]
        return self._bodies[name].xreplace(dict(zip(map(symbol, formal), values, strict=True)))


def _terms(tree: ast.expr) -> list[str]:
    """A long sum in parts, since our parser bounds the length of a text."""
    text = ast.unparse(tree)
    if len(text) <= LONGEST_TEXT or not (isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub)):
        return [text]
    parts: list[str] = []
    node: ast.expr = tree
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        parts.append(ast.unparse(node.right if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), node.right)))
        node = node.left
    return [ast.unparse(node), *reversed(parts)]


class _Rewriter(ast.NodeTransformer):
    """Rewrites what only PyDSTool writes; calls of auxiliary functions become names whose values are collected."""

    def __init__(
        self,
        value_of_call: Callable[[str, Sequence[ast.expr], Mapping[str, sympy.Symbol]], sympy.Expr | None],
        names: Mapping[str, sympy.Symbol],
    ) -> None:
        self._value_of_call = value_of_call
        self._names = names
        self.values: dict[str, sympy.Expr] = {}

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return self.visit_Call(ast.Call(ast.Name("where"), [node.test, node.body, node.orelse], []))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name):
            return node
        name = node.func.id.removeprefix("special_").replace("gb_where", "where")
        if name in ("max", "min") and len(node.args) == 1 and isinstance(node.args[0], ast.List):
            node.args = node.args[0].elts
        # The outermost auxiliary call reads its arguments itself, whatever they contain.
        value = self._value_of_call(name, node.args, self._names)
        if value is not None:
            stand_in = f"gb_value{len(self.values)}"
            self.values[stand_in] = value
            return ast.Name(stand_in)
        if name == "where" and node.args:
            node.args[0] = _condition(node.args[0])
        arguments = [self.visit(argument) for argument in node.args]
        template = _REWRITTEN.get((name, len(arguments)))
        if template is not None:
            return ast.parse(template.format(*map(ast.unparse, arguments)), mode="eval").body
        return ast.Call(ast.Name(_RENAMED.get(name, name)), arguments, node.keywords)


def _condition(node: ast.expr) -> ast.expr:
    """Conditions that were joined by arithmetic, for the sake of C, joined by words again."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return ast.BoolOp(ast.And(), [_condition(node.left), _condition(node.right)])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return ast.UnaryOp(ast.Not(), _condition(node.right))
    if isinstance(node, ast.Compare) and _is_condition(node.left):
        parts = []
        rest: ast.expr = node.left
        while isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.Add):
            parts.append(_condition(rest.right))
            rest = rest.left
        return ast.BoolOp(ast.Or(), [_condition(rest), *reversed(parts)]) if parts else _condition(rest)
    return node


def _is_condition(node: ast.expr) -> bool:
    """Whether a part of an arithmetic expression is made of comparisons."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
        return _is_condition(node.left) and _is_condition(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return isinstance(node.left, ast.Constant) and _is_condition(node.right)
    return isinstance(node, ast.Compare)

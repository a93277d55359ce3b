"""Where a right-hand side has kinks: switching functions, and the smooth pieces between their zeros.

abs, sign, min, max and choices each look at the sign of something: a switching function. With these signs held fixed,
as parameters of their own (modes, +1 or -1), the right-hand side is smooth everywhere, also a little beyond the surface
where a switching function vanishes. That is what an integrator of high order needs to meet the surface exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sympy

from gan_bifurcation.expressions import Mean, derivative, parse, symbol
from gan_bifurcation.lowering import Assignment, build
from gan_bifurcation.tape import Tape

if TYPE_CHECKING:
    from gan_bifurcation.system import System

__all__ = ["Frozen", "frozen", "kink_at", "switching_functions"]

_KINKED: Final = (sympy.Abs, sympy.sign, sympy.Min, sympy.Max)
_KEPT: Final = 64
# How far from a place it is looked at what a switching function changes by, and the part of that which is zero.
_BESIDE: Final = 1e-3
_ON_KINK: Final = 1e-3
_made: dict[tuple[str, tuple[str, ...], int], "Frozen"] = {}
_found: dict[str, "tuple[sympy.Expr, ...]"] = {}


@dataclass(frozen=True)
class Frozen:
    """A piece of a system with kinks: its right-hand side for given modes, and what to watch.

    Attributes
    ----------
    tape : Tape
        The right-hand side; inputs are states, parameters and modes.
    watched : Tape
        The events' functions, the switching functions, and on a surface the two speeds off it; of the same inputs.
    switches : int
        How many switching functions there are.
    surface : int
        The switching function on whose zeros the piece slides, or -1. The modes of all others hold.
    """

    tape: Tape
    watched: Tape
    switches: int
    surface: int


def switching_functions(system: "System") -> tuple[sympy.Expr, ...]:
    """Functions of states, parameters and intermediates whose sign the right-hand side looks at.

    Those that depend on parameters alone never change sign and are left out, as are those that depend on a random
    variable inside an expectation, of which there is one for each node.
    """
    key = system.tape.digest
    if key not in _found:
        while len(_found) >= _KEPT:
            _found.pop(next(iter(_found)))
        _found[key] = () if system.smooth else tuple(_collect(system))
    return _found[key]


def kink_at(system: "System", joint: Sequence[float]) -> str:
    """The switching function that vanishes at states and parameters (n + m,), as a text; "" where none does.

    Zero is what is small beside its own change when states and parameters change by a part of their size.
    """
    functions = switching_functions(system)
    if not functions:
        return ""
    tape = build([*system.assignments], [*functions], system.tape.inputs)
    here = tape.evaluate(list(joint))
    changes = [0.0] * len(functions)
    for i, value in enumerate(joint):
        beside = list(joint)
        beside[i] = value + _BESIDE * max(1.0, abs(value))
        changes = [max(c, abs(a - b)) for c, a, b in zip(changes, tape.evaluate(beside), here, strict=True)]
    nearest = min(range(len(functions)), key=lambda k: abs(here[k]) / changes[k] if changes[k] else float("inf"))
    return str(functions[nearest]) if abs(here[nearest]) <= _ON_KINK * changes[nearest] else ""


def frozen(system: "System", events: Sequence[str], surface: int = -1) -> Frozen:
    """The piece of a system for these events' texts; `surface` as in `Frozen`."""
    key = (system.tape.digest, tuple(events), surface)
    if key not in _made:
        while len(_made) >= _KEPT:
            _made.pop(next(iter(_made)))
        _made[key] = _build(system, events, surface)
    return _made[key]


def _collect(system: "System") -> list[sympy.Expr]:
    moving = {symbol(state) for state in system.states}
    for name, expression in system.assignments:
        if expression.free_symbols & moving:
            moving.add(name)
    found: dict[sympy.Expr, None] = {}
    seen: set[sympy.Basic] = set()

    def visit(e: sympy.Basic, columns: frozenset[sympy.Symbol]) -> None:
        if e in seen:
            return
        if not columns:
            seen.add(e)
        inner = columns | frozenset(e.table.columns) if isinstance(e, Mean) else columns
        for part in (e.body,) if isinstance(e, Mean) else e.args:
            visit(part, inner)
        for function in _looks_at(e):
            if function.free_symbols & moving and not function.free_symbols & columns:
                found.setdefault(_canonical(function)[0])

    for expression in (*(e for _, e in system.assignments), *system.rhs_expressions):
        visit(expression, frozenset())
    return list(found)


def _looks_at(e: sympy.Basic) -> Iterable[sympy.Expr]:
    if isinstance(e, sympy.Abs | sympy.sign):
        return [e.args[0]]
    if isinstance(e, sympy.Min | sympy.Max):
        return [a - b for i, a in enumerate(e.args) for b in e.args[i + 1 :]]
    if isinstance(e, sympy.Rel):
        return [e.gts - e.lts] if isinstance(e, sympy.Gt | sympy.Lt | sympy.Ge | sympy.Le) else []
    return []


def _canonical(function: sympy.Expr) -> tuple[sympy.Expr, int]:
    """One form for u and -u, and the sign that leads to it."""
    function = sympy.expand(function)
    return (-function, -1) if function.could_extract_minus_sign() else (function, 1)


class _Freezer:
    """Replaces signs by modes."""

    def __init__(self, functions: Sequence[sympy.Expr], modes: Sequence[sympy.Symbol]) -> None:
        self.modes = dict(zip(functions, modes, strict=True))
        self.done: dict[sympy.Basic, sympy.Basic] = {}

    def mode(self, function: sympy.Expr) -> sympy.Expr | None:
        """The mode of a switching function, turned with its sign; None if it has none."""
        form, sign = _canonical(function)
        return sign * self.modes[form] if form in self.modes else None

    def __call__(self, e: sympy.Basic) -> sympy.Basic:
        if not e.args or not e.has(*_KINKED, sympy.Piecewise):
            return e
        if e not in self.done:
            self.done[e] = self._frozen(e)
        return self.done[e]

    def _frozen(self, e: sympy.Basic) -> sympy.Basic:
        if isinstance(e, Mean):
            return Mean(self(e.body), e.table)
        if isinstance(e, sympy.Abs | sympy.sign):
            mode = self.mode(e.args[0])
            if mode is not None:
                return mode * self(e.args[0]) if isinstance(e, sympy.Abs) else mode
        if isinstance(e, sympy.Min | sympy.Max):
            return self._extreme(e, list(e.args))
        if isinstance(e, sympy.Piecewise):
            return sympy.Piecewise(*((self(value), self._condition(condition)) for value, condition in e.args))
        return e.func(*(self(part) for part in e.args))

    def _extreme(self, e: sympy.Basic, parts: list[sympy.Expr]) -> sympy.Basic:
        first, *others = parts
        if not others:
            return self(first)
        turn = 1 if isinstance(e, sympy.Max) else -1
        modes = [self.mode(first - other) for other in others]
        if any(mode is None for mode in modes):
            return e.func(*(self(part) for part in parts))
        wins = sympy.And(*(turn * mode > 0 for mode in modes if mode is not None))
        return sympy.Piecewise((self(first), wins), (self._extreme(e, others), True))

    def _condition(self, condition: sympy.Basic) -> sympy.Basic:
        if isinstance(condition, sympy.And | sympy.Or | sympy.Not):
            return condition.func(*(self._condition(part) for part in condition.args))
        for function in _looks_at(condition):
            mode = self.mode(function)
            if mode is not None:
                return mode > 0
        return condition


def _build(system: "System", events: Sequence[str], surface: int) -> Frozen:
    functions = switching_functions(system)
    modes = [symbol(f"mode__{k}") for k in range(len(functions))]
    freeze = _Freezer(functions, modes)
    names = {name: symbol(name) for name in system.tape.inputs}
    names.update({name.name: name for name, _ in system.assignments})
    asked = [parse(text, names) for text in events]
    assignments = [(name, freeze(e)) for name, e in system.assignments]
    rhs = [freeze(e) for e in system.rhs_expressions]
    watched = [*asked, *(freeze(function) for function in functions)]
    inputs = (*system.tape.inputs, *(mode.name for mode in modes))
    if surface >= 0:
        assignments, rhs, speeds = _sliding(system, assignments, rhs, watched[len(asked) + surface], modes[surface])
        watched += speeds
    return Frozen(
        build(assignments, rhs, inputs, system.n),
        build(assignments, watched, inputs, system.n),
        len(functions),
        surface,
    )


def _sliding(
    system: "System",
    assignments: list[Assignment],
    rhs: list[sympy.Expr],
    function: sympy.Expr,
    mode: sympy.Symbol,
) -> tuple[list[Assignment], list[sympy.Expr], list[sympy.Expr]]:
    """Filippov's field on a surface: that mixture of the fields of both sides which stays on it."""
    known: dict[sympy.Basic, sympy.Expr] = {}
    for name, e in assignments:
        known[name] = e.xreplace(known)
    function = function.xreplace(known)
    slopes = [derivative(function, symbol(state)) for state in system.states]
    program = list(assignments)
    speeds, fields = [], []
    for side, value in (("above", 1), ("below", -1)):
        renamed = {name: symbol(f"{name.name}__{side}") for name, _ in assignments} | {mode: sympy.Integer(value)}
        program += [(renamed[name], e.xreplace(renamed)) for name, e in assignments]
        field = [symbol(f"{state}__{side}") for state in system.states]
        program += [(name, e.xreplace(renamed)) for name, e in zip(field, rhs, strict=True)]
        speed = symbol(f"speed__{side}")
        program.append((speed, sympy.Add(*(s.xreplace(renamed) * f for s, f in zip(slopes, field, strict=True)))))
        fields.append(field)
        speeds.append(speed)
    share = symbol("share__above")
    program.append((share, speeds[1] / (speeds[1] - speeds[0])))
    mixed = [share * above + (1 - share) * below for above, below in zip(*fields, strict=True)]
    return program, mixed, speeds

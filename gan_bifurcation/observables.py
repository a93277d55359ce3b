"""Functions of states and parameters given as text: events and bounds of the domain, on tapes of their own."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.lowering import build
from gan_bifurcation.tape import Tape

if TYPE_CHECKING:
    import sympy

    from gan_bifurcation.system import System

_KEPT: Final = 64
_tapes: dict[tuple[str, str, tuple[str, ...]], Tape] = {}


def observable_tape(system: "System", texts: Sequence[str]) -> Tape:
    """A tape whose outputs are expressions in the states and parameters of a system.

    Examples
    --------
    >>> from gan_bifurcation.system import System
    >>> flow = System.from_equations("flow", {"x": "y", "y": "-k*x"}, parameters={"k": 4.0})
    >>> observable_tape(flow, ["y**2/2 + k*x**2/2"]).evaluate([1.0, 2.0, 4.0])
    [4.0]
    """
    return _built(system, "only", tuple(texts))


def number(tape: Tape, inputs: Sequence[float]) -> float:
    """The first output of a tape; not a number where it is not defined, as the logarithm of a negative number is not.

    >>> from gan_bifurcation.system import System
    >>> flow = System.from_equations("flow", {"x": "-x"})
    >>> number(observable_tape(flow, ["log(x)"]), [-1.0])
    nan
    """
    try:
        return float(tape.evaluate(inputs)[0])
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def guarded_tape(system: "System") -> Tape:
    """The right-hand side of a system, followed by the bounds of its domain (not negative inside)."""
    if not system.domain:
        return system.tape
    return _built(system, "after the right-hand side", tuple(text for text, _ in system.domain))


def domain_tape(system: "System") -> Tape:
    """The states themselves, followed by the bounds of the domain: a map that stands still and looks whether it may."""
    return _built(system, "after the states", tuple(text for text, _ in system.domain))


def _built(system: "System", mode: str, texts: tuple[str, ...]) -> Tape:
    key = (system.tape.digest, mode, texts)
    if key not in _tapes:
        names = {name: symbol(name) for name in system.tape.inputs}
        # A tied parameter is an intermediate value of the right-hand side; bounds may still speak of it.
        names.update({s.name: s for s, _ in system.assignments})
        first: Sequence[sympy.Expr] = ()
        if mode == "after the right-hand side":
            first = system.rhs_expressions
        elif mode == "after the states":
            first = [symbol(state) for state in system.states]
        outputs = [*first, *(parse(text, names) for text in texts)]
        while len(_tapes) >= _KEPT:
            _tapes.pop(next(iter(_tapes)))
        _tapes[key] = build(system.assignments, outputs, system.tape.inputs, system.n)
    return _tapes[key]

"""Where a bifurcation set begins: the equilibria that are given, known or found by a search."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.equilibria import damped_newton, find_equilibria
from gan_bifurcation.continuation.problem import compute_spectrum
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.evaluation import make_evaluator, value
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

_STARTS: Final = 16
# Where in the window to look for an equilibrium, if there is none at the system's own parameters; a second parameter
# takes twice the part.
_ELSEWHERE: Final = (0.8, 0.3, 0.95, 0.1)
# Beyond this many states, a search would look at a vanishing part of the space.
MOST_SEARCHED: Final = 40
# On a plateau the field is rounding and its derivative vanishes as well: no equilibrium, wherever Newton's method ends.
_FLAT: Final = 1e-8


def placed(system: System, window: Window, fractions: Sequence[float] | None = None) -> System:
    """The system at fractions of the window; without them, at its own parameters as far as these lie in the window."""
    if fractions is not None:
        return system.with_parameters(**window.values(list(fractions)))
    return system.with_parameters(
        **{
            name: (system.parameters[name] if system.parameters[name] in r else r.from_unit(0.5))
            for name, r in window.ranges.items()
        }
    )


def starting_points(
    system: System,
    window: Window,
    start: Any,
    box: Mapping[str, Any] | None,
    seed: int,
    needed: bool = True,
    starts: int = _STARTS,
) -> tuple[list[Point], str]:
    """Equilibria inside the window to trace from, and what the search left unexplored.

    Those given come first, then the known one, then what a search finds.

    Raises
    ------
    MisuseError
        If there is none although one is needed.
    """
    inside = placed(system, window)
    found: list[Point] = []
    # Angles that differ by whole turns are the same.
    turns = np.array([system.periods.get(state, np.inf) for state in system.states])

    def known(p: Point, x: FloatArray) -> bool:
        winds = np.round((x - p.x) / turns)
        return same_state(p.x, x - winds * np.where(np.isfinite(turns), turns, 0.0))

    def keep(x: FloatArray, at: System = inside) -> None:
        if all(p.system.parameters != at.parameters or not known(p, x) for p in found) and in_domain(at, x):
            found.append(Point(at, x, compute_spectrum(at, x)))

    for p in _given(start, inside.n):
        x, _, converged = damped_newton(inside, p.x if isinstance(p, Point) else inside.state_vector(p))
        if not converged:
            raise MisuseError("A start is no equilibrium at its parameters; take one from gb.point.")
        keep(x)
    guess = inside.equilibrium_guess()
    if guess is not None:
        keep(damped_newton(inside, guess)[0])
    said = f"Equilibria were not searched for, since {inside.n} states are too many."
    if inside.n <= MOST_SEARCHED:
        points, said = searched(inside, box, seed, starts)
        for p in points:
            keep(p.x)
    # What is no equilibrium at one place, or a degenerate one, may be one elsewhere in the window.
    for other in _ELSEWHERE if not found else ():
        there = placed(system, window, [(f * (k + 1)) % 1.0 for k, f in enumerate([other] * window.dimension)])
        guess = there.equilibrium_guess()
        if guess is not None:
            x, _, converged = damped_newton(there, guess)
            if converged:
                keep(x, there)
        if inside.n <= MOST_SEARCHED and not found:
            for p in searched(there, box, seed, starts)[0]:
                keep(p.x, there)
        if found:
            break
    if not found and needed:
        raise MisuseError(
            f"'{system.name}' has no known equilibrium in this window and a search found none; give "
            "start=gb.point(system, guess); a regime map can also be made by runs alone, with initial=state."
        )
    return found, said


def _given(start: Any, n: int) -> list[Any]:
    """One start or several; a plain list of numbers is one state, unless there is only one number in a state."""
    if start is None:
        return []
    several = isinstance(start, Sequence) and (n == 1 or not all(isinstance(s, Real) for s in start))
    return list(start) if several else [start]


def searched(system: System, box: Mapping[str, Any] | None, seed: int, starts: int) -> tuple[list[Point], str]:
    """What a search finds, without points of plateaus and of manifolds; and what it says of itself."""
    found = find_equilibria(system, box, starts=starts, seed=seed)
    plain = [p for p in found.points if not p.note]
    usual = _usual_slope(system, seed) if plain else 0.0
    return [p for p in plain if _slope(system, p.x) > _FLAT * usual], f"Search: {found.unexplored}"


def _slope(system: System, x: FloatArray) -> float:
    """The largest derivative of what vanishes at an equilibrium."""
    a = system.jacobian(x)[:, : system.n] - (np.eye(system.n) if system.kind == "map" else 0.0)
    return float(np.max(np.abs(a)))


def _usual_slope(system: System, seed: int) -> float:
    """The same at random states, in the middle of those where it is finite."""
    states = np.random.default_rng(seed).standard_normal((9, system.n))
    slopes = [slope for slope in (_slope(system, x) for x in states) if np.isfinite(slope)]
    return float(np.median(slopes)) if slopes else 0.0


def in_domain(system: System, x: FloatArray) -> bool:
    """Whether a state lies inside the system's domain."""
    if not system.domain:
        return True
    tape = observable_tape(system, [text for text, _ in system.domain])
    values = np.empty(len(system.domain))
    value(make_evaluator(tape.data, 1, len(values), 0), np.concatenate([x, system.parameter_vector()]), values)
    return bool(np.all(values >= -1e-9))


def same_state(x: FloatArray, y: FloatArray, tolerance: float = 1e-6) -> bool:
    """Whether two states agree, relative to their size."""
    return bool(np.max(np.abs(x - y)) <= tolerance * (1.0 + np.max(np.abs(x))))

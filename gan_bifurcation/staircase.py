"""Rotation numbers over a parameter: the devil's staircase, with its steps recognised.

Between the steps the rotation number of an orbit grows continuously; on a step the orbit is locked to a cycle of q
iterations that goes round p times, all over an interval of the parameter (a section through an Arnold tongue).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import lanes
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.observables import guarded_tape
from gan_bifurcation.ranges import as_range
from gan_bifurcation.rotation import angles, of_angles, weights
from gan_bifurcation.system import System

__all__ = ["LockedInterval", "Staircase", "rotation_numbers"]

FloatArray = NDArray[np.float64]

_NUMBERS: Final = 4_000_000
_BOUND: Final = 1e12
# A cycle comes back to within so much of the orbit's range, or has come nearer than that tenfold since the beginning.
_BACK: Final = 1e-7
_HALVINGS: Final = 40
# Lengths that a turn may have, and one that none has.
_TURNS: Final = (1.0, np.pi, 2.0 * np.pi, 360.0)
_NO_TURN: Final = 0.618034


@dataclass(frozen=True)
class LockedInterval:
    """A step of the staircase.

    Attributes
    ----------
    turns, iterations : int
        The rotation number is turns / iterations.
    low, high : float
        Ends in the parameter; ends of the range where the step goes on beyond.
    """

    turns: int
    iterations: int
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True, eq=False)
class Staircase:
    """Rotation numbers over a parameter.

    Attributes
    ----------
    system : System
    parameter : str
    values : array (N,)
    rotation : array (N,)
        Turns per iteration; not a number where the orbit does not go round or leaves.
    error : array (N,)
        Differences of averages over the whole orbit and over its half.
    locked : tuple of LockedInterval
        In the order of the parameter.
    """

    system: System
    parameter: str
    values: FloatArray
    rotation: FloatArray
    error: FloatArray
    locked: tuple[LockedInterval, ...]

    @property
    def locked_share(self) -> float:
        """The part of the range that the steps found take."""
        return sum(step.width for step in self.locked) / float(self.values[-1] - self.values[0])


def rotation_numbers(
    system: System,
    free: Mapping[str, Any],
    initial: Any,
    *,
    points: int = 400,
    steps: int = 4000,
    most_iterations: int = 40,
    edge: float = 1e-8,
) -> Staircase:
    """Rotation numbers of orbits of a map over a parameter, by simulation, with the intervals where they are locked.

    Parameters
    ----------
    system : System
        A map, with an invariant circle or a state that is an angle. Which states are is told by `System.periods`; if
        nothing is, those are after whose turn of 1, pi, 2 pi or 360 the map is as before.
    free : mapping of parameter to (low, high) or ``gb.log_range(low, high)``
    initial : mapping or array (n,)
        Where each orbit starts.
    points : int
        Values of the parameter.
    steps : int
        Iterations that are averaged over, after as many that are left out.
    most_iterations : int
        The longest cycles that are recognised as steps.
    edge : float
        To what part of the range the ends of steps are located by halving. An orbit leaves a cycle ever more slowly
        near its ends, so that their error is also about 10 / steps**2 of the range.

    Returns
    -------
    Staircase

    Raises
    ------
    MisuseError
        If a name or number does not fit, or no orbit goes round.

    Examples
    --------
    >>> circle = System.from_equations(
    ...     "map", {"x": "x + w - k/(2*pi)*sin(2*pi*x)"}, parameters={"w": 0.0, "k": 0.9}, periods={"x": 1.0}
    ... )
    >>> stairs = rotation_numbers(circle, {"w": (0.0, 1.0)}, {"x": 0.2}, points=60, steps=1000)
    >>> stairs.locked[0].iterations, round(stairs.locked[0].high, 5), round(0.9 / (2 * np.pi), 5)
    (1, 0.14324, 0.14324)
    """
    if not isinstance(system, System):
        raise MisuseError(f"Rotation numbers are those of a System, got {type(system).__name__}.")
    if system.kind != "map":
        raise MisuseError(f"Rotation numbers are those of a map, got the flow '{system.name}'; take its gb.poincare.")
    if len(free) != 1:
        raise MisuseError(f"Rotation numbers are taken over one parameter, got {len(free)}.")
    numbers = all(isinstance(v, int | np.integer) for v in (points, steps, most_iterations))
    if not numbers or points < 2 or steps < 128 or most_iterations < 1 or not 0.0 < edge < 1.0:
        raise MisuseError(
            "Expected whole numbers, 2 points or more, 128 steps or more, cycles of 1 or more, and 0 < edge < 1."
        )
    ((name, pair),) = free.items()
    column, window = system.parameter_index(name), as_range(pair)
    x = system.state_vector(initial)
    values = np.array([window.from_unit(u) for u in np.linspace(0.0, 1.0, points)])
    look = _Look(system, column, x, steps, most_iterations)
    rotation, error, cycle = look(values)
    if not np.isfinite(rotation).any():
        raise MisuseError(
            f"No orbit of '{system.name}' from this state goes round: they leave, or settle on fixed points, or a "
            "state is an angle and it is not known; start elsewhere, or name it by periods={'state': length of a turn}."
        )
    locked: list[LockedInterval] = []
    groups = [k for k in range(points) if cycle[k] and (k == 0 or not _same(cycle, rotation, k - 1, k))]
    ends = []
    for first in groups:
        last = first
        while last + 1 < points and _same(cycle, rotation, first, last + 1):
            last += 1
        ends.append((first, last))
    # All ends are halved together: inside and outside.
    inside = np.array([values[k] for pair_of in ends for k in pair_of])
    outside = np.array([values[k] for a, b in ends for k in (max(a - 1, 0), min(b + 1, points - 1))])
    whole = np.array(
        [(cycle[a], round(float(rotation[a]) * int(cycle[a]))) for a, _ in ends for _ in range(2)], dtype=int
    )
    small = edge * abs(float(values[-1] - values[0]))
    for _ in range(_HALVINGS):
        wide = np.flatnonzero(np.abs(outside - inside) > small)
        if len(wide) == 0:
            break
        middle = 0.5 * (inside[wide] + outside[wide])
        rho, _, found = look(middle)
        turns = np.rint(np.nan_to_num(rho) * whole[wide, 0])
        stays = (found == whole[wide, 0]) & (turns == whole[wide, 1])
        inside[wide[stays]], outside[wide[~stays]] = middle[stays], middle[~stays]
    for k in range(len(ends)):
        q, p = whole[2 * k]
        locked.append(LockedInterval(int(p), int(q), float(inside[2 * k]), float(inside[2 * k + 1])))
    return Staircase(system, name, values, rotation, error, tuple(locked))


def _same(cycle: NDArray[np.int64], rotation: FloatArray, a: int, b: int) -> bool:
    return bool(cycle[a] == cycle[b] != 0 and abs(rotation[a] - rotation[b]) < 0.5 / cycle[a])


def _found_turns(system: System, x: FloatArray) -> FloatArray:
    """The length of a turn of each state (n,) of a map that is the same after it; infinite where there is none."""
    places = x + np.random.default_rng(0).standard_normal((4, system.n))

    def same_after(state: int, turn: float) -> bool:
        shift = np.zeros(system.n)
        shift[state] = turn
        change = [system.rhs(place + shift) - system.rhs(place) for place in places]
        return bool(np.max(np.abs(np.array(change) - shift)) < 1e-9 * turn)

    # After any length at all, a state only drifts along.
    return np.array(
        [
            next((turn for turn in _TURNS if same_after(i, turn)), np.inf) if not same_after(i, _NO_TURN) else np.inf
            for i in range(system.n)
        ]
    )


class _Look:
    """Runs orbits at values of the parameter: rotation numbers, their errors, and lengths of cycles (0: none)."""

    def __init__(self, system: System, column: int, x: FloatArray, steps: int, most_iterations: int) -> None:
        self.system, self.column, self.x, self.steps = system, column, x, steps
        self.most = min(most_iterations, steps // 3)
        self.tape = guarded_tape(system)
        self.turns = np.array([system.periods.get(state, np.inf) for state in system.states])
        if not system.periods:
            self.turns = _found_turns(system, x)

    def __call__(self, values: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        batch = max(1, _NUMBERS // ((self.steps + 1) * self.system.n))
        parts = [self._some(values[k : k + batch]) for k in range(0, len(values), batch)]
        if not parts:
            return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
        rotation, error, cycle = (np.concatenate(part) for part in zip(*parts, strict=True))
        return rotation, error, cycle

    def _some(self, values: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        cells, n = len(values), self.system.n
        p = np.repeat(self.system.parameter_vector()[None], cells, axis=0)
        p[:, self.column] = values
        x = np.repeat(self.x[None], cells, axis=0)
        scratch = lanes.make_lane_scratch(self.tape, n, cells)
        low, high, ahead = np.zeros((3, cells, n))
        exits = np.zeros((cells, 2), dtype=np.int64)
        record = np.zeros((cells, n, self.steps + 1))
        for kept in (np.zeros((cells, n, 0)), record):
            lanes.sweep(
                self.tape.by_kind, self.system.iterations, x, p, self.steps, _BOUND, scratch, low, high, ahead, exits,
                kept, 1,
            )  # fmt: skip
        rotation, error = np.full((2, cells), np.nan)
        cycle = np.zeros(cells, dtype=np.int64)
        for k in np.flatnonzero(exits[:, 1] == lanes.INSIDE).tolist():
            rotation[k], error[k], cycle[k] = self._one(record[k])
        return rotation, error, cycle

    def _one(self, states: FloatArray) -> tuple[float, float, int]:
        q = self._cycle(states)
        steps = np.diff(states, axis=1) / self.turns[:, None]
        moves = np.abs(steps.mean(axis=1))
        if np.isfinite(self.turns).any():
            angle = int(moves.argmax())
            seen = steps[angle]
            half = len(seen) // 2
            rate = float(weights(len(seen)) @ seen)
            error = abs(rate - float(weights(half) @ seen[:half]))
        else:
            try:
                found = of_angles(angles(states.T))
            except MisuseError:
                return float("nan"), float("nan"), 0
            rate, error = found.value, found.error
        if q:
            rate = float(Fraction(round(rate * q), q))
        return rate, error, q

    def _cycle(self, states: FloatArray) -> int:
        """The length of the cycle that the orbit has come to; 0 where there is none."""
        finite = np.isfinite(self.turns)
        size = np.where(finite, self.turns, np.maximum(np.ptp(states, axis=1), 1e-300))
        for q in range(1, self.most + 1):
            if self._miss(states[:, -1] - states[:, -1 - q], finite, size) > 1e-2:
                continue
            late = self._miss(states[:, -q:] - states[:, -2 * q : -q], finite, size)
            early = self._miss(states[:, q : 2 * q] - states[:, :q], finite, size)
            if late < _BACK or (late < 1e-3 and late < 0.1 * early):
                return q
        return 0

    def _miss(self, change: FloatArray, finite: NDArray[np.bool_], size: FloatArray) -> float:
        change = change.reshape(len(size), -1) / size[:, None]
        whole = np.where(finite[:, None], np.rint(change), 0.0)
        return float(np.abs(change - whole).max())

"""Where circles turn back, lose or gain stability, and how."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_conditions import is_fold
from gan_bifurcation.continuation.circle_newton import Direction, Plane
from gan_bifurcation.continuation.circle_solver import Found, Solver

# Above this frames do not tell what a critical multiplier does.
_COARSE: Final = 1e-3
_REAL: Final = 1e-6
_AT_ONE: Final = 1e-3
_LEVEL: Final = 1e-4
_ROUNDING: Final = 1e-9
# Nodes beyond which circles are about to break up: nothing is located between them.
_RESOLVED: Final = 315
# What a critical direction does: the label, and what happens there.
_WORDS: Final = {
    "folds": ("LP", "two circles meet and vanish"),
    "keeps": ("BP", "a multiplier is 1 and the branch does not turn: other circles branch off"),
    "reverses": ("PD", "a multiplier is -1: two circles start here that are mapped to each other"),
    "doubles": ("PD", "the critical direction closes after two turns: a circle of twice the length starts here"),
    "turns": ("NS", "a pair of multipliers has modulus 1: a torus starts here"),
    "unknown": ("SC", "a multiplier crosses the unit circle in a way that the linearisation does not show clearly"),
}


class _Chord:
    """The circles between two of a branch, by their share of the distance."""

    def __init__(self, solver: Solver, a: Found, b: Found) -> None:
        self.solver = solver
        problem = solver.problem
        self.a, self.b = a.circle, b.circle
        size = max(len(self.a.u), len(self.b.u))
        one, two = self.a.resized(size), self.b.resized(size)
        s0, s1 = problem.scalars(self.a), problem.scalars(self.b)
        self.size, self.across, self.row = size, (two.u - one.u) / problem.scale**2, s1 - s0
        self.ends = [
            float(np.mean(np.sum(self.across * c.u, axis=1)) + self.row @ s) for c, s in ((one, s0), (two, s1))
        ]
        self.known: dict[float, Found] = {0.0: a, 1.0: b}

    def at(self, share: float) -> Found:
        """The circle there; an ArithmeticError where there is none."""
        if share not in self.known:
            guess = self.solver.interpolated(self.a, self.b, share)
            target = self.ends[0] + share * (self.ends[1] - self.ends[0])
            across = self.across if len(guess.u) == self.size else None
            new = self.solver.solved(guess, Plane(across, self.row, target))
            if new is None:
                raise ArithmeticError
            self.known[share] = new
        return self.known[share]

    def root(self, value: Callable[[Found], float]) -> float | None:
        """Where a value of circles vanishes; None where it does not, or a circle on the way was not found."""
        # A trace that begins at such a circle has it at one end, on neither side within rounding.
        for share in (0.0, 1.0):
            if abs(value(self.known[share])) < _ROUNDING:
                return share
        try:
            found = scipy.optimize.brentq(lambda share: value(self.at(share)), 0.0, 1.0, xtol=1e-12, rtol=1e-12)
            self.at(float(found))
        except (ArithmeticError, ValueError):
            return None
        return float(found)


def changes_between(solver: Solver, a: Found, b: Found, tangents: tuple[Direction, Direction]) -> list[Point]:
    """Where the branch turns back and where a multiplier crosses the unit circle, between two circles.

    Parameters
    ----------
    solver : Solver
    a, b : Found
    tangents : pair of Direction
        Of the branch there.

    Returns
    -------
    list of Point
        With `index` from 0 to 1.
    """
    chord = _Chord(solver, a, b)
    found: list[Point] = []
    before, after = (float(t.s[-1]) for t in tangents)
    resolved = min(len(a.circle.u), len(b.circle.u)) <= _RESOLVED
    turned = solver.problem.moves_rho and before * after < 0.0
    if turned and resolved:
        share = chord.root(lambda f: float(solver.problem.tangent(f.circle, tangents[0]).s[-1]))
        critical = 0.0j if share is None else _nearest(chord.at(share).multipliers)
        # Where circles are hardly resolved the branch seems to turn anywhere; at a fold a multiplier is 1.
        if share is not None and abs(critical - 1.0) < _AT_ONE:
            found.append(_point(solver, chord.at(share), share, "folds", critical))
    low, high = sorted((a.unstable, b.unstable))
    k = low
    while k < high:

        def margin(f: Found, k: int = k) -> float:
            return float(np.abs(f.multipliers[k])) - 1.0

        share = chord.root(margin) if resolved else None
        if share is None:
            # Known to lie between the two: better said with less digits than not at all.
            end = b if b.unstable > a.unstable else a
            way = _way(solver, end, k)
            if way == "keeps" and turned:
                way = "folds"
            point = _point(solver, end, 0.5, way, complex(end.multipliers[k]))
            found.append(replace(point, note=f"{point.note} It was not located closer than between two circles."))
        else:
            here = chord.at(share)
            way = _way(solver, here, k)
            if way == "keeps" and _turns_back(solver, here, tangents[0]):
                way = "folds"
            fold = any(p.label == "LP" and abs(p.index - share) < 1e-2 for p in found)
            if not (way in ("keeps", "folds") and fold):
                found.append(_point(solver, here, share, way, complex(here.multipliers[k])))
        # A pair crosses at once.
        k += 2 if way == "turns" else 1
    return found


def _turns_back(solver: Solver, here: Found, like: Direction) -> bool:
    """Whether the branch over one parameter turns back at a circle with a multiplier 1."""
    if not solver.problem.moves_rho:
        return is_fold(solver.problem, here.circle)
    return abs(float(solver.problem.tangent(here.circle, like).s[-1])) < _LEVEL


def _nearest(multipliers: NDArray[np.complex128]) -> complex:
    return complex(multipliers[np.argmin(np.abs(multipliers - 1.0))]) if len(multipliers) else 1.0 + 0.0j


def _way(solver: Solver, found: Found, k: int) -> str:
    """What the direction of a critical multiplier does along the circle."""
    if found.circle.frames.defect > _COARSE:
        return solver.problem.growth(found.circle).leading if k == 0 else "unknown"
    value = found.multipliers[k]
    if abs(value.imag) > _REAL:
        return "turns"
    return "keeps" if value.real > 0.0 else "reverses"


def _point(solver: Solver, found: Found, share: float, way: str, critical: complex) -> Point:
    label, words = _WORDS[way]
    point = solver.point(found.circle)
    if way == "reverses":
        critical = complex(-abs(critical))
    return replace(point, label=label, critical=critical, index=share, note=f"{words[0].upper()}{words[1:]}.")

"""Marching along a curve: the compiled tracer in chunks, as an iterator; stopping and recording live outside."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _tracer
from gan_bifurcation.continuation._linear_algebra import reduced_spectrum
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.errors import MisuseError, Outcome

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

CHUNK: Final = 256


@dataclass(frozen=True)
class StepControl:
    """Step sizes in units of the scaled unknowns (a window has length 1).

    Attributes
    ----------
    first, smallest : float
    largest : float
        No unknown moves further in one step: parameters in units of their window, states relative to their size (at
        least 1).
    angle : float
        Largest angle between consecutive tangents, radians.
    limit : float
        The branch ends where a scaled state exceeds this.
    """

    first: float = 5e-3
    smallest: float = 1e-9
    largest: float = 3e-2
    angle: float = 0.25
    limit: float = 1e6

    def __post_init__(self) -> None:
        if not 0.0 < self.smallest <= self.first <= self.largest:
            raise MisuseError(
                f"Step sizes must satisfy 0 < smallest <= first <= largest, got {self.smallest:g}, "
                f"{self.first:g}, {self.largest:g}."
            )


class Jump(Exception):  # noqa: N818 -- news, no error
    """Raised by a scan where two consecutive points lie on different curves; `interval` is the first one's position."""

    def __init__(self, interval: int) -> None:
        super().__init__(interval)
        self.interval = interval


@dataclass(frozen=True, eq=False)
class Strip:
    """Consecutive points of a curve in scaled unknowns.

    Attributes
    ----------
    u, t : array (N, unknowns)
        Points and unit tangents.
    spectra : complex array (N, reduced)
    structural : array (N,)
    signs : array (N,)
        Sign of the determinant of [Jacobian; tangent]: changes at branch points.
    """

    u: FloatArray
    t: FloatArray
    spectra: ComplexArray
    structural: FloatArray
    signs: FloatArray

    def __len__(self) -> int:
        return len(self.u)

    def slice(self, part: slice) -> "Strip":
        return Strip(self.u[part], self.t[part], self.spectra[part], self.structural[part], self.signs[part])


def join(strips: list[Strip]) -> Strip:
    """One strip after the other."""
    return Strip(
        np.concatenate([s.u for s in strips]),
        np.concatenate([s.t for s in strips]),
        np.concatenate([s.spectra for s in strips]),
        np.concatenate([s.structural for s in strips]),
        np.concatenate([s.signs for s in strips]),
    )


def record(problem: CurveProblem, u: FloatArray, previous: FloatArray) -> Strip | None:
    """A single point as a strip, its tangent on the side of `previous`; None where the tangent is not unique."""
    sign = _tracer.correct(problem.state, np.array(u, dtype=float), previous, 0.0, 0, 0.0)
    return None if sign == 0 else strip_here(problem, u, problem.arrays.tangent, float(sign))


def strip_here(problem: CurveProblem, u: FloatArray, t: FloatArray, sign: float) -> Strip:
    """The point just evaluated as a strip."""
    linear, rest = problem.linear_split
    spectrum = reduced_spectrum(problem.arrays.j, linear, rest)
    c = problem.arrays.j[linear[0], linear[0]] if len(linear) else np.nan
    return Strip(u[None].copy(), t[None].copy(), spectrum[None], np.array([c]), np.array([sign]))


def start_tangent(problem: CurveProblem, u: FloatArray) -> tuple[FloatArray, int]:
    """A unit tangent at a point of the curve, and the dimension of the null space of the Jacobian (1 if regular).

    Rank is read from the gap of the singular values: relative to the largest, below 1e-9 is zero.
    """
    _, d = problem.residual(u)
    # Equations in their own units; an equation that says nothing stays zero.
    sizes = np.abs(d).max(axis=1, initial=0.0)[:, None]
    sizes[sizes == 0.0] = 1.0
    _, s, right = np.linalg.svd(d / sizes)
    nullity = problem.size - int(np.sum(s > 1e-9 * max(s[0], 1e-300)))
    return right[-1], nullity


def undetermined(problem: CurveProblem, u: FloatArray, t: FloatArray) -> bool:
    """Whether rounding alone decides where the curve goes on: on a manifold of solutions that nothing holds.

    Rounding of the equations moves a solution by its size over the least singular value of [D; t]. If that value is
    another one there, it is no property of the curve, and neither is the sign of the determinant.
    """
    d = _in_units(problem, u, t)
    if not np.isfinite(d).all():
        return True
    rows = np.abs(d).max(axis=1)
    faint = rows < _FAINT * rows.max()
    if faint.any() and rows.min() > 0.0:
        # Slow equations beside fast ones, or rounding of what should be zero, which is another one nearby.
        generic = np.sin(np.arange(1.0, len(u) + 1.0))
        beside = _in_units(problem, u + _FARTHEST * generic * np.maximum(1.0, np.abs(u)), t)
        if not np.all(np.abs(beside - d).max(axis=1)[faint] <= 0.5 * rows[faint]):
            return True
    else:
        rows[:] = 1.0
    _, s, right = np.linalg.svd(d / rows[:, None])
    least, largest = float(s[-1]), float(s[0])
    if not least > _ZERO * largest:
        return True
    moved = _EPS * (1.0 + float(np.abs(u).max())) / least
    if moved < _CERTAIN:
        return False
    there = _in_units(problem, u + min(moved, _FARTHEST) * right[-1], t) / rows[:, None]
    if not np.isfinite(there).all():
        return True
    return not abs(float(np.linalg.svd(there, compute_uv=False)[-1]) - least) < 0.5 * least


_EPS: Final = 2.0**-52
_ZERO: Final = 1e-13
_FAINT: Final = 1e-10
_CERTAIN: Final = 1e-9
_FARTHEST: Final = 1e-3


def _in_units(problem: CurveProblem, u: FloatArray, t: FloatArray) -> FloatArray:
    """[D; t], equations in units of their states."""
    d = problem.bordered(u, t)
    d[: problem.system.n] /= problem.scale[:, None]
    return d


def project(problem: CurveProblem, guess: FloatArray, row: FloatArray) -> Strip | None:
    """The point of the curve in the plane through `guess` with normal `row`."""
    u, ok = problem.newton(guess, row, float(row @ guess))
    return record(problem, u, row) if ok else None


def march(problem: CurveProblem, start: Strip, control: StepControl) -> Iterator[tuple[Strip, int]]:
    """Yield chunks of points from a start (whose tangent gives the direction) until the curve ends, with the reason.

    Yields
    ------
    (strip, reason)
        Reasons as in `_tracer`: FULL while it goes on.
    """
    u, t = start.u[-1].copy(), start.t[-1].copy()
    step = np.array([control.first, control.smallest, control.largest, np.cos(control.angle)])
    size, reduced = problem.size, start.spectra.shape[1]
    # A first look: what surrounds a chunk costs as much as a hundred points of two states, or a few of many.
    chunk = min(CHUNK, max(16, 512 // size))
    while True:
        points, tangents = np.empty((chunk, size)), np.empty((chunk, size))
        spectra, structural, signs = np.empty((chunk, reduced), complex), np.empty(chunk), np.empty(chunk)
        count, reason = _tracer.trace_chunk(
            problem.state, u, t, step, points, tangents, spectra, structural, signs, control.limit
        )
        yield Strip(points[:count], tangents[:count], spectra[:count], structural[:count], signs[:count]), reason
        if reason != _tracer.FULL:
            return
        chunk = CHUNK


def outcome_of(reason: int, control: StepControl, where: str) -> Outcome:
    """The sentence for a reason of `march`."""
    if reason == _tracer.LEFT_WINDOW:
        return Outcome("window", f"Reached the edge of the window at {where}.", True)
    if reason == _tracer.TOO_LARGE:
        return Outcome(
            "too large",
            f"A state exceeded {control.limit:g} at {where}; the branch goes to infinity or needs a larger limit.",
            True,
        )
    return Outcome(
        "step too small",
        f"The corrector failed at {where} down to the smallest step {control.smallest:g}; the curve ends or is "
        "not smooth there "
        "(a domain edge, a kink): try a smaller window, or smallest= in StepControl.",
        False,
    )

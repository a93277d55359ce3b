"""Branches of invariant circles of maps.

In one parameter the smooth circles are a Cantor set: near rational rotation numbers the map on the circle locks. The
trace therefore steps to noble rotation numbers and records the tongues that it passes over with both their edges.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.circle_curves import LABELS, trace_curve
from gan_bifurcation.continuation.circle_newton import Direction
from gan_bifurcation.continuation.circle_solver import Found, Solver
from gan_bifurcation.continuation.circle_starts import natural_sizes
from gan_bifurcation.continuation.circle_steps import CONTROL, Stepper
from gan_bifurcation.continuation.circle_waves import highest_mode, resampled
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# Special points closer than this, in units of the window, are one.
_SAME: Final = 1e-6


def trace(
    start: Point | ProfileStart,
    windows: dict[str, Range],
    at: Sequence[float],
    ends: Ends,
    events: Sequence[Event],
    control: StepControl | None,
    coefficients: bool,
) -> Branch:
    """Trace invariant circles over one parameter, or over two at fixed rotation number (called by `gb.trace`)."""
    if start.profile is None:
        raise MisuseError("This point has no circle; take a point of a branch of circles.")
    if events:
        raise MisuseError("Events are located on branches of fixed points; leave events= out for circles.")
    if isinstance(start, ProfileStart) and start.parameter and start.parameter not in windows:
        raise MisuseError(
            f"This start was computed for the parameter '{start.parameter}', got {', '.join(windows)}; free it."
        )
    if len(windows) == 2 and isinstance(start, Point) and start.label in LABELS:
        if at:
            raise MisuseError("at= gives values of the one free parameter of a branch, but a curve has two.")
        return trace_curve(start, windows, ends, control or CONTROL)
    tracer = Stepper(start.system, windows, natural_sizes(start.profile.states), ends, control or CONTROL)
    born = isinstance(start, ProfileStart) and start.direction is not None
    if born and len(windows) == 2:
        raise MisuseError(
            "This start gives a branch of one free parameter, got two; trace it in one, then take one of its circles "
            "(for fixed rotation number) or a labelled one (for its curve)."
        )
    first = tracer.first(start, born)
    if born:
        assert isinstance(start, ProfileStart)
        assert start.direction is not None
        ahead = Direction(resampled(start.direction, len(first.circle.u)), np.zeros(2))
        tangent = tracer.problem.tangent(first.circle, ahead)
    else:
        tangent = tracer.begun(first)
    forward = tracer.follow(first, tangent)
    begun = Outcome("start", f"Started at {tracer.where(first.circle)}.", True)
    if born:
        found, points, outcome = forward.found, forward.points, (begun, forward.outcome)
    else:
        backward = tracer.follow(first, -tangent)
        count = len(backward.found)
        found = backward.found[::-1] + forward.found[1:]
        points = [replace(p, index=count - 1 - p.index) for p in reversed(backward.points)]
        points += [replace(p, index=p.index + count - 1) for p in forward.points]
        outcome = (backward.outcome, forward.outcome)
    points += tracer.wanted(found, at)
    points = _once(sorted(points, key=lambda p: p.index), windows)
    return _branch(tracer, found, points, outcome)


def _once(points: list[Point], windows: dict[str, Range]) -> list[Point]:
    """What a start lies on exactly is met on both sides of it."""
    kept: list[Point] = []
    for p in points:
        near = (q for q in kept[-2:] if q.label == p.label and p.label != "UZ" and abs(q.index - p.index) < 1.0)
        if not any(
            max(abs(w.to_unit(p.parameters[k]) - w.to_unit(q.parameters[k])) for k, w in windows.items()) < _SAME
            for q in near
        ):
            kept.append(p)
    return kept


def _branch(tracer: Stepper, found: list[Found], points: list[Point], outcome: tuple[Outcome, Outcome]) -> Branch:
    """All as a branch."""
    from gan_bifurcation.continuation.trace import _numbered

    problem = tracer.problem
    circles = [f.circle for f in found]
    if tracer.problem.moves_rho and circles[0].q[0] > circles[-1].q[0]:
        circles, outcome = circles[::-1], outcome[::-1]
        points = [replace(p, index=len(circles) - 1 - p.index) for p in reversed(points)]
        found = found[::-1]
    measures = columns(tracer, found)
    return Branch(
        problem.system, tuple(problem.free), "circles", np.array([problem.values(c.q) for c in circles]),
        np.array([c.u[0] for c in circles]), np.array([np.concatenate([[1.0 + 0.0j], f.multipliers]) for f in found]),
        np.array([f.unstable for f in found], dtype=np.int64), tuple(_numbered(points)), outcome, False, measures,
        profiles=tuple(tracer.profile(c) for c in circles),
    )  # fmt: skip


def columns(solver: Solver, found: Sequence[Found]) -> dict[str, FloatArray]:
    """The measures of circles."""
    problem = solver.problem
    circles = [f.circle for f in found]
    extremes = [_extremes(c.u) for c in circles]
    return {
        "rotation_number": np.array([c.rho for c in circles]),
        **{f"min_{s}": np.array([e[0][i] for e in extremes]) for i, s in enumerate(problem.system.states)},
        **{f"max_{s}": np.array([e[1][i] for e in extremes]) for i, s in enumerate(problem.system.states)},
        "modes": np.array([float(highest_mode(len(c.u))) for c in circles]),
        "defect": np.array([problem.defect_between(c) for c in circles]),
        "trivial_error": np.array([c.frames.defect for c in circles]),
    }


def _extremes(u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest value of each state along the circle, between the nodes as well."""
    size = len(u)
    fine = resampled(u, 8 * size + 1)
    place = np.array([fine.argmin(axis=0), fine.argmax(axis=0)]) / len(fine)
    modes = np.fft.rfft(u, axis=0) / size
    modes[1:] *= 2.0
    turns = 2j * np.pi * np.arange(len(modes))[:, None]
    # From the samples by Newton's method for the derivative.
    for _ in range(2):
        waves = np.exp(turns * place[:, None, :]) * modes
        slope, bend = (np.sum(waves * turns**k, axis=1).real for k in (1, 2))
        change = np.divide(slope, bend, out=np.zeros_like(bend), where=bend != 0.0)
        place = place - np.clip(change, -1.0 / len(fine), 1.0 / len(fine))
    low, high = np.sum(np.exp(turns * place[:, None, :]) * modes, axis=1).real
    return np.minimum(low, fine.min(axis=0)), np.maximum(high, fine.max(axis=0))

"""A curve of circles that begins at a fixed point: circles close to it are known in much, and what lies there is it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_frames import Frames
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem
from gan_bifurcation.continuation.circle_orbits import framed
from gan_bifurcation.continuation.circle_solver import Found
from gan_bifurcation.continuation.circle_starts import around
from gan_bifurcation.continuation.circle_waves import SIZES
from gan_bifurcation.continuation.codimension_two_spectra import critical_eigenvalues
from gan_bifurcation.ranges import Range


def begins_in(start: Point, windows: Mapping[str, Range]) -> Point | None:
    """The point at which the curve over two parameters begins on which a start lies; None without one in the window."""
    origin = start.origin
    if origin is None or set(origin.free) != set(windows):
        return None
    inside = all(w.low <= origin.parameters[name] <= w.high for name, w in windows.items())
    return origin if inside else None


def with_frames(problem: CircleProblem, start: Point, q: NDArray[np.float64]) -> Circle:
    """The circle of a start, with frames: beside the fixed point where it begins, those of that point."""
    assert start.profile is not None
    if start.origin is None:
        return framed(problem, start.profile, q)
    states = np.array(start.profile.states)
    outwards = states - states.mean(axis=0)
    return around(_with_pair(start.origin), start.profile, outwards, q)


def at_the_origin(problem: CircleProblem, origin: Point) -> Found:
    """The fixed point where folds of circles begin, as a circle without size."""
    point = _with_pair(origin)
    q = np.array([w.to_unit(point.parameters[name]) for name, w in problem.free.items()])
    u, n = np.tile(point.x, (SIZES[0], 1)), len(point.x)
    others = np.delete(point.spectrum, np.argsort(np.abs(point.spectrum.real - point.critical.real))[:2])
    multipliers = np.concatenate([[1.0 + 0.0j], others])
    frames = Frames(np.broadcast_to(np.eye(n), (len(u), n, n)).copy(), np.eye(n), 0.0)
    rho = abs(float(np.angle(point.critical))) / (2.0 * np.pi)
    return Found(Circle(u, rho, q, frames), multipliers[np.argsort(-np.abs(multipliers), kind="stable")])


def _with_pair(origin: Point) -> Point:
    return replace(origin, critical=critical_eigenvalues(origin)[0])

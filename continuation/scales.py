"""Natural sizes of states, so that a branch is followed alike in any units."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.defect import SMALLEST, Defect, balanced_units
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.ranges import Range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# How a trace ends whose steps are too long for it, or in whose units nothing can be told from rounding.
_FAILED: Final = frozenset({"step too small", "singular"})


def natural_scale(system: System, x: FloatArray, free: dict[str, Range]) -> FloatArray:
    """The size of each state (n,): its value, or its change over the windows at the present slope.

    If both vanish it is one, or what the states that it acts on, and that act on it, say of it. A state that is small
    by accident gets too small a scale, which `in_natural_units` then enlarges.
    """
    j = system.jacobian(x)
    n = system.n
    a = j[:, :n] - np.eye(n) if system.kind == "map" else j[:, :n]
    value_size, step = Defect(system).known_sizes(x, a)
    # What Newton's method left of a zero is still on its way there.
    value_size = np.where(step < 0.5 * value_size, value_size, 0.0)
    size = value_size
    for name, window in free.items():
        value = system.parameters[name]
        width = value * np.log(window.high / window.low) if window.log else window.high - window.low
        try:
            slope = np.abs(np.linalg.solve(a, j[:, n + system.parameter_index(name)])) * width
        except np.linalg.LinAlgError:
            continue
        slope = np.where(np.isfinite(slope) & (slope >= SMALLEST), slope, 0.0)
        # Beside a fold the slope is infinite and says little of the size.
        bound = np.minimum(np.minimum(slope, 1.0), 10.0 * value_size)
        size = np.maximum(size, np.where(value_size == 0.0, slope, bound))
    unknown = size == 0.0
    units = balanced_units(a, size) if unknown.any() and np.isfinite(a).all() else None
    return np.where(unknown, 1.0 if units is None else units, size)


def in_natural_units(
    attempt: Callable[[FloatArray, StepControl], Branch], scale: FloatArray, control: StepControl, x: FloatArray
) -> Branch:
    """Trace with these scales; those below one are raised, and the trace repeated, until its states fit.

    A branch that grows out of a scale chosen too small is given up early, so a repetition costs little.
    """
    cautious = replace(control, limit=min(control.limit, 1e3))
    unknown = (scale == 1.0) | (x == 0.0)
    guesses = 3
    while True:
        small = bool((scale < 1.0).any())
        branch = attempt(scale, cautious if small else control)
        codes = [o.code for o in branch.outcome]
        largest = np.max(np.abs(branch.states), axis=0)
        grown = (scale < 1.0) & (largest > 100.0 * scale)
        # Nothing was known of a state that was zero at the start; above rounding, its branch says more.
        tiny = unknown & (largest > 1e-9) & (largest < 1e-2 * scale)
        if grown.any() or tiny.any():
            scale = np.where(grown, np.minimum(1.0, largest), np.where(tiny, largest, scale))
            unknown = unknown & ~tiny
        elif len(branch) < 4 and _FAILED.intersection(codes) and unknown.any() and guesses > 0:
            # A side branch far smaller than what was assumed: the first step already leaves it.
            guesses -= 1
            scale = np.where(unknown, 1e-3 * scale, scale)
        elif small and cautious.limit < control.limit and "too large" in codes:
            return attempt(scale, control)
        else:
            return branch


def windows_about(point: Point) -> dict[str, Range]:
    """Windows about a point, which only give the units of the parameters."""
    windows = {}
    for name in point.free:
        value = point.parameters[name]
        width = max(abs(value), 0.1)
        windows[name] = Range(value - width, value + width)
    return windows

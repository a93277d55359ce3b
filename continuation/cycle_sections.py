"""A section through a cycle of a flow, on which the tori around it are invariant circles."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_starts import natural_sizes
from gan_bifurcation.continuation.equilibria import point as fixed_point
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.integrator import Event, integrate
from gan_bifurcation.poincare import poincare

FloatArray = NDArray[np.float64]

_PHASES: Final = 2000
# Levels that are tried, as parts of the range of a state.
_LEVELS: Final = (0.5, 0.4, 0.6, 0.3, 0.7)
# The flow crosses a section at a larger part of its speed than this.
_ACROSS: Final = 0.05
# Multipliers of the return map that differ by more than this from those of the cycle are others.
_SAME: Final = 1e-4


def on_a_section(point: Point, section: str = "") -> Point:
    """An NS point of cycles as the NS point of the return map to a section: tori begin there as circles.

    Parameters
    ----------
    point : Point
        Labelled NS, of a branch of cycles of a flow.
    section : str
        As for :func:`gan_bifurcation.poincare`; by default a state takes a value that the cycle passes once upwards in
        a turn, the one at which the flow crosses most steeply.

    Raises
    ------
    MisuseError
        If the cycle passes no section once in a turn, or the return map does not have its multipliers.
    """
    profile, flow = point.profile, point.system
    assert profile is not None
    name = point.name or point.label
    states = profile.at(np.linspace(0.0, 1.0, _PHASES, endpoint=False))
    if not section:
        section = steepest(flow.states, states, np.array([flow.rhs(x) for x in states]))
    returns = poincare(flow, section)
    passed = integrate(flow, states[0], 1.5 * profile.period, events=[Event(section, 1, "stop")])
    if passed.outcome.code != "stopped":
        raise MisuseError(f"The cycle at {name} does not pass the section '{section}' upwards; give another section=.")
    found = fixed_point(
        returns, {s: v for s, v in zip(flow.states, passed.final_state, strict=True) if s in returns.states}
    )
    pair = found.spectrum[int(np.argmin(np.abs(found.spectrum - point.critical)))]
    if abs(pair - point.critical) > _SAME:
        raise MisuseError(
            f"The return map to '{section}' has no multipliers near those of the cycle at {name}, "
            f"{point.critical:.6g}: it is passed more than once in a turn, or the cycle is known too coarsely; give "
            "another section=, or trace the cycles with more intervals=."
        )
    return replace(
        found, label="NS", name=point.name, free=point.free, critical=complex(pair.real, abs(pair.imag)),
        condition="pair", multiplicity=point.multiplicity,
    )  # fmt: skip


def steepest(names: tuple[str, ...], states: FloatArray, speeds: FloatArray) -> str:
    """The section "state - value" that a cycle (states and speeds (K, n) at phases) passes once, and most steeply.

    >>> t = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    >>> x, dx = np.stack([np.cos(2 * t), np.sin(t)], axis=1), np.stack([-2 * np.sin(2 * t), np.cos(t)], axis=1)
    >>> steepest(("x", "y"), x, dx)
    'y'
    """
    sizes = natural_sizes(states)
    whole = np.linalg.norm(speeds / sizes, axis=1)
    best, section = _ACROSS, ""
    low, range_ = states.min(axis=0), np.ptp(states, axis=0)
    for i, name in enumerate(names):
        for level in _LEVELS:
            value = _short(float(low[i] + level * range_[i]), float(range_[i]))
            above = states[:, i] > value
            up = np.flatnonzero(~above & np.roll(above, -1))
            if len(up) != 1 or not range_[i] > 0.0:
                continue
            steep = float(np.abs(speeds[up[0], i]) / sizes[i] / whole[up[0]])
            # The middle is left only for what is much steeper: farther out the cycle may shrink away from a level.
            steep *= 1.0 - 2.0 * abs(level - 0.5)
            if steep > best:
                best, section = steep, name if value == 0.0 else f"{name} - {value!r}".replace("- -", "+ ")
    if not section:
        raise MisuseError(
            "No state takes a value once upwards in a turn of this cycle, so no section was found; give one as "
            "section=, an expression such as 'x - 0.5'."
        )
    return section


def _short(value: float, size: float) -> float:
    """A value in few digits, compared with a size; zero where that is near."""
    if abs(value) < 0.02 * size:
        return 0.0
    digits = 2 - int(np.floor(np.log10(size)))
    return float(round(value, digits))

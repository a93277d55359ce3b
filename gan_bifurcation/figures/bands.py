"""Cycles and circles over a parameter: the least and largest of a state as a band, with tongues as marks on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.errors import unknown_name
from gan_bifurcation.figures.polylines import extremes, is_tongue, stretches
from gan_bifurcation.figures.style import GREY, LINE_COLOURS, mark_of
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]
Label = tuple[float, float, str, str]

# What can stand on the axis of a diagram beside a state.
OTHER_AXES: Final = ("period", "rotation_number")
# Tongues that are nearer to a named one of lower order than this part of the axis go without a name.
_APART: Final = 0.09
_DASHED: Final[Any] = (0, (4, 2))


@dataclass(frozen=True, eq=False)
class Band:
    """A branch of cycles or circles as a diagram shows it.

    Attributes
    ----------
    parameter, low, high : array (N,)
        Special points put in; `low` and `high` are equal for what is one number, such as the period.
    stable : bool array (N - 1,)
        Of the piece between two neighbours.
    """

    parameter: FloatArray
    low: FloatArray
    high: FloatArray
    stable: NDArray[np.bool_]

    def runs(self) -> list[tuple[slice, bool]]:
        """Stretches of equal stability, as slices of places that share their end points."""
        return stretches(self.stable)


def value_of(profile: Profile, axis: str) -> float:
    """The period or the rotation number."""
    return profile.period if axis == "period" else profile.rotation_number


def band(branch: Branch, axis: str) -> Band:
    """A branch with profiles over its parameter, for a state or one of `OTHER_AXES`."""
    states = branch.system.states
    if axis in OTHER_AXES:
        low = high = np.array([value_of(p, axis) for p in branch.profiles])
    elif axis not in states:
        raise unknown_name("state", axis, [*states, *OTHER_AXES])
    elif f"min_{axis}" in branch.measures and f"max_{axis}" in branch.measures:
        low, high = branch.measures[f"min_{axis}"], branch.measures[f"max_{axis}"]
    else:
        both = np.array([extremes(p, states.index(axis)) for p in branch.profiles])
        low, high = both[:, 0], both[:, 1]
    index = np.arange(len(branch), dtype=float)
    parameter = branch.parameters[:, 0]
    extra = [p for p in branch.special_points if p.profile is not None and np.isfinite(p.index)]
    if extra:
        at = [place_of(p, branch.free[0], axis) for p in extra]
        order = np.argsort(np.concatenate([index, [p.index for p in extra]]), kind="stable")
        index = np.concatenate([index, [p.index for p in extra]])[order]
        parameter = np.concatenate([parameter, [x for x, _, _ in at]])[order]
        low = np.concatenate([low, [y for _, y, _ in at]])[order]
        high = np.concatenate([high, [y for _, _, y in at]])[order]
    return Band(parameter, low, high, _stability(branch, index))


def place_of(point: Point, parameter: str, axis: str) -> tuple[float, float, float]:
    """Parameter, least and largest value of a point with a profile."""
    assert point.profile is not None
    if axis in OTHER_AXES:
        value = value_of(point.profile, axis)
        return point.parameters[parameter], value, value
    return point.parameters[parameter], *extremes(point.profile, point.system.states.index(axis))


def _stability(branch: Branch, index: FloatArray) -> NDArray[np.bool_]:
    """Of each piece: between two bifurcations that lie in one step it is other than at both its ends."""
    turning = np.sort([p.index for p in branch.special_points if p.profile is not None and p.label not in ("", "UZ")])
    stable = np.zeros(max(len(index) - 1, 0), dtype=bool)
    for k, middle in enumerate(0.5 * (index[:-1] + index[1:])):
        left = int(np.floor(middle))
        right = min(left + 1, len(branch) - 1)
        within = turning[(turning >= left) & (turning <= right)]
        before = int(np.sum(within < middle))
        one, other = bool(branch.unstable[left] == 0), bool(branch.unstable[right] == 0)
        if not len(within):
            # An end on the border itself takes the other end's word.
            stable[k] = one or other
        elif before == 0 or before == len(within):
            stable[k] = one if before == 0 else other
        else:
            stable[k] = not one and not other
    return stable


def draw_band(ax: Axes, branch: Branch, axis: str, colour: str) -> list[FloatArray]:
    """Draw a branch of cycles or circles; the lines that labels must keep clear of."""
    shown = band(branch, axis)
    x = shown.parameter
    wide = axis not in OTHER_AXES
    for part, stable in shown.runs():
        look: dict[str, Any] = {"color": colour, "zorder": 3, "ls": "-" if stable else _DASHED}
        look["lw"] = 1.5 if stable else 1.1
        if wide:
            outline = np.concatenate([x[part], x[part][::-1]])
            heights = np.concatenate([shown.low[part], shown.high[part][::-1]])
            ax.fill(outline, heights, color=colour, alpha=0.20 if stable else 0.07, lw=0, zorder=1.5)
            ax.plot(x[part], shown.low[part], **look)
        ax.plot(x[part], shown.high[part], **look)
    curves = [np.column_stack([x, shown.high])]
    return [*curves, np.column_stack([x, shown.low])] if wide else curves


def mark_band(ax: Axes, branch: Branch, axis: str) -> list[Label]:
    """Mark the special points of a branch of cycles or circles, on both edges of its band; their names."""
    labels: list[Label] = []
    parameter = branch.free[0]
    for point in branch.special_points:
        if point.profile is None:
            continue
        x, low, high = place_of(point, parameter, axis)
        colour, marker = mark_of(point.label)
        filled = point.criticality != "subcritical"
        for y in {low, high}:
            ax.plot([x], [y], marker=marker, ls="", color=colour, mfc=colour if filled else "white", mew=1.1, zorder=6)
        if point.label != "UZ":
            labels.append((x, high, point.name or point.label, colour))
    return labels + _mark_tongues(ax, branch, axis)


def tongues_of(branch: Branch) -> list[Point]:
    """The resonances that a branch of circles passes over, those of low order first."""
    found = [p for p in branch.special_points if is_tongue(p)]
    return sorted(found, key=lambda p: (int(p.normal_form["order"]), p.index))


def _mark_tongues(ax: Axes, branch: Branch, axis: str) -> list[Label]:
    labels: list[Label] = []
    named: list[float] = []
    shown = band(branch, axis)
    order = np.argsort(shown.parameter, kind="stable")
    for point in tongues_of(branch):
        form = point.normal_form
        x = point.parameters[branch.free[0]]
        low, high = (float(np.interp(x, shown.parameter[order], y[order])) for y in (shown.low, shown.high))
        if axis in OTHER_AXES:
            ax.plot([form["low"], form["high"]], [low, high], color=GREY, lw=1.0, marker="|", ms=6, zorder=4)
        else:
            ax.fill_betweenx([low, high], form["low"], form["high"], color=GREY, lw=0.8, alpha=0.75, zorder=2)
        place = float(ax.transAxes.inverted().transform(ax.transData.transform((x, high)))[0])
        if all(abs(place - other) > _APART for other in named):
            named.append(place)
            labels.append((x, high, point.name, GREY))
    return labels


def band_handles(shown: Sequence[Branch]) -> list[Any]:
    """What the legend says of bands: whose colours they are, where there are others beside them, and tongues."""
    handles: list[Any] = []
    if len(shown) > 1:
        for number, branch in enumerate(shown):
            colour = LINE_COLOURS[number % len(LINE_COLOURS)]
            if branch.profiles:
                fill = to_rgba(colour, 0.2)
                steps = branch.system.iterations
                word = f"{branch.curve}, one in {steps} steps" if steps > 1 else branch.curve
                handles.append(Patch(facecolor=fill, edgecolor=colour, lw=1.0, label=word))
    if any(tongues_of(b) for b in shown):
        handles.append(Line2D([], [], color=GREY, lw=2.2, alpha=0.75, label="locked (tongue)"))
    return handles

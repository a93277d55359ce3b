"""Where circles lock: the devil's staircase of the rotation number, and Arnold tongues over two parameters."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.tongues import Tongue
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.bands import tongues_of
from gan_bifurcation.figures.scales import spans_decades, tidy
from gan_bifurcation.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    LINE_COLOURS,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    YELLOW,
    as_list,
    axes_or_new,
    styled,
)
from gan_bifurcation.figures.text import math_name, place_labels

FloatArray = NDArray[np.float64]

_FILLS: Final = (ORANGE, SKY, GREEN, PURPLE, YELLOW, RED)
_NAMED: Final = 9


@styled
def staircase_of_branches(branches: Branch | Sequence[Branch], *, ax: Axes | None = None) -> Axes:
    """The rotation number over the parameter: rising between tongues, constant inside them.

    Parameters
    ----------
    branches : Branch or sequence of Branch
        Of circles over the same parameter; the gaps that they record are the plateaus.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> field = {"x": "r*x*(1 - y)", "y": "x"}
    >>> logistic = gb.System.from_equations("map", field, parameters={"r": 1.9})
    >>> fixed = gb.trace(gb.point(logistic, {"x": 0.5, "y": 0.5}), {"r": (1.5, 2.2)})
    >>> circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"r": (1.5, 2.05)})
    >>> gb.figures.staircase(circles, ax=gb.figures.figure()[1]).get_ylabel()
    'rotation number'
    """
    shown = as_list(branches, Branch)
    if not shown or any(
        not isinstance(b, Branch) or "rotation_number" not in b.measures or len(b.free) != 1 for b in shown
    ):
        raise MisuseError("A staircase is drawn of branches of invariant circles over one parameter; trace one first.")
    if len({b.free for b in shown}) != 1:
        raise MisuseError("The branches of one staircase have the same free parameter.")
    name = shown[0].free[0]
    ax = axes_or_new(ax)
    labels, curves = [], []
    locked = False
    for number, branch in enumerate(shown):
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        gaps = tongues_of(branch)
        line = _with_plateaus(branch, gaps)
        ax.plot(line[:, 0], line[:, 1], color=colour, lw=0.9, zorder=3)
        curves.append(line)
        for position, gap in enumerate(gaps):
            low, high = float(gap.normal_form["low"]), float(gap.normal_form["high"])
            value = _ratio(str(gap.normal_form["rotation"]))
            ax.plot([low, high], [value, value], color=BLUE, lw=2.6, marker="|", ms=6, mew=1.1, zorder=5)
            locked = True
            if position < _NAMED:
                labels.append((0.5 * (low + high), value, str(gap.normal_form["rotation"]), BLUE))
    if spans_decades(*(float(f(np.concatenate([c[:, 0] for c in curves]))) for f in (np.min, np.max))):
        ax.set_xscale("log")
    tidy(ax)
    ax.margins(x=0.02, y=0.08)
    ax.set_xlabel(math_name(name))
    ax.set_ylabel("rotation number")
    handles = [Line2D([], [], color=BLACK, lw=0.9, label="invariant circle")]
    if locked:
        handles.append(Line2D([], [], color=BLUE, lw=2.6, label="locked (tongue)"))
    ax.legend(handles=handles, loc="best")
    place_labels(ax, labels, curves)
    return ax


def _ratio(text: str) -> float:
    top, _, bottom = text.partition("/")
    return int(top) / int(bottom or 1)


def _with_plateaus(branch: Branch, gaps: Sequence[Any]) -> FloatArray:
    """Parameter and rotation number of the circles, with both ends of each gap between them."""
    rows = [(float(k), *row) for k, row in enumerate(zip(branch.parameters[:, 0], _rotation(branch), strict=True))]
    for gap in gaps:
        value = _ratio(str(gap.normal_form["rotation"]))
        ends = sorted((float(gap.normal_form["low"]), float(gap.normal_form["high"])))
        k = min(int(gap.index), len(branch) - 2)
        falling = branch.parameters[k + 1, 0] < branch.parameters[k, 0]
        rows += [(gap.index + shift, end, value) for shift, end in zip((-1e-9, 1e-9), ends[:: -1 if falling else 1],
                                                                      strict=True)]  # fmt: skip
    return np.array(sorted(rows))[:, 1:]


def _rotation(branch: Branch) -> FloatArray:
    return branch.column("rotation_number")


@styled
def tongues(
    found: Tongue | Sequence[Tongue], curves: Branch | Sequence[Branch] = (), *, ax: Axes | None = None
) -> Axes:
    """Arnold tongues over two parameters, filled between their edges, with the curve on which they begin.

    Parameters
    ----------
    found : Tongue or sequence of Tongue
        Over the same two parameters, such as ``gb.arnold_tongues(curve, window)``.
    curves : Branch or sequence of Branch
        Curves over these parameters to draw with them, first of all the Neimark-Sacker curve.
    ax : Axes, optional

    Returns
    -------
    Axes
        A tongue that is too thin to have edges is its tip alone.
    """
    shown = as_list(found, Tongue)
    if not shown or not all(isinstance(t, Tongue) for t in shown):
        raise MisuseError("Tongues are drawn of what gb.arnold_tongues(curve, window) gives, but got none of these.")
    lines = as_list(curves, Branch)
    names = lines[0].free if lines and isinstance(lines[0], Branch) else shown[0].tip.free
    if any(
        not isinstance(b, Branch) or len(b.free) != 2 or set(b.free) != set(names) for b in lines
    ) or any(set(t.tip.free) != set(names) for t in shown):  # fmt: skip
        raise MisuseError("The tongues and curves of one figure are over the same two parameters.")
    ax = axes_or_new(ax, aspect=0.85)
    outlines = [_outline(t, names) for t in shown]
    corners = np.concatenate([*outlines, *(np.column_stack([b.column(k) for k in names]) for b in lines)])
    drawn, labels = [], []
    for curve in lines:
        points = np.column_stack([curve.column(k) for k in names])
        ax.plot(points[:, 0], points[:, 1], color=BLUE if curve.curve == "NS" else GREY, lw=1.5, zorder=4)
        drawn.append(points)
    handles: list[Any] = [
        Line2D([], [], color=BLUE if c == "NS" else GREY, lw=1.5, label="Neimark-Sacker" if c == "NS" else c)
        for c in dict.fromkeys(b.curve for b in lines)
    ]
    for number, (tongue, outline) in enumerate(zip(shown, outlines, strict=True)):
        colour = _FILLS[number % len(_FILLS)]
        if len(tongue.edges) == 2:
            whole = _polygon(outline, corners)
            ax.fill(whole[:, 0], whole[:, 1], color=colour, alpha=0.38, lw=0, zorder=2)
        for edge in tongue.edges:
            points = np.column_stack([edge.column(k) for k in names])
            ax.plot(points[:, 0], points[:, 1], color=colour, lw=1.0, zorder=3)
            drawn.append(points)
        tip = [tongue.tip.parameters[k] for k in names]
        ax.plot(*([v] for v in tip), marker="o", ms=3.6, color=BLACK, mfc="white", mew=0.9, ls="", zorder=6)
        place = outline.mean(axis=0) if len(tongue.edges) == 2 else np.array(tip)
        labels.append((float(place[0]), float(place[1]), str(tongue.rotation), BLACK))
    handles.append(Patch(facecolor="0.75", label="locked (tongue, edges are folds)"))
    handles.append(Line2D([], [], color=BLACK, marker="o", ms=3.6, mfc="white", ls="", label="tip"))
    ax.set_xlabel(math_name(names[0]))
    ax.set_ylabel(math_name(names[1]))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.19), ncols=2, frameon=False)
    place_labels(ax, labels, drawn)
    return ax


def _outline(tongue: Tongue, names: Sequence[str]) -> FloatArray:
    """Along one edge away from the tip, and along the other one back; the tip alone without edges."""
    tip = np.array([[tongue.tip.parameters[k] for k in names]])
    if len(tongue.edges) != 2:
        return tip
    sides = []
    for edge in tongue.edges:
        points = np.column_stack([edge.column(k) for k in names])
        spread = np.where(np.ptp(points, axis=0) > 0.0, np.ptp(points, axis=0), 1.0)
        near = [float(np.abs((points[i] - tip[0]) / spread).max()) for i in (0, -1)]
        sides.append(points if near[0] <= near[1] else points[::-1])
    return np.concatenate([tip, sides[0], sides[1][::-1]])


def _polygon(outline: FloatArray, every: FloatArray) -> FloatArray:
    """The outline with the corner of the frame that its far side cuts off, if its edges leave on two sides."""
    low, high = every.min(axis=0), every.max(axis=0)
    size = np.where(high > low, high - low, 1.0)
    jumps = [(float(np.abs((b - a) / size).max()), k) for k, (a, b) in enumerate(pairwise(outline))]
    k = max(jumps)[1]
    a, b = outline[k], outline[k + 1]
    for corner in (np.array([a[0], b[1]]), np.array([b[0], a[1]])):
        on_frame = np.isclose(corner, low, atol=1e-6) | np.isclose(corner, high, atol=1e-6)
        if on_frame.all():
            return np.insert(outline, k + 1, corner, axis=0)
    return outline


__all__ = ["staircase_of_branches", "tongues"]

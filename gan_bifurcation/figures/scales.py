"""Logarithmic axes: when an axis is one, and its ticks."""

import math
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT, TICKRIGHT, TICKUP
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from gan_bifurcation.branch import Branch

# Values that span more than this factor and are all positive are read as ratios.
_SPAN: Final = 12.0
_SHORT: Final = 60.0
_RAISED: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def looks_logarithmic(branch: Branch, name: str) -> bool:
    """Whether the values of a parameter along a curve are positive and span more than a decade."""
    values = branch.column(name)
    return len(values) > 0 and spans_decades(float(np.min(values)), float(np.max(values)))


def spans_decades(low: float, high: float) -> bool:
    """Whether an interval is positive and spans more than a decade.

    >>> spans_decades(0.01, 1), spans_decades(0.5, 2), spans_decades(0.0, 1)
    (True, False, False)
    """
    return low > 0 and high / low > _SPAN


def set_window(ax: Axes, x: tuple[float, float], y: tuple[float, float], logarithmic: tuple[bool, bool]) -> None:
    """Limits and scales of both axes."""
    ax.set_xscale("log" if logarithmic[0] else "linear")
    ax.set_yscale("log" if logarithmic[1] else "linear")
    ax.set_xlim(*x)
    ax.set_ylim(*y)
    tidy(ax)


def tidy(ax: Axes) -> None:
    """Ticks of logarithmic axes: powers of ten, or plain numbers at 1, 2 and 5 where the axis is too short."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() != "log":
            continue
        low, high = sorted(axis.get_view_interval())
        short = high < _SHORT * low
        if short:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(_plain if short else _power))
        if not isinstance(axis.get_minor_locator(), NullLocator):
            axis.axes.add_artist(MinorTicks(axis))


class MinorTicks(Artist):
    """The minor ticks of a logarithmic axis as one drawing.

    Matplotlib's own are an object with three lines and two labels each, and take longer than all the rest of a figure.
    """

    def __init__(self, axis: Axis) -> None:
        super().__init__()
        self.axis = axis
        self.locator = axis.get_minor_locator()
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
        self.along = "x" if axis is axis.axes.xaxis else "y"
        set_now: Any = mpl.rcParams
        self.looks = {k: set_now[f"{self.along}tick.{v}"] for k, v in _LOOKS.items()}
        self.set_zorder(axis.get_zorder())
        self.set_in_layout(False)

    def draw(self, renderer: Any) -> None:
        """Draw the ticks that are in view and are no major ones."""
        ax, axis = self.axis.axes, self.axis
        if not (self.get_visible() and axis.get_visible() and ax.axison and axis.get_scale() == "log"):
            return
        low, high = sorted(axis.get_view_interval())
        # An end of the window is in view however it was rounded.
        low, high = low * (1.0 - _ROUNDING), high * (1.0 + _ROUNDING)
        majors = axis.get_majorticklocs()
        inside = [v for v in self.locator() if low <= v <= high and not np.any(np.abs(majors - v) < 1e-6 * v)]
        given = axis.get_tick_params(which="minor")
        looks = {k: given.get(k, v) for k, v in self.looks.items()}
        x = self.along == "x"
        for side, end, marker in _SIDES[self.along]:
            if inside and given.get(side, side in ("bottom", "left")):
                ends = [end] * len(inside)
                line = Line2D(
                    inside if x else ends, ends if x else inside, ls="", marker=marker, color=looks["color"],
                    ms=looks["length"], mew=looks["width"], clip_on=False,
                )  # fmt: skip
                line.set_figure(ax.figure)
                line.axes = ax
                line.set_transform(ax.get_xaxis_transform() if x else ax.get_yaxis_transform())
                line.draw(renderer)


_ROUNDING: Final = 1e-10
_LOOKS: Final = {"length": "minor.size", "width": "minor.width", "color": "color"}
# A side, where it is across the axis, and its ticks, which point out.
_SIDES: Final[dict[str, Any]] = {
    "x": (("bottom", 0.0, TICKDOWN), ("top", 1.0, TICKUP)), "y": (("left", 0.0, TICKLEFT), ("right", 1.0, TICKRIGHT)),
}  # fmt: skip


def _plain(value: float, _: Any) -> str:
    return f"{value:g}"


def _power(value: float, _: Any) -> str:
    """A power of ten as text: mathematics takes a hundred times as long to lay out."""
    if not 0.0 < value < math.inf:
        # A tick beyond all numbers lies outside of the window.
        return ""
    exponent = round(math.log10(value))
    return "10" + str(exponent).translate(_RAISED)

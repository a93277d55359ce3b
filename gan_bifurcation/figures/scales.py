"""When an axis is logarithmic."""

import math
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

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
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        if axis.get_scale() != "log":
            continue
        short = high / low < _SHORT
        if short:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(_plain if short else _power))
        # Empty labels would be measured again and again.
        axis.set_minor_formatter(NullFormatter())
        axis.set_tick_params(which="minor", label1On=False)


def _plain(value: float, _: Any) -> str:
    return f"{value:g}"


def _power(value: float, _: Any) -> str:
    """A power of ten as text: mathematics takes a hundred times as long to lay out."""
    exponent = round(math.log10(value)) if value > 0 else 0
    return "10" + str(exponent).translate(_RAISED)

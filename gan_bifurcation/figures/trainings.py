"""Training runs as a grid of curves: distance against iteration."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gan_bifurcation.figures.scales import tidy
from gan_bifurcation.figures.style import LINE_COLOURS, axes_or_new, styled

_DASHES: Sequence[Any] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))


@styled
def training_runs(
    runs: Mapping[str, Any],
    *,
    title: str = "",
    quantity: str = "squared distance",
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """A quantity of several training runs against the iteration, on a logarithmic axis.

    Parameters
    ----------
    runs : mapping of legend text to array (steps,)
    title, quantity : str
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_or_new(ax)
    for number, (name, values) in enumerate(runs.items()):
        shown = np.asarray(values, dtype=float)
        # Below the rounding of the positions nothing is seen but noise.
        shown = np.where(shown > 1e-32, shown, np.nan)
        colour, dashes = LINE_COLOURS[1:][number % (len(LINE_COLOURS) - 1)], _DASHES[number % len(_DASHES)]
        ax.plot(np.arange(len(shown)), shown, lw=1.0, label=name, color=colour, ls=dashes)
    ax.set_yscale("log")
    tidy(ax)
    ax.set_xlabel("iteration")
    ax.set_ylabel(quantity)
    if title:
        ax.set_title(title)
    if legend:
        ax.legend(loc="best")
    return ax

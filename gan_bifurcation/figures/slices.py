"""Regime maps at several values of a third parameter, side by side."""

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_bifurcation.figures.sets import regime_map
from gan_bifurcation.figures.style import figure, styled
from gan_bifurcation.figures.text import math_name

__all__ = ["slices"]

_MOST_IN_A_ROW: Final = 4


@styled
def slices(stack: Any, *, numbers: bool = True) -> Figure:
    """The regime maps of a stack side by side, numbered alike where regimes of neighbouring slices are one.

    Parameters
    ----------
    stack : RegimeStack
    numbers : bool
        Whether to write the regimes' numbers in the whole; small ones stay bare.

    Returns
    -------
    Figure
    """
    columns = min(_MOST_IN_A_ROW, len(stack.maps))
    rows = -(-len(stack.maps) // columns)
    wide = len(stack.maps) > 1
    drawn, given = figure("page" if wide else "column", aspect=0.5 * rows if wide else 0.95, rows=rows, columns=columns)
    panels: list[Axes] = list(given.ravel()) if wide else [given]
    handles: dict[str, Any] = {}
    for k, (value, rmap, own) in enumerate(zip(stack.values, stack.maps, stack.regimes, strict=True)):
        ax = regime_map(rmap, numbers=own if numbers else False, ax=panels[k])
        legend = ax.get_legend()
        if legend is not None:
            # One legend for all: the same line or colour means the same in each slice.
            words = [text.get_text() for text in legend.get_texts()]
            for word, handle in zip(words, legend.legend_handles, strict=True):
                handles.setdefault(word, handle)
            legend.remove()
        ax.set_title(f"{math_name(stack.name)} = {value:g}")
        if k % columns:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
    for ax in panels[len(stack.maps) :]:
        ax.remove()
    if handles:
        drawn.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3, frameon=False)
    return drawn

"""The devil's staircase: rotation numbers over a parameter, with the locked intervals."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from gan_bifurcation.branch import Branch
from gan_bifurcation.figures.circles import staircase_of_branches
from gan_bifurcation.figures.style import GREY, LINE_COLOURS, axes_or_new, styled
from gan_bifurcation.figures.text import label_of
from gan_bifurcation.staircase import Staircase

# Steps narrower than this part of the range have no room for their number.
_NAMED: Final = 0.02


@styled
def staircase(stairs: Staircase | Branch | Sequence[Branch], *, width: str = "column", ax: Axes | None = None) -> Any:
    """Rotation number against the parameter; locked intervals are bars with their p/q.

    Parameters
    ----------
    stairs : Staircase, Branch or sequence of Branch
        Rotation numbers of runs, or branches of circles with the tongues that they pass over.
    width : "column" or "page"
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_or_new(ax, width)
    if not isinstance(stairs, Staircase):
        return staircase_of_branches(stairs, ax=ax)
    ax.plot(stairs.values, stairs.rotation, ".", color=GREY, markersize=2.0, zorder=1, label="drifting")
    span = float(stairs.values[-1] - stairs.values[0])
    for k, step in enumerate(stairs.locked):
        level = step.turns / step.iterations
        ax.plot(
            [step.low, step.high], [level, level], "-", color=LINE_COLOURS[0], linewidth=2.0, zorder=2,
            solid_capstyle="butt", label="locked" if k == 0 else None,
        )  # fmt: skip
        if step.width > _NAMED * span:
            ax.annotate(
                f"{step.turns}/{step.iterations}", (0.5 * (step.low + step.high), level), xytext=(0, 2),
                textcoords="offset points", ha="center", va="bottom", fontsize="x-small",
            )  # fmt: skip
    ax.set_xlim(float(np.min(stairs.values)), float(np.max(stairs.values)))
    ax.set_xlabel(label_of(stairs.parameter, {}))
    ax.set_ylabel("rotation number (turns per iteration)")
    if stairs.locked:
        seen = stairs.rotation[np.isfinite(stairs.rotation)]
        # Beside the stairs, whether they go up or down.
        ax.legend(loc="upper left" if seen[-1] >= seen[0] else "lower left")
    return ax

"""Training on minibatches over two parameters: where it stays within a radius, and the border without noise."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as OutlinePath

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.scales import set_window
from gan_bifurcation.figures.style import BLACK, BLUE, GREY, axes_or_new, pale, styled, verdict_look
from gan_bifurcation.figures.text import math_name
from gan_bifurcation.regimes.noise_border import NoisyBorder

_LOOKS: Final = {
    "within": verdict_look("converges"),
    # Paler than where it stays within: it converges, but only without noise.
    "beyond": ("#F3F9FD", "....", "#7FB2D6"),
    # What it does there instead, the spread does not say.
    "unstable": ("#E4E4E4", "", GREY),
}


@styled
def noise_map(border: NoisyBorder, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Where training on minibatches stays within a radius of the fixed point, over two parameters.

    Parameters
    ----------
    border : NoisyBorder
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
        The stochastic border solid, the border of stability without noise dashed; between them the fixed point
        attracts, but minibatches drive training further away than the radius.
    """
    if not isinstance(border, NoisyBorder):
        raise MisuseError(f"A noise map shows what gb.noisy_border returns, but got a {type(border).__name__}.")
    ax = axes_or_new(ax, aspect=0.85)
    x, y = border.window.ranges.values()
    set_window(ax, (x.low, x.high), (y.low, y.high), (x.log, y.log))
    words = {
        "within": f"stays within {border.radius:g}",
        "beyond": "attracted, but further away",
        "unstable": "not attracted",
    }
    handles: list[Any] = []
    for kind, (fill, hatch, line) in _LOOKS.items():
        faces = [polygon for name, polygon in border.faces if name == kind]
        for polygon in faces:
            rings = [
                border.window.from_unit(np.asarray(ring.coords)) for ring in (polygon.exterior, *polygon.interiors)
            ]
            outline = OutlinePath.make_compound_path(*(OutlinePath(ring, closed=True) for ring in rings))
            ax.add_patch(PathPatch(outline, facecolor=fill, edgecolor=pale(line), lw=0.0, hatch=hatch, zorder=1))
        if faces:
            handles.append(Patch(facecolor=fill, edgecolor=pale(line), hatch=hatch, lw=0.3, label=words[kind]))
    curves = (
        (border.lines, BLUE, "-", f"border with batch {border.batch}"),
        (border.exact, BLACK, (0, (4, 1.6)), "border without noise"),
    )
    for lines, colour, dashes, text in curves:
        for points in lines:
            ax.plot(points[:, 0], points[:, 1], color=colour, ls=dashes, lw=1.6, zorder=4)
        if lines:
            handles.append(Line2D([], [], color=colour, ls=dashes, lw=1.6, label=text))
    ax.set_xlabel(math_name(border.names[0]))
    ax.set_ylabel(math_name(border.names[1]))
    if legend and handles:
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.19), ncols=2, frameon=False)
    return ax

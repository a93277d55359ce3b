"""Basins of attraction in a plane of initial conditions."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_hex, to_rgb
from matplotlib.patches import Patch

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.scales import set_window
from gan_bifurcation.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, axes_or_new, pale, styled
from gan_bifurcation.figures.text import math_name

# Attractors by their order; ways to stall or diverge are greys.
_COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
_GREYS: Final = ("#d9d9d9", "#b5b5b5", "#8f8f8f", "#eeeeee")
_MOST_NAMED: Final = 10


@styled
def basins(picture: Any, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Initial conditions of a plane, each in the colour of the attractor that it ends on; the attractors on top.

    Parameters
    ----------
    picture : BasinPicture
        Made by :func:`gan_bifurcation.basins`.
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
        Filled basins; points and closed curves of the attractors where they lie in the picture. What stalls or
        diverges is grey.
    """
    if not {"found", "axes", "member"} <= set(dir(picture)):
        raise MisuseError(f"Basins are drawn of what gb.basins gives, got {type(picture).__name__}.")
    ax = axes_or_new(ax, aspect=0.85)
    (first, a), (second, b) = picture.axes.items()
    colours = _colours(picture.found.attractors)
    edges = [np.array([r.from_unit(f) for f in np.linspace(0.0, 1.0, n + 1)]) for r, n in (
        (a, picture.member.shape[1]), (b, picture.member.shape[0])
    )]  # fmt: skip
    ax.pcolormesh(
        *edges, picture.member, cmap=ListedColormap([pale(c) for c in colours]), vmin=-0.5, vmax=len(colours) - 0.5,
        rasterized=True, zorder=0,
    )  # fmt: skip
    set_window(ax, (a.low, a.high), (b.low, b.high), (a.log, b.log))
    states = picture.found.system.states
    i, j = states.index(first), states.index(second)
    handles = []
    for number, (attractor, cloud) in enumerate(zip(picture.found.attractors, picture.found.clouds, strict=True)):
        if cloud is not None:
            points = cloud.points
            small = len(points) <= 16
            ax.plot(
                points[:, i], points[:, j], ls="", marker="o" if small else ".", ms=4.5 if small else 1.3,
                color=BLACK if small else _dark(colours[number]), mfc=_dark(colours[number]), zorder=3,
            )  # fmt: skip
        if number < _MOST_NAMED:
            text = f"{attractor.id}: {attractor}, {100 * attractor.share:.3g} %"
            if len(picture.found.followed):
                # Of initial conditions drawn by chance: with what chance does to it.
                text += f" ({100 * attractor.share_low:.3g} to {100 * attractor.share_high:.3g})"
            handles.append(Patch(facecolor=pale(colours[number]), edgecolor=_dark(colours[number]), lw=0.5, label=text))
    ax.set_xlabel(math_name(first))
    ax.set_ylabel(math_name(second))
    if legend:
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.19), frameon=False)
    return ax


def _colours(attractors: Any) -> list[str]:
    """A colour for each: those that attract have hues, the others greys."""
    made, hues, greys = [], 0, 0
    for attractor in attractors:
        if attractor.verdict in ("converges", "oscillates"):
            made.append(_COLOURS[hues % len(_COLOURS)])
            hues += 1
        else:
            made.append(_GREYS[greys % len(_GREYS)])
            greys += 1
    return made


def _dark(colour: str) -> str:
    red, green, blue = (0.6 * part for part in to_rgb(colour))
    return str(to_hex((red, green, blue)))

"""Training on minibatches over two parameters: where it stays within a radius, and the border without noise."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as OutlinePath
from matplotlib.ticker import NullLocator

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.scales import set_window, tidy
from gan_bifurcation.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    RED,
    axes_or_new,
    pale,
    styled,
    verdict_look,
)
from gan_bifurcation.figures.text import math_name
from gan_bifurcation.regimes.noise_border import NoisyBorder
from gan_bifurcation.regimes.noise_map import NoiseMap

_LOOKS: Final = {
    "within": verdict_look("converges"),
    # Paler than where it stays within: it converges, but only without noise.
    "beyond": ("#F3F9FD", "....", "#7FB2D6"),
    # What it does there instead, the spread does not say.
    "unstable": ("#E4E4E4", "", GREY),
}


@styled
def noise_map(found: NoisyBorder | NoiseMap, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Where training on minibatches stays within a radius of the fixed point, over two parameters.

    Parameters
    ----------
    found : NoisyBorder or NoiseMap
        Of a map, the places that were simulated are marked as well.
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
        The stochastic border solid, the border of stability without noise dashed; between them the fixed point
        attracts, but minibatches drive training further away than the radius.
    """
    border = found.border if isinstance(found, NoiseMap) else found
    if not isinstance(border, NoisyBorder):
        raise MisuseError(
            f"A noise map shows what gb.noise_map or gb.noisy_border return, but got a {type(border).__name__}."
        )
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
    if isinstance(found, NoiseMap):
        handles += _simulated(found, ax)
    ax.set_xlabel(math_name(border.names[0]))
    ax.set_ylabel(math_name(border.names[1]))
    if legend and handles:
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.19), ncols=2, frameon=False)
    return ax


def _simulated(found: NoiseMap, ax: Axes) -> list[Any]:
    """Where runs were made: filled where they do what theory says."""
    x, y = found.border.names
    marks = [
        (float(row[x]), float(row[y]), row["confirmed"] == "yes")
        for row in found.parts.rows
        if row["confirmed"] != "not measured"
    ]
    if found.check.columns:
        check = found.check.columns
        sure = np.abs(check["ratio"] - 1.0) <= np.maximum(3.0 * check["sampling_error"], 1.0 / found.border.batch)
        marks += list(zip(check[x].tolist(), check[y].tolist(), sure.tolist(), strict=True))
    handles = []
    for good, words in ((True, "simulation agrees"), (False, "simulation disagrees")):
        places = [(a, b) for a, b, agrees in marks if agrees is good]
        if places:
            xs, ys = zip(*places, strict=True)
            fill = BLACK if good else "white"
            handles += ax.plot(xs, ys, marker="o", ls="none", ms=4.5, mec=BLACK, mfc=fill, label=words, zorder=6)
    return handles


@styled
def noise_spreads(found: NoiseMap | Mapping[str, NoiseMap], *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """The spread about the fixed point over the size of minibatches: linear theory as lines, simulation as points.

    Parameters
    ----------
    found : NoiseMap or mapping of names to several
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
        Bars are three standard errors of the simulation to each side.
    """
    several = {"": found} if isinstance(found, NoiseMap) else dict(found)
    for one in several.values():
        if not isinstance(one, NoiseMap):
            raise MisuseError(f"Spreads are drawn of what gb.noise_map returns, but got a {type(one).__name__}.")
    ax = axes_or_new(ax, aspect=0.72)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    sizes = sorted({float(b) for one in several.values() for b in one.spreads.columns["batch"]})
    for (name, one), colour, marker in zip(several.items(), cycle((BLUE, RED, GREEN, PURPLE)), cycle("osD^")):
        columns, before = one.spreads.columns, f"{name}: " if name else ""
        dense = np.geomspace(sizes[0], sizes[-1], 9)
        # Its covariance is proportional to 1/batch.
        theory = columns["predicted"][0] * np.sqrt(columns["batch"][0] / dense)
        ax.plot(dense, theory, color=colour, lw=1.3, label=f"{before}linear theory", zorder=3)
        if "measured" in columns:
            bars = 3.0 * columns["measured_error"]
            ax.errorbar(
                columns["batch"], columns["measured"], bars, color=colour, marker=marker, ms=4.5, ls="none",
                capsize=2.5, label=f"{before}simulation", zorder=4,
            )  # fmt: skip
    for radius in sorted({one.border.radius for one in several.values()}):
        ax.axhline(radius, color=GREY, lw=0.8, ls=(0, (4, 1.6)), zorder=1)
        ax.annotate(
            f"radius {radius:g}", (1.0, radius), xycoords=("axes fraction", "data"), xytext=(0, 2), ha="right",
            textcoords="offset points", fontsize=7, color=GREY,
        )  # fmt: skip
    tidy(ax)
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("rows of a minibatch")
    ax.set_ylabel("spread about the fixed point")
    if legend:
        ax.legend()
    return ax

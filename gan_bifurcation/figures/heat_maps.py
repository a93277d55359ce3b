"""The kernel GAN's heat map as published beside those of the full systems, exact borders on top."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gan_bifurcation.branch import Branch
from gan_bifurcation.figures.scales import tidy
from gan_bifurcation.figures.sets import _pieces_of
from gan_bifurcation.figures.style import BLUE, GREY, PURPLE, RED, figure_of, styled
from gan_bifurcation.figures.text import math_name

_TITLES: Final[Mapping[str, str]] = {
    "notebook": "published formula",
    "one_point": "full system, one point",
    "two_points": "full system, two points",
}

_MOST_CELLS: Final = 200


@styled
def heat_map(
    data: Any,
    *,
    panels: Sequence[str] = ("notebook", "one_point", "two_points"),
    curves: Mapping[str, Sequence[Branch]] | None = None,
    axes: Any = None,
) -> Any:
    r"""Squared spectral radii over width and regularisation, panel by panel.

    Parameters
    ----------
    data : HeatMap
        Of :func:`gan_bifurcation.models.kernel_heat_map.heat_map`.
    panels : sequence of str
        Which of its maps.
    curves : mapping of panel to sequence of Branch, optional
        Exact borders over ``sigma`` and ``lam`` (in either order), drawn on top.
    axes : array of Axes, optional
        As many as panels.

    Returns
    -------
    array of Axes
        Cells by :math:`\max|\rho|^2` where that is below 1, red and hatched where it is above; grey dots enclose the
        range of a rotating mean mode.
    """
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(1, len(panels), figsize=(7.2, 3.0), sharey=True, layout="constrained")[1]
    every = np.atleast_1d(axes)
    lowest = min(float(np.min(getattr(data, panel))) for panel in panels)
    norm = Normalize(min(lowest, 0.99), 1.0)
    mesh = None
    seen: dict[str, Any] = {}
    for number, (panel, ax) in enumerate(zip(panels, every, strict=True)):
        values = np.asarray(getattr(data, panel), dtype=float)
        # The stability border is drawn from all cells; colours need no more than the page resolves.
        thin = max(1, len(data.sigma) // _MOST_CELLS)
        mesh = ax.pcolormesh(
            data.sigma[::thin],
            data.lam[::thin],
            np.where(values <= 1.0, values, np.nan)[::thin, ::thin],
            norm=norm,
            cmap="cividis",
            shading="nearest",
            rasterized=True,
        )
        ax.set_xscale("log")
        ax.set_yscale("log")
        outside = values > 1.0
        if outside.any():
            filled = ax.contourf(
                data.sigma, data.lam, outside.astype(float), levels=[0.5, 1.5], colors=["#F6C9AE"], hatches=["xxx"]
            )
            filled.set_edgecolor(RED)
            filled.set_linewidth(0.0)
        rotating = np.asarray(data.rotating, dtype=float)
        if 0 < rotating.mean() < 1:
            ax.contour(
                data.sigma, data.lam, rotating, levels=[0.5], colors="white", linewidths=0.9, linestyles=[(0, (1, 1.4))]
            )
        for label, criticality, points in _borders((curves or {}).get(panel, ())):
            colour = {"NS": BLUE, "H": BLUE, "PD": PURPLE}.get(label, RED)
            dashes: Any = (0, (4, 1.6)) if criticality == "subcritical" else "-"
            ax.plot(points[:, 0], points[:, 1], color="white", lw=2.6, zorder=5)
            ax.plot(points[:, 0], points[:, 1], color=colour, lw=1.4, ls=dashes, zorder=6)
            words = f"{label} ({criticality})" if criticality else label
            seen.setdefault(words, Line2D([], [], color=colour, lw=1.4, ls=dashes, label=words))
        ax.set_xlim(float(data.sigma[0]), float(data.sigma[-1]))
        ax.set_ylim(float(data.lam[0]), float(data.lam[-1]))
        tidy(ax)
        ax.set_title(_TITLES.get(panel, panel))
        ax.set_xlabel(math_name("sigma"))
        if number == 0:
            ax.set_ylabel(math_name("lam"))
    whole = figure_of(every[0])
    if mesh is not None:
        whole.colorbar(mesh, ax=list(every), label=r"$\max|\rho|^2$", pad=0.01, aspect=26)
    unstable = Patch(facecolor="#F6C9AE", edgecolor=RED, hatch="xxx", lw=0.3, label=r"unstable, $\max|\rho|^2>1$")
    rotating_line = Line2D([], [], color=GREY, lw=0.9, ls=(0, (1, 1.4)), label="mean mode rotates between (white)")
    whole.legend(handles=[*seen.values(), unstable, rotating_line], loc="outside lower center", ncols=4, frameon=False)
    return every


def _borders(curves: Sequence[Branch]) -> list[tuple[str, str, Any]]:
    pieces: list[tuple[str, str, Any]] = []
    for branch in curves:
        for label, criticality, points in _pieces_of([branch]):
            order = [branch.free.index("sigma"), branch.free.index("lam")]
            pieces.append((label, criticality, points[:, order]))
    return pieces

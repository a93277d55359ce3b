"""The path angle of Berard et al. (2020): cosine and norm of the direction of training along a line."""

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gan_bifurcation.figures.style import BLUE, GREY, RED, axes_or_new, styled
from gan_bifurcation.paths import PathAngle

__all__ = ["path_angle"]


@styled
def path_angle(found: PathAngle, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Cosine (left axis) and norm (right axis) of the direction of training, along the line from start to end.

    Parameters
    ----------
    found : PathAngle
        Of :func:`gan_bifurcation.path_angle`.
    title : str, optional
        By default the reading in words.
    ax : Axes, optional

    Returns
    -------
    Axes
        Of the cosine; that of the norm is its twin.
    """
    ax = axes_or_new(ax)
    twin = ax.twinx()
    ax.axhline(0.0, color="0.8", lw=0.7, zorder=0)
    ax.axvline(1.0, color=GREY, lw=0.8, ls=(0, (2, 2)), zorder=0)
    ax.plot(found.alpha, found.cosine, color=BLUE, lw=1.4)
    twin.plot(found.alpha, found.norm, color=RED, lw=1.1, ls=(0, (5, 1.5)))
    ax.set_ylim(-1.05, 1.05)
    twin.set_ylim(0.0, 1.08 * float(found.norm.max()) or 1.0)
    twin.spines["right"].set_visible(True)
    ax.set_xlim(float(found.alpha[0]), float(found.alpha[-1]))
    ax.set_xlabel(r"place $\alpha$ on the line (0 start, 1 end)")
    ax.set_ylabel("path angle (cosine)", color=BLUE)
    twin.set_ylabel("path norm", color=RED)
    ax.tick_params(axis="y", colors=BLUE)
    twin.tick_params(axis="y", colors=RED)
    ax.legend(
        handles=[
            Line2D([], [], color=BLUE, lw=1.4, label="cosine"),
            Line2D([], [], color=RED, lw=1.1, ls=(0, (5, 1.5)), label="norm"),
        ],
        loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, frameon=False,
    )  # fmt: skip
    said = found.reading.rstrip(".") if title is None else title
    if said:
        ax.set_title(said, wrap=True)
    return ax

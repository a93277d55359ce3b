"""The style of all figures: sizes of columns, colours that colour-blind readers tell apart, markers."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from gan_bifurcation.errors import unknown_name

P = ParamSpec("P")
R = TypeVar("R")

# Okabe and Ito, Color Universal Design (2008).
BLACK: Final = "#000000"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
RED: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#666666"

# Inches: one column and the text width of a two-column journal.
WIDTHS: Final[Mapping[str, float]] = {"column": 3.5, "page": 7.2}

STYLE: Final[dict[Any, Any]] = {
    "font.family": "sans-serif",
    # It comes with matplotlib: a list of others would be gone through for each word.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.limits": (-4, 5),
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "legend.fontsize": 7.0,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "0.8",
    "legend.fancybox": False,
    "legend.borderpad": 0.35,
    "legend.handlelength": 2.2,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.45,
    "figure.dpi": 110,
    "savefig.dpi": 220,
    "svg.fonttype": "path",
    # Without it every run would give other identifiers, and the same study another file.
    "svg.hashsalt": "gan_bifurcation",
    "mathtext.fontset": "dejavusans",
    "image.cmap": "cividis",
}

# Colour and marker by label: the same label looks alike in every figure.
MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "LP": (RED, "s"),
    "BP": (GREEN, "D"),
    "H": (BLUE, "o"),
    "NS": (BLUE, "o"),
    "PD": (PURPLE, "^"),
    "LPC": (RED, "s"),
    "BPC": (GREEN, "D"),
    "UZ": (GREY, "|"),
}
OTHER_MARK: Final = (BLACK, "*")
LINE_COLOURS: Final = (BLACK, BLUE, RED, GREEN, PURPLE, ORANGE)

# Ways to stall that have no name of their own.
_STALLS: Final = ("", "drifts", "plateau", "at rest", "not evaluated", "nothing that attracts was found")
# Fill, hatch and line colour by verdict; hatches keep regimes apart in print without colour.
VERDICTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "converges": ("#BFE5D9", "", GREEN),
    "oscillates": ("#FBE3AE", "///", ORANGE),
    "stalls": ("#DEDEDE", "...", GREY),
    "diverges": ("#F6C9AE", "xxx", RED),
}
UNKNOWN_VERDICT: Final = ("#FFFFFF", "", BLACK)
# Training that converges by turning is told from training that converges straight.
SPIRALLING: Final = ("#CDE6F5", "", SKY)


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """A drawing function whose new artists have the style; what is on the axes already stays as it is."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return inside


def figure(width: str | float = "column", aspect: float = 0.72, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    """A figure that no window belongs to, and its axes, in the style.

    Parameters
    ----------
    width : "column", "page" or float
        In inches, if a number.
    aspect : float
        Height over width.
    rows, columns : int
        Of axes; with one of each a single Axes comes back, otherwise an array.

    Returns
    -------
    Figure, Axes or array of Axes
    """
    if isinstance(width, str) and width not in WIDTHS:
        raise unknown_name("width of a figure", width, WIDTHS)
    inches = WIDTHS[width] if isinstance(width, str) else float(width)
    with mpl.rc_context(STYLE):
        made = Figure(figsize=(inches, inches * aspect), layout="constrained")
        # With one renderer for all, which knows what it has measured.
        FigureCanvasAgg(made)
        return made, made.subplots(rows, columns)


def axes_or_new(ax: Axes | None, width: str = "column", aspect: float = 0.72) -> Axes:
    """The axes given, or new ones on a figure that pyplot knows, so that a notebook shows it."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    inches = WIDTHS[width]
    return plt.subplots(figsize=(inches, inches * aspect), layout="constrained")[1]


def figure_of(ax: Axes) -> Figure:
    """The figure at the root of the axes."""
    found = ax.get_figure(root=True)
    assert isinstance(found, Figure)
    return found


def part_id(kind: str, number: int) -> str:
    """The name of a part of a drawing in its SVG file, by which a page finds it again."""
    return f"{kind}-{number}"


def verdict_kind(verdict: str, detail: str) -> str:
    """What the legend of a regime says besides its verdict: "" where the detail is no kind of its own."""
    if verdict == "converges":
        return "spiralling" if "spiral" in detail else "monotone" if "monoton" in detail else ""
    if verdict == "oscillates":
        return "centre" if detail == "centre" else ""
    return detail if verdict == "stalls" and detail not in _STALLS else ""


def verdict_look(verdict: str, detail: str = "") -> tuple[str, str, str]:
    """Fill, hatch and line colour of a regime."""
    if verdict == "converges" and "spiral" in detail:
        return SPIRALLING
    return VERDICTS.get(verdict, UNKNOWN_VERDICT)


def pale(colour: str) -> str:
    """A colour half way to white, for hatches that stay behind lines and text."""
    red, green, blue = (0.5 + 0.5 * part for part in to_rgb(colour))
    return str(to_hex((red, green, blue)))


def mark_of(label: str) -> tuple[str, str]:
    """Colour and marker of a label."""
    return MARKS.get(label, OTHER_MARK)


def as_list(items: Any, kind: type) -> list[Any]:
    """One thing or several as a list."""
    return [items] if isinstance(items, kind) else list(items) if isinstance(items, Iterable) else [items]

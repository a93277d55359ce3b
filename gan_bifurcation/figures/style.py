"""The style of all figures: sizes of columns, colours that colour-blind readers tell apart, markers, saving."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from gan_bifurcation.errors import unknown_name
from gan_bifurcation.figures.layout import lay_out, measured_once
from gan_bifurcation.records import write_atomically

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


def places(drawn: Figure) -> list[dict[str, Any]]:
    """Where the axes of a drawn figure lie, and their scales: what turns a place on paper into numbers and back.

    Returns
    -------
    list of dict
        ``box`` is left, top, right and bottom in the SVG file's units; ``x`` and ``y`` are low, high and the scale.
    """
    wide, high = (72.0 * float(v) for v in drawn.get_size_inches())
    found = []
    for ax in drawn.axes:
        box = ax.get_position()
        corners = (box.x0 * wide, (1.0 - box.y1) * high, box.x1 * wide, (1.0 - box.y0) * high)
        scales = {
            "x": [*(float(v) for v in ax.get_xlim()), ax.get_xscale()],
            "y": [*(float(v) for v in ax.get_ylim()), ax.get_yscale()],
        }
        found.append({"box": [round(v, 4) for v in corners], **scales})
    return found


def as_svg(drawn: Figure) -> bytes:
    """A figure as SVG, with the places of its axes in a description."""
    buffer = BytesIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None})
    # Only numbers and names of scales: nothing in it needs escaping.
    about = f'<desc id="places">{json.dumps(places(drawn)).replace("<", "")}</desc>'
    return buffer.getvalue().replace(b"</svg>", about.encode() + b"\n</svg>")


def save(drawn: Axes | Figure, path: str | Path) -> tuple[Path, Path]:
    """Write a figure as SVG and as PNG, each under a temporary name first.

    Parameters
    ----------
    drawn : Axes or Figure
    path : path
        Without a suffix; ``.svg`` and ``.png`` are added.

    Returns
    -------
    pair of Path

    Raises
    ------
    ResultsError
        If the folder cannot be written.
    """
    whole = drawn if isinstance(drawn, Figure) else figure_of(drawn)
    base = Path(path)
    written = []
    engine = whole.get_layout_engine()
    plain = {**STYLE, "figure.autolayout": False, "figure.constrained_layout.use": False}
    with mpl.rc_context(plain), measured_once(whole):
        # The layout is the same for both and takes longer than all the rest: made once, then none, or each of them
        # would draw twice.
        lay_out(whole)
        whole.set_layout_engine(None)
        for suffix in (".svg", ".png"):
            target = base.with_name(base.name + suffix)
            write_atomically(target, as_svg(whole) if suffix == ".svg" else _as_png(whole))
            written.append(target)
        whole.set_layout_engine(engine)
    return written[0], written[1]


def _as_png(drawn: Figure) -> bytes:
    buffer = BytesIO()
    # Packed harder, a picture of lines takes twice the time and a tenth less room.
    packed = {"compress_level": 3}
    drawn.savefig(buffer, format="png", metadata={"Software": "gan_bifurcation"}, pil_kwargs=packed)
    return buffer.getvalue()


def save_all(drawn: Mapping[str, Axes | Figure], folder: str | Path) -> list[Path]:
    """Write several figures under their names."""
    return [path for name, item in drawn.items() for path in save(item, Path(folder) / name)]


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

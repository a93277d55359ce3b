"""Names as mathematics, and labels that keep out of each other's way."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from gan_bifurcation.figures.layout import lay_out, stays_laid_out
from gan_bifurcation.figures.style import figure_of

_SMALL: Final = ("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "kappa", "mu", "nu", "xi", "pi", "rho")
_GREEK: Final = frozenset((*_SMALL, "sigma", "tau", "phi", "chi", "psi", "omega"))
_WHOLE: Final = {"lam": r"\lambda", "lambda_": r"\lambda"}
# Where a label may stand, in points from its anchor: the nearest corners first.
_DIRECTIONS: Final = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1.3), (0, -1.3), (1.3, 0), (-1.3, 0))
_PLACES: Final = [(radius * dx, radius * dy) for radius in (7.0, 12.0, 18.0, 26.0) for dx, dy in _DIRECTIONS]


def math_name(name: str) -> str:
    r"""A name as mathematics for matplotlib.

    >>> math_name("eta_d"), math_name("lam"), math_name("x1_prev"), math_name("a")
    ('$\\eta_{d}$', '$\\lambda$', '$x_{1,\\mathrm{prev}}$', '$a$')
    """
    return f"${math_body(name)}$"


def math_body(name: str) -> str:
    """The same without the dollar signs."""
    head, *rest = [part for part in name.split("_") if part] or [name]
    match = re.fullmatch(r"([A-Za-z]+?)(\d+)", head)
    if match:
        head, rest = match[1], [match[2], *rest]
    if head in _WHOLE:
        base = _WHOLE[head]
    elif head.lower() in _GREEK:
        base = "\\" + head
    else:
        base = head if len(head) == 1 else rf"\mathrm{{{head}}}"
    under = ",".join(part if part.isdigit() or len(part) == 1 else rf"\mathrm{{{part}}}" for part in rest)
    return f"{base}_{{{under}}}" if under else base


def label_of(name: str, words: Mapping[str, str]) -> str:
    """What an axis or a legend says for a name: the words given for it, mathematics for a short name, or itself.

    >>> label_of("eta_d", {}), label_of("growth_rate", {}), label_of("x1", {"x1": "position"})
    ('$\\\\eta_{d}$', 'growth rate', 'position')
    """
    if name in words:
        return words[name]
    head = name.partition("_")[0].rstrip("0123456789")
    short = len(head) <= 1 or head in _WHOLE or head.lower() in _GREEK
    return math_name(name) if short and name.isidentifier() else name.replace("_", " ")


def place_labels(
    ax: Axes,
    labels: Sequence[tuple[float, float, str, str]],
    obstacles: Sequence[Any] = (),
    size: float = 7.0,
    taken: Sequence[tuple[float, float]] = (),
) -> None:
    """Write labels beside their points where they cover no other label, no point and as little of the curves as can be.

    Parameters
    ----------
    ax : Axes
        Its limits are final.
    labels : sequence of (x, y, text, colour)
    obstacles : sequence of array (N, 2)
        Curves in data coordinates.
    size : float
        Of the font, in points.
    taken : sequence of (x, y)
        Where something else is written already.
    """
    inside = [entry for entry in labels if np.all(np.isfinite(entry[:2]))]
    if not inside:
        return
    inside = _once(ax, inside)
    whole = figure_of(ax)
    # Where things are: the layout tells, without drawing anything.
    if whole.get_layout_engine() is None:
        whole.draw_without_rendering()
    else:
        lay_out(whole)
    frame = ax.get_window_extent()
    scale = whole.dpi / 72.0
    dense = [_dense(ax.transData.transform(np.asarray(o, float))) for o in obstacles if len(o)]
    curves = np.concatenate(dense) if dense else np.zeros((0, 2))
    anchors = ax.transData.transform(np.array([entry[:2] for entry in inside]))
    boxes: list[Bbox] = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in anchors]
    for x, y in ax.transData.transform(np.array(taken).reshape(-1, 2)):
        boxes.append(Bbox.from_bounds(x - 8 * scale, y - 8 * scale, 16 * scale, 16 * scale))
    legend = ax.get_legend()
    if legend is not None:
        boxes.append(legend.get_window_extent())
    within = True
    for (x, y, text, colour), anchor in zip(inside, anchors, strict=True):
        width, height = _extent(text, size, scale)
        best: tuple[float, tuple[float, float], Bbox] | None = None
        for rank, (dx, dy) in enumerate(_PLACES):
            left = anchor[0] + dx * scale - (width / 2 if dx == 0 else (width if dx < 0 else 0.0))
            low = anchor[1] + dy * scale - (height / 2 if dy == 0 else (height if dy < 0 else 0.0))
            box = Bbox.from_bounds(left, low, width, height)
            covered = sum(1 for other in boxes if box.overlaps(other))
            outside = not (frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)
            crossed = int(np.sum(_within(curves, box)))
            cost = 1000.0 * covered + 400.0 * outside + 4.0 * crossed + 1.0 * rank
            if best is None or cost < best[0]:
                best = (cost, (dx, dy), box)
        assert best is not None
        _, (dx, dy), box = best
        boxes.append(box)
        within = within and frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        far = max(abs(dx), abs(dy)) > 10.0
        ax.annotate(
            text,
            (x, y),
            xytext=(dx, dy),
            textcoords="offset points",
            ha="center" if dx == 0 else ("right" if dx < 0 else "left"),
            va="center" if dy == 0 else ("top" if dy < 0 else "bottom"),
            color=colour,
            fontsize=size,
            zorder=8,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": colour, "shrinkA": 0, "shrinkB": 2.5} if far else None,
            bbox={"boxstyle": "square,pad=0.12", "fc": (1, 1, 1, 0.75), "ec": "none"},
        )
    if within:
        stays_laid_out(whole)


def _once(ax: Axes, labels: Sequence[tuple[float, float, str, str]]) -> list[tuple[float, float, str, str]]:
    """Without what says the same at the same place: the end of two curves."""
    kept: list[tuple[float, float, str, str]] = []
    for entry in labels:
        place = ax.transData.transform(entry[:2])
        if not any(
            text == entry[2] and np.hypot(*(ax.transData.transform((x, y)) - place)) < 4.0 for x, y, text, _ in kept
        ):
            kept.append(entry)
    return kept


def _extent(text: str, size: float, scale: float) -> tuple[float, float]:
    # A generous estimate: measuring every candidate with the renderer is a hundred times slower.
    plain = re.sub(r"\\mathrm|\\[,; ]|[${}\\]", "", text)
    lines = plain.split("\n")
    return 0.62 * size * scale * max(len(line) for line in lines) + 2 * scale, 1.35 * size * scale * len(lines)


def _dense(points: Any) -> Any:
    """A polyline with a point at least every four pixels."""
    finite = points[np.all(np.isfinite(points), axis=1)]
    if len(finite) < 2:
        return finite
    steps = np.hypot(*np.diff(finite, axis=0).T)
    count = np.clip((steps / 4.0).astype(int) + 1, 1, 400)
    piece = np.repeat(np.arange(len(count)), count + 1)
    place = np.arange(len(piece)) - np.repeat(np.cumsum(count + 1) - (count + 1), count + 1)
    share = (place / count[piece])[:, None]
    return finite[piece] + (finite[piece + 1] - finite[piece]) * share


def _within(points: Any, box: Bbox) -> Any:
    return (points[:, 0] >= box.x0) & (points[:, 0] <= box.x1) & (points[:, 1] >= box.y0) & (points[:, 1] <= box.y1)

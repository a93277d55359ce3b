"""Two parameters: curves of bifurcations, and the regimes between them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as OutlinePath

from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.bifurcation_set import BifurcationSet
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.scales import set_window, spans_decades
from gan_bifurcation.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    as_list,
    axes_or_new,
    pale,
    part_id,
    styled,
    verdict_kind,
    verdict_look,
)
from gan_bifurcation.figures.text import math_name, place_labels

_CURVES: Final[Mapping[str, tuple[str, str]]] = {
    "LP": (RED, "fold"),
    "BP": (GREEN, "branch point"),
    "H": (BLUE, "Hopf"),
    "NS": (BLUE, "Neimark-Sacker"),
    "PD": (PURPLE, "flip"),
    "LPC": (ORANGE, "fold of cycles"),
    "Hom": (BLACK, "homoclinic"),
    "focus": (GREY, "node-focus"),
    "mode": (GREY, "slowest mode changes"),
    "global": (BLACK, "found by runs"),
}
# Borders at which no attractor changes.
_NO_CHANGE: Final[Mapping[str, Any]] = {"focus": (0, (1, 1.3)), "mode": (0, (9, 2.2, 1, 2.2, 1, 2.2))}
_WORDS: Final = ("supercritical", "subcritical", "structural")
_FIFTH: Final = " at fifth order"
_DASHES: Final[Mapping[str, Any]] = {
    "supercritical": "-",
    "subcritical": (0, (4, 1.6)),
    "": "-",
    "structural": (0, (3, 1, 1, 1)),
    "undecided": (0, (6, 1.5, 1, 1.5)),
}


# A regime of a smaller part of the window has no room for its number.
_WORTH_A_NUMBER: Final = 0.006
_DISC: Final[Any] = {"boxstyle": "circle,pad=0.18", "fc": "white", "ec": "0.5", "lw": 0.5}


@styled
def bifurcation_set(
    curves: BifurcationSet | Branch | Sequence[Branch] = (),
    regime_map: Any = None,
    *,
    fill: bool = True,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Curves of bifurcations over two parameters, over the regimes between them.

    Parameters
    ----------
    curves : BifurcationSet, Branch or sequence of Branch
        Curves over the same two parameters; the first is drawn along x.
    regime_map : RegimeMap, optional
        Its regimes are filled, and its borders drawn if no curves are given.
    fill : bool
        Whether to fill the regimes.
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
        Supercritical parts solid, subcritical parts dashed, and grey where no attractor changes (node-focus borders
        dotted). Points of codimension two are marked and named.
    """
    if isinstance(curves, BifurcationSet):
        # Over its own window: where its curves happen to lie says nothing of its scales.
        return _draw(list(curves.curves), regime_map, fill, legend, False, ax, curves)
    return _draw(as_list(curves, Branch), regime_map, fill, legend, False, ax)


@styled
def regime_map(rmap: Any, *, numbers: bool | Sequence[int] = True, legend: bool = True, ax: Axes | None = None) -> Axes:
    """The regimes of a window of two parameters, each filled by its verdict, with the exact borders between them.

    Parameters
    ----------
    rmap : RegimeMap
    numbers : bool or sequence of int
        Whether to number the regimes as in the graph and the tables, or other numbers for them, one a face (as those
        of a stack); small ones stay bare.
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    if len(rmap.window.names) == 1:
        return _intervals(rmap, axes_or_new(ax, aspect=0.35), bool(numbers), legend)
    return _draw([], rmap, True, legend, numbers, ax)


def _draw(
    given: Sequence[Branch], rmap: Any, fill: bool, legend: bool, numbers: bool | Sequence[int],
    ax: Axes | None, found: BifurcationSet | None = None,
) -> Axes:  # fmt: skip
    over = found if rmap is None else rmap
    names = _names(given, over)
    ax = axes_or_new(ax, aspect=0.85)
    handles = []
    window = _window_of(given, over, names)
    set_window(ax, window[0], window[1], window[2])
    if rmap is not None and fill:
        handles += _fill(ax, rmap)
    drawn: list[Any] = []
    labels: list[tuple[float, float, str, str]] = []
    pieces = [(*piece, None) for piece in _pieces_of(given, names)] if given else _pieces_of_borders(rmap)
    known: dict[tuple[str, str], Line2D] = {}
    for label, criticality, points, part in pieces:
        look, words = _look(label, criticality)
        ax.plot(points[:, 0], points[:, 1], **look, zorder=4, gid=part)
        drawn.append(points)
        known.setdefault((label, criticality), Line2D([], [], **look, label=words))
    for branch in given:
        for point in branch.special_points:
            x, y = (point.system.parameters[k] for k in names)
            ax.plot([x], [y], marker="o", ls="", ms=4, color=BLACK, mfc="white", mew=1.0, zorder=6)
            labels.append((x, y, point.label or point.name, BLACK))
    for border in rmap.borders if rmap is not None and not given else ():
        for special in border.special:
            x, y = (float(special["parameters"][k]) for k in names)
            ax.plot([x], [y], marker="o", ls="", ms=4, color=BLACK, mfc="white", mew=1.0, zorder=6)
            labels.append((x, y, str(special["label"]), BLACK))
    labels = list(dict.fromkeys(labels))
    handles = [*known.values(), *handles]
    ax.set_xlabel(math_name(names[0]))
    ax.set_ylabel(math_name(names[1]))
    if legend and handles:
        _legend_below(ax, handles)
    taken = _numbered(ax, rmap, numbers) if numbers else []
    place_labels(ax, [entry for entry in labels if _inside(entry, window)], drawn, taken=taken)
    return ax


def _look(label: str, criticality: str) -> tuple[dict[str, Any], str]:
    """How a border or curve is drawn, and what the legend says of it."""
    colour, word = _CURVES.get(label, (BLACK, label))
    plain = criticality.removesuffix(_FIFTH)
    words = f"{word} ({criticality})" if plain in _WORDS else word
    if label in _NO_CHANGE:
        return {"color": colour, "ls": _NO_CHANGE[label], "lw": 1.1}, words
    return {"color": colour, "ls": _DASHES.get(plain, _DASHES["undecided"]), "lw": 1.6}, words


def criticality_word(text: str) -> str:
    """The word of a criticality that a legend shows; "" where nothing is decided.

    >>> criticality_word("degenerate: the cubic coefficient vanishes within rounding; supercritical at fifth order")
    'supercritical at fifth order'
    """
    words = (*_WORDS, *(word + _FIFTH for word in _WORDS[:2]))
    return next((w for w in words if text.startswith(w) or text.endswith(f"; {w}")), "")


def _numbered(ax: Axes, rmap: Any, numbers: bool | Sequence[int]) -> list[tuple[float, float]]:
    """Write the numbers of the regimes; where they stand."""
    places = []
    own = [face.number for face in rmap.faces] if isinstance(numbers, bool) else numbers
    for face, number in zip(rmap.faces, own, strict=True):
        if face.area > _WORTH_A_NUMBER:
            x, y = (float(face.point[name]) for name in rmap.window.names)
            ax.text(x, y, str(number), ha="center", va="center", fontsize=7, zorder=7, color=BLACK, bbox=_DISC)
            places.append((x, y))
    return places


def window_of(rmap: Any) -> tuple[tuple[str, str], tuple[tuple[float, float], tuple[float, float]], tuple[bool, bool]]:
    """Names, limits and scales of a regime map's two parameters."""
    if len(rmap.window.names) != 2:
        raise MisuseError("This figure is of a regime map over two parameters; draw one over one parameter by itself.")
    (first, a), (second, b) = rmap.window.ranges.items()
    return (first, second), ((a.low, a.high), (b.low, b.high)), (a.log, b.log)


def _names(given: Sequence[Branch], rmap: Any) -> tuple[str, str]:
    free = {b.free for b in given} | ({window_of(rmap)[0]} if rmap is not None else set())
    if not free:
        raise MisuseError("A bifurcation set needs at least one curve over two parameters, or a regime map.")
    if len({frozenset(names) for names in free}) != 1 or any(len(names) != 2 for names in free):
        shown = "; ".join(sorted(", ".join(names) for names in free))
        raise MisuseError(f"The curves of one bifurcation set are over the same two parameters, but got: {shown}.")
    first, second = window_of(rmap)[0] if rmap is not None else given[0].free
    return str(first), str(second)


def _window_of(given: Sequence[Branch], rmap: Any, names: tuple[str, str]) -> Any:
    if rmap is not None:
        return window_of(rmap)[1:][0] + (window_of(rmap)[2],)
    limits = []
    for name in names:
        columns = np.concatenate([b.column(name) for b in given])
        limits.append((float(columns.min()), float(columns.max())))
    logarithmic = (spans_decades(*limits[0]), spans_decades(*limits[1]))
    widened = []
    for (low, high), log in zip(limits, logarithmic, strict=True):
        pad = 1.12 if log else 0.06 * ((high - low) or abs(high) or 1.0)
        widened.append((low / pad, high * pad) if log else (low - pad, high + pad))
    return widened[0], widened[1], logarithmic


def _pieces_of(given: Sequence[Branch], names: Sequence[str] = ()) -> list[tuple[str, str, Any]]:
    """Stretches of equal criticality of each curve: (label, criticality, points), the points over these names."""
    first = names or given[0].free
    pieces: list[tuple[str, str, Any]] = []
    for branch in given:
        points = np.column_stack([branch.column(name) for name in first])
        coefficient = branch.measures.get("coefficient")
        if coefficient is None or branch.curve not in ("H", "NS", "PD") or branch.level:
            pieces.append((branch.curve, "", points))
            continue
        coefficient = _filled(coefficient)
        # A flip's b has the other sign: b > 0 is supercritical (Kuznetsov, theorem 4.4).
        sign = np.sign(-coefficient if branch.curve == "PD" else coefficient)
        words = np.array(["supercritical" if s < 0 else "subcritical" if s > 0 else "undecided" for s in sign])
        cuts = np.flatnonzero(words[1:] != words[:-1]) + 1
        for a, b in zip([0, *cuts], [*cuts, len(points)], strict=True):
            word = str(words[a])
            if word == "undecided" and b - a > 1:
                word = _decided(branch, (a + b) // 2) or word
            # Neighbours share a point, so that the line has no gap.
            pieces.append((branch.curve, word, points[a : b + 1]))
    return pieces


def _decided(branch: Branch, k: int) -> str:
    """What the terms beyond those of third order say at a point of a curve along which these vanish."""
    from gan_bifurcation.continuation.normal_forms import normal_form

    try:
        return criticality_word(str(normal_form(branch.point(k)).get("criticality", "")))
    except MisuseError:
        return ""


def _filled(coefficient: Any) -> Any:
    """Where a coefficient does not exist, as at a strong resonance, the curve goes on as beside it."""
    known = np.flatnonzero(np.isfinite(coefficient))
    if not len(known):
        return coefficient
    nearest = known[np.argmin(np.abs(np.arange(len(coefficient))[:, None] - known[None, :]), axis=1)]
    return coefficient[nearest]


def _pieces_of_borders(rmap: Any) -> list[tuple[str, str, Any, str | None]]:
    """The borders of a map, each with its name in the drawing."""
    pieces: list[tuple[str, str, Any, str | None]] = []
    for number, border in enumerate(rmap.borders):
        points = np.asarray(border.points, dtype=float)
        if len(points) > 1:
            word = criticality_word(str(border.criticality))
            pieces.append((str(border.label), word, points, part_id("border", number)))
    return pieces


def _fill(ax: Axes, rmap: Any) -> list[Any]:
    seen: dict[tuple[str, str], Patch] = {}
    for face in rmap.faces:
        fill, hatch, line = verdict_look(face.verdict, str(face.detail))
        outline = _outline(rmap, face.shape)
        patch = PathPatch(outline, facecolor=fill, edgecolor=pale(line), lw=0.0, hatch=hatch, zorder=1)
        patch.set_gid(part_id("regime", face.number))
        ax.add_patch(patch)
        seen.setdefault(*_swatch(face))
    return [seen[key] for key in sorted(seen)]


def _swatch(face: Any) -> tuple[tuple[str, str], Patch]:
    """What a legend says of a regime, with a key by which legends leave out what they have said."""
    fill, hatch, line = verdict_look(face.verdict, str(face.detail))
    kind = verdict_kind(face.verdict, str(face.detail))
    text = f"{face.verdict}, {kind}" if kind else str(face.verdict)
    return (face.verdict, kind), Patch(facecolor=fill, edgecolor=pale(line), hatch=hatch, lw=0.3, label=text)


def _outline(rmap: Any, shape: Any) -> OutlinePath:
    """The outline of a face, which is in unit coordinates, in natural ones."""
    rings = []
    for part in getattr(shape, "geoms", [shape]):
        rings += [part.exterior, *part.interiors]
    corners = [rmap.window.from_unit(np.asarray(ring.coords)[:, :2]) for ring in rings]
    return OutlinePath.make_compound_path(*(OutlinePath(points, closed=True) for points in corners))


def _intervals(rmap: Any, ax: Axes, numbers: bool, legend: bool) -> Axes:
    """A regime map over one parameter: a band of intervals, with the borders as lines."""
    ((name, window),) = rmap.window.ranges.items()
    ax.set_xscale("log" if window.log else "linear")
    ax.set_xlim(window.low, window.high)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    seen: dict[tuple[str, str], Any] = {}
    places = []
    for face in rmap.faces:
        low, high = (
            float(v) for v in np.ravel(rmap.window.from_unit([[face.shape.bounds[0]], [face.shape.bounds[2]]]))
        )
        fill, hatch, line = verdict_look(face.verdict, face.detail)
        span = ax.axvspan(low, high, facecolor=fill, edgecolor=pale(line), hatch=hatch, lw=0)
        span.set_gid(part_id("regime", face.number))
        seen.setdefault(*_swatch(face))
        if numbers and face.area > _WORTH_A_NUMBER:
            places.append((float(face.point[name]), 0.3))
            ax.text(*places[-1], str(face.number), ha="center", va="center", fontsize=7, bbox=_DISC)
    labels = []
    known: dict[tuple[str, str], Any] = {}
    for number, border in enumerate(rmap.borders):
        x = float(np.ravel(border.points)[0])
        criticality = criticality_word(str(border.criticality))
        look, words = _look(border.label, criticality)
        ax.axvline(x, **look, gid=part_id("border", number))
        known.setdefault((border.label, criticality), Line2D([], [], **look, label=words))
        if border.label not in (*_NO_CHANGE, "global"):
            labels.append((x, 0.8, border.label, BLACK))
    ax.set_xlabel(math_name(name))
    if legend:
        handles = [*known.values(), *(seen[key] for key in sorted(seen))]
        ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    place_labels(ax, labels, taken=places)
    return ax


def _inside(entry: tuple[float, float, str, str], window: Any) -> bool:
    (x0, x1), (y0, y1), _ = window
    return bool(x0 <= entry[0] <= x1 and y0 <= entry[1] <= y1)


def _legend_below(ax: Axes, handles: Sequence[Any]) -> None:
    columns = 2 if len(handles) > 1 else 1
    ax.legend(handles=list(handles), loc="upper center", bbox_to_anchor=(0.5, -0.19), ncols=columns, frameon=False)

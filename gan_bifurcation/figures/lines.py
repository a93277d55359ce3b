"""Lines: columns and fields of tables against each other, and runs against step or time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.figures.scales import tidy
from gan_bifurcation.figures.style import GREY, LINE_COLOURS, axes_or_new, figure, figure_of, styled
from gan_bifurcation.figures.text import label_of
from gan_bifurcation.tables import Table

FloatArray = NDArray[np.float64]

_DASHES: Final[Sequence[Any]] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
_MARKERS: Final = ("o", "s", "^", "D", "v", "P")
# A line of few points shows them; a long one has no room for more than this on a page.
_FEW: Final = 40
_MANY: Final = 4000
_MOST_IN_LEGEND: Final = 30
_PANELS_IN_A_ROW: Final = 4


@dataclass(frozen=True, eq=False)
class Series:
    """One line: its panel, its words in the legend part by part, and its points."""

    panel: str
    parts: tuple[str, ...]
    x: FloatArray
    y: FloatArray

    @property
    def label(self) -> str:
        return ", ".join(self.parts)


Look = tuple[int, int]


def _looks(series: Sequence[Series]) -> dict[tuple[str, ...], Look]:
    """Colour and dashes of each line: where two things tell lines apart, one is the colour and the other the dashes."""
    keys = list(dict.fromkeys(s.parts for s in series))
    if all(len(key) == 2 for key in keys):
        first, second = ({part: k for k, part in enumerate(dict.fromkeys(key[j] for key in keys))} for j in (0, 1))
        if len(first) < len(LINE_COLOURS) and len(second) <= len(_DASHES):
            return {key: (first[key[0]], second[key[1]]) for key in keys}
    return {key: (k, k) for k, key in enumerate(keys)}


@styled
def lines(
    tables: Table | Mapping[str, Table],
    x: str,
    y: str | Sequence[str],
    *,
    group: Sequence[str] = (),
    panel: Sequence[str] = (),
    log: str = "",
    labels: Mapping[str, str] | None = None,
    window: Mapping[str, tuple[float, float]] | None = None,
    reference: Sequence[float] = (),
    width: str = "column",
    ax: Axes | None = None,
) -> Any:
    """Columns of tables against a column, or the rows of a field against its second axis.

    Parameters
    ----------
    tables : Table, or mapping of name to Table
    x : str
        A column; for a field its second axis.
    y : str or sequence of str
        Columns, or fields of which each row is a line.
    group : sequence of str
        Columns whose values tell lines apart.
    panel : sequence of str
        Columns whose values tell panels apart.
    log : str
        Which axes are logarithmic: "", "x", "y" or "xy".
    labels : mapping of name to words, optional
        For names of columns, fields and tables; mathematics otherwise. ``labels["y"]`` names the y axis.
    window : mapping of name to (low, high), optional
        Limits, by `x` and by the first of `y`.
    reference : sequence of float
        Heights of thin dashed lines.
    width : "column" or "page"
        Of the figure of several panels.
    ax : Axes, optional
        For one panel.

    Returns
    -------
    Axes or Figure
        A Figure where `panel` is given.

    Examples
    --------
    >>> rates = Table({"order": [1, 2, 4, 8], "fault": [1e-1, 1e-2, 1e-4, 1e-8]})
    >>> lines(rates, "order", "fault", log="y").get_yscale()
    'log'
    """
    words = labels or {}
    names = [y] if isinstance(y, str) else list(y)
    given = {"": tables} if isinstance(tables, Table) else dict(tables)
    every = [s for name, table in given.items() for s in _series(name, table, x, names, group, panel, words, given)]
    series = [s for s in every if len(s.x)]
    if not series:
        raise MisuseError("There is nothing to draw: the tables have no rows.")
    frames = list(dict.fromkeys(s.panel for s in series))
    if len(frames) > 1:
        columns = min(len(frames), _PANELS_IN_A_ROW)
        rows = -(-len(frames) // columns)
        _, grid = figure(width, (0.42 if width == "page" else 0.85) * rows, rows, columns)
        axes = list(np.ravel(grid))
    else:
        axes = [axes_or_new(ax)]
    looks = _looks(series)
    for number, (place, frame) in enumerate(zip(axes, frames, strict=False)):
        for s in series:
            if s.panel == frame:
                _draw(place, s, looks[s.parts], log)
        _finish(place, log, reference)
        place.set_xlabel(label_of(x, words))
        if number % _PANELS_IN_A_ROW == 0:
            place.set_ylabel(words.get("y") or (label_of(names[0], words) if len(names) == 1 else "value"))
        elif window and names[0] in window:
            place.tick_params(labelleft=False)
        if frame:
            place.set_title(frame)
        if "x" not in log and all(_counts(s.x) for s in series):
            place.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
        for name, limits, setter in ((x, window, place.set_xlim), (names[0], window, place.set_ylim)):
            if limits and name in limits:
                setter(*limits[name])
        tidy(place)
    for place in axes[len(frames) :]:
        place.set_visible(False)
    _legend(axes[: len(frames)], [", ".join(parts) for parts in looks])
    return figure_of(axes[0]) if len(frames) > 1 else axes[0]


def _series(
    source: str, table: Table, x: str, y: Sequence[str], group: Sequence[str], panel: Sequence[str],
    words: Mapping[str, str], given: Mapping[str, Table],
) -> Iterator[Series]:  # fmt: skip
    for name in (*group, *panel):
        if name not in table.columns:
            raise unknown_name("column", name, table.columns)
    head = [words.get(source, source)] if len(given) > 1 else []
    for name in y:
        own = [*head, *([label_of(name, words)] if len(y) > 1 else [])]
        if name in table.fields:
            yield from _rows_of_field(table, name, x, own, group, panel, words)
        else:
            yield from _columns(table, name, x, own, group, panel, words)


def _rows_of_field(
    table: Table, name: str, x: str, own: list[str], group: Sequence[str], panel: Sequence[str],
    words: Mapping[str, str],
) -> Iterator[Series]:  # fmt: skip
    first, second = table.axes
    if x != second:
        raise MisuseError(f"The rows of the field '{name}' are drawn against its second axis '{second}', not '{x}'.")
    values, along = table.fields[name], table.axes[first]
    if (group or panel) and len(next(iter(table.columns.values()))) != len(values):
        raise MisuseError(f"The field '{name}' has {len(values)} rows, but the table has another number of them.")
    for k, row in enumerate(values):
        parts = [_value(c, table.columns[c][k], words) for c in group] or [_value(first, along[k], words)]
        title = ", ".join(_value(c, table.columns[c][k], words) for c in panel)
        yield Series(title, (*own, *parts), table.axes[second], row)


def _columns(
    table: Table, name: str, x: str, own: list[str], group: Sequence[str], panel: Sequence[str],
    words: Mapping[str, str],
) -> Iterator[Series]:  # fmt: skip
    for wanted in (x, name):
        if wanted not in table.columns:
            raise unknown_name("column or field", wanted, [*table.columns, *table.fields])
        if table.columns[wanted].dtype.kind == "U":
            raise MisuseError(f"The column '{wanted}' holds text; lines are drawn of numbers.")
    keys = list(zip(*(table.columns[c].tolist() for c in (*panel, *group)), strict=True))
    for key in dict.fromkeys(keys) if keys else [()]:
        chosen = np.array([k == key for k in keys]) if keys else np.ones(len(table.columns[x]), dtype=bool)
        titles = [_value(c, v, words) for c, v in zip(panel, key, strict=False)]
        parts = [_value(c, v, words) for c, v in zip(group, key[len(panel) :], strict=True)]
        yield Series(", ".join(titles), (*own, *parts), table.columns[x][chosen], table.columns[name][chosen])


def _value(name: str, value: Any, words: Mapping[str, str]) -> str:
    """``name = value``; a value of text speaks for itself."""
    return str(value) if isinstance(value, str) else f"{label_of(name, words)} = {value:g}"


def _draw(ax: Axes, series: Series, look: Look, log: str) -> None:
    x, y = thinned(series.x, np.where(series.y > 0, series.y, np.nan) if "y" in log else series.y)
    if "x" in log:
        x = np.where(x > 0, x, np.nan)
    colours = LINE_COLOURS[1:]
    ax.plot(
        x, y, label=series.label, color=colours[look[0] % len(colours)], ls=_DASHES[look[1] % len(_DASHES)], lw=1.1,
        marker=_MARKERS[look[0] % len(_MARKERS)] if len(x) <= _FEW else "", ms=3.2, mew=0.6,
    )  # fmt: skip


def thinned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A line with the least and the largest of each of many pieces, which looks the same and is short.

    >>> x, y = thinned(np.arange(1e5), np.sin(np.arange(1e5)))
    >>> len(x) <= 4000, bool(y.max() > 0.999999)
    (True, True)
    """
    size = 2 * (-(-len(y) // _MANY))
    if size <= 2:
        return x, y
    count = len(y) // size
    pieces = np.where(np.isfinite(y[: count * size]), y[: count * size], 0.0).reshape(count, size)
    start = np.arange(count) * size
    chosen = np.unique(np.concatenate([start + pieces.argmin(axis=1), start + pieces.argmax(axis=1)]))
    return x[chosen], y[chosen]


def _counts(values: FloatArray) -> bool:
    """Whether what is along x is a number of things: no half of one is worth a tick."""
    finite = values[np.isfinite(values)]
    return bool(np.all(finite == np.round(finite)))


def _finish(ax: Axes, log: str, reference: Sequence[float]) -> None:
    ax.margins(x=0.02)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    for height in reference:
        ax.axhline(height, color=GREY, lw=0.7, ls=(0, (3, 2)), zorder=0)


def _legend(axes: Sequence[Axes], texts: Sequence[str]) -> None:
    """Inside one panel where few lines are told apart, below all panels otherwise."""
    if len(texts) < 2 and not texts[0]:
        return
    handles: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if len(handles) < 2:
        return
    shown = dict(list(handles.items())[:_MOST_IN_LEGEND])
    if len(axes) == 1 and len(shown) <= 4:
        axes[0].legend(shown.values(), shown.keys(), loc="best")
        return
    longest = max(len(re.sub(r"\\[a-zA-Z]+", "x", text).strip("${}")) for text in shown)
    whole = figure_of(axes[0])
    # Letters of 7 points are about 0.05 inches wide; the sample of the line and the room around take the rest.
    columns = max(1, min(len(shown), int(whole.get_figwidth() / (0.58 + 0.05 * longest))))
    columns = -(-len(shown) // -(-len(shown) // columns))
    whole.legend(
        list(shown.values()), list(shown), loc="outside lower center", ncols=columns, frameon=False, fontsize=7
    )


@styled
def time_series(
    orbits: Any,
    states: Sequence[str] | None = None,
    *,
    log: str = "",
    labels: Mapping[str, str] | None = None,
    window: Mapping[str, tuple[float, float]] | None = None,
    reference: Sequence[float] = (),
    axes: Any = None,
) -> Any:
    """States of runs against step or time.

    Parameters
    ----------
    orbits : Orbit, or mapping of name to Orbit
        One run has its states in one panel; several runs have a panel for each state.
    states : sequence of str, optional
        All of them by default, up to six.
    log, labels, window, reference
        As for `lines`.
    axes : Axes or array of Axes, optional
        As many as panels.

    Returns
    -------
    list of Axes
    """
    words = labels or {}
    runs: dict[str, Any] = dict(orbits) if isinstance(orbits, Mapping) else {"": orbits}
    names = list(states or next(iter(runs.values())).names[:6])
    for run in runs.values():
        for name in names:
            if name not in run.names:
                raise unknown_name("state", name, run.names)
    kinds = {run.system.kind for run in runs.values()}
    if len(kinds) > 1:
        raise MisuseError("Runs of maps and of flows were given: steps and time are not drawn along one axis.")
    split = names if len(runs) > 1 else [""]
    places = _stack(axes, len(split))
    for ax, shown in zip(places, split, strict=True):
        drawn = [(run, name, shown) for name in (names if not shown else [shown]) for run in runs.items()]
        for number, ((source, run), name, frame) in enumerate(drawn):
            label = words.get(source, source) if frame else label_of(name, words)
            _draw(ax, Series("", (label,), run.times, run[name]), (number, number), log)
        _finish(ax, log, reference)
        ax.set_ylabel(label_of(shown, words) if shown else (label_of(names[0], words) if len(names) == 1 else "state"))
        if window and (shown or names[0]) in window:
            ax.set_ylim(*window[shown or names[0]])
        for key in ("step", "time"):
            if window and key in window:
                ax.set_xlim(*window[key])
        tidy(ax)
    places[-1].set_xlabel("step" if kinds == {"map"} else "time")
    for ax in places[:-1]:
        ax.tick_params(labelbottom=False)
    _legend(places, [words.get(k, k) for k in runs] if len(runs) > 1 else [label_of(n, words) for n in names])
    return places


def _stack(axes: Any, count: int) -> list[Axes]:
    if axes is not None:
        return list(np.ravel(axes))
    if count == 1:
        return [axes_or_new(None)]
    return list(np.ravel(figure("column", 0.3 + 0.32 * count, count, 1)[1]))

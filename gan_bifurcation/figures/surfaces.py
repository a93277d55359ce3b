"""Fields of tables: landscapes with orbits on top, and cell pictures side by side with exact curves on top."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator

from gan_bifurcation.branch import Branch
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.figures.scales import spans_decades, tidy
from gan_bifurcation.figures.sets import _CURVES, _pieces_of
from gan_bifurcation.figures.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    VERDICTS,
    WIDTHS,
    axes_or_new,
    figure_of,
    styled,
)
from gan_bifurcation.figures.text import label_of
from gan_bifurcation.tables import Table

_MOST_CELLS: Final = 200
_MOST_IN_A_ROW: Final = 4
_LEVELS: Final = 24
# From so many cells on, half a cell is no more than a line is wide.
_FINE: Final = 60
_OVER: Final = (ORANGE, SKY, RED, PURPLE)
# Fill, hatch and line colour of cells by category, told apart without colour too.
_CATEGORIES: Final = (
    *VERDICTS.values(), ("#CDE6F5", "", SKY), ("#E6D5E8", "\\\\\\", PURPLE), ("#FFFFFF", "", GREY),
    ("#B8C4D6", "|||", BLUE),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Plane:
    """A table's fields as x along columns and y along rows."""

    x: str
    y: str
    table: Table
    turned: bool

    @property
    def grids(self) -> tuple[Any, Any]:
        return self.table.axes[self.x], self.table.axes[self.y]

    def values(self, field: str) -> Any:
        """Shape (len(y), len(x)), as pictures have it."""
        if field not in self.table.fields:
            raise unknown_name("field of the table", field, self.table.fields)
        found = self.table.fields[field]
        return found if self.turned else found.T

    def is_log(self, log: str) -> tuple[bool, bool]:
        """Which axes are logarithmic: as given, or those whose grid is even in the logarithm."""
        return tuple(letter in log or (not log and _even_in_log(g)) for letter, g in zip("xy", self.grids, strict=True))  # type: ignore[return-value]


def _even_in_log(grid: Any) -> bool:
    if len(grid) < 3 or not spans_decades(float(np.min(grid)), float(np.max(grid))):
        return False
    steps = np.diff(np.log(grid))
    return bool(np.ptp(steps) < 1e-6 * abs(steps[0]))


def _plane(table: Table, x: str) -> _Plane:
    if len(table.axes) != 2 or not table.fields:
        raise MisuseError("A picture of a field needs a table with two axes and a field; this one has none.")
    first, second = table.axes
    if x and x not in table.axes:
        raise unknown_name("axis of the table", x, table.axes)
    turned = x == second
    return _Plane(second if turned else first, first if turned else second, table, turned)


@styled
def landscape(
    table: Table,
    field: str,
    over: Mapping[str, Any] | None = None,
    *,
    x: str = "",
    log: str = "",
    labels: Mapping[str, str] | None = None,
    levels: int = _LEVELS,
    ax: Axes | None = None,
) -> Axes:
    """A field as filled contours with a colour bar; orbits and curves on top.

    Parameters
    ----------
    table : Table
        With two axes.
    field : str
    over : mapping of name to Orbit or Branch, optional
        Orbits of systems with both axes among their states begin at a dot and end at a cross; branches over both axes
        are drawn as lines.
    x : str
        The axis along x, the first one by default.
    log : str
        Which of x, y and z (the colours) are logarithmic; by default the axes whose grids are even in the logarithm.
    labels : mapping of name to words, optional
    levels : int
        Of the contours, about.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    words = labels or {}
    plane = _plane(table, x)
    values = plane.values(field)
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise MisuseError(f"The field '{field}' has no finite value to draw.")
    low, high = float(finite.min()), float(finite.max())
    if "z" in log and low <= 0:
        raise MisuseError(f"Logarithmic colours need positive values, but '{field}' goes down to {low:g}.")
    ax = axes_or_new(ax, aspect=0.85)
    logs = plane.is_log(log.replace("z", ""))
    ax.set_xscale("log" if logs[0] else "linear")
    ax.set_yscale("log" if logs[1] else "linear")
    if "z" in log and high > low:
        steps: Any = np.geomspace(low, high, levels + 1)
        norm: Any = LogNorm(low, high)
    else:
        steps = MaxNLocator(levels).tick_values(low, high) if high > low else np.array([low - 0.5, low + 0.5])
        norm = Normalize(float(steps[0]), float(steps[-1]))
    drawn = ax.contourf(*plane.grids, np.ma.masked_invalid(values), levels=steps, norm=norm, cmap="cividis")
    # Hairlines between the fills of contours show in many viewers of SVG; drawing each in its own colour hides them.
    drawn.set_edgecolor("face")
    drawn.set_linewidth(0.3)
    drawn.set_rasterized(True)
    ax.contour(
        *plane.grids,
        np.ma.masked_invalid(values),
        levels=steps[::3],
        colors="white",
        linewidths=0.35,
        linestyles="solid",
        alpha=0.6,
    )
    bar = figure_of(ax).colorbar(drawn, ax=ax, label=label_of(field, words), pad=0.02, aspect=26)
    if "z" in log:
        bar.locator = LogLocator()
        bar.update_ticks()
    handles = _on_top(ax, over or {}, plane, words)
    ax.set_xlim(*_limits(plane.grids[0]))
    ax.set_ylim(*_limits(plane.grids[1]))
    tidy(ax)
    ax.set_xlabel(label_of(plane.x, words))
    ax.set_ylabel(label_of(plane.y, words))
    if handles:
        figure_of(ax).legend(
            handles=handles, loc="outside lower center", ncols=min(3, len(handles)), frameon=False, fontsize=7
        )
    return ax


def _limits(grid: Any) -> tuple[float, float]:
    return float(np.min(grid)), float(np.max(grid))


def _limits_of_cells(grid: Any, log: bool) -> tuple[float, float]:
    """With the outer halves of the first and the last cell, where they can be seen."""
    if not 2 <= len(grid) <= _FINE:
        return _limits(grid)
    if log:
        first, last = np.sqrt(grid[1] / grid[0]), np.sqrt(grid[-1] / grid[-2])
        return float(grid[0] / first), float(grid[-1] * last)
    return float(grid[0] - 0.5 * (grid[1] - grid[0])), float(grid[-1] + 0.5 * (grid[-1] - grid[-2]))


def _on_top(ax: Axes, over: Mapping[str, Any], plane: _Plane, words: Mapping[str, str]) -> list[Line2D]:
    handles = []
    for number, (name, item) in enumerate(over.items()):
        colour = _OVER[number % len(_OVER)]
        if isinstance(item, Branch):
            missing = [a for a in (plane.x, plane.y) if a not in item.free and a not in item.system.states]
            if missing:
                raise unknown_name(f"column of '{name}'", missing[0], [*item.free, *item.system.states])
            path = np.column_stack([item.column(plane.x), item.column(plane.y)])
        else:
            for axis in (plane.x, plane.y):
                if axis not in item.names:
                    raise unknown_name(f"state of '{name}'", axis, item.names)
            path = np.column_stack([item[plane.x], item[plane.y]])
        ax.plot(*path.T, color="black", lw=2.4, zorder=5)
        ax.plot(*path.T, color=colour, lw=1.3, zorder=6)
        if not isinstance(item, Branch):
            ax.plot(*path[:1].T, marker="o", ms=5, color=colour, mec="black", mew=0.8, zorder=7, ls="")
            ax.plot(*path[-1:].T, marker="X", ms=6, color=colour, mec="black", mew=0.8, zorder=7, ls="")
        handles.append(Line2D([], [], color=colour, lw=1.6, label=words.get(name, name)))
    if any(not isinstance(item, Branch) for item in over.values()):
        handles += [
            Line2D([], [], marker="o", ls="", color="white", mec="black", ms=5, label="start"),
            Line2D([], [], marker="X", ls="", color="white", mec="black", ms=6, label="end"),
        ]
    return handles


def panel_grid(count: int) -> tuple[int, int]:
    """Rows and columns for a number of panels: at most four in a row, and rows as equal as they can be.

    >>> panel_grid(3), panel_grid(6), panel_grid(8)
    ((1, 3), (2, 3), (2, 4))
    """
    rows = -(-count // _MOST_IN_A_ROW)
    return rows, -(-count // rows)


@styled
def heat_map(
    table: Table,
    fields: Sequence[str] = (),
    *,
    x: str = "",
    log: str = "",
    curves: Mapping[str, Sequence[Branch]] | None = None,
    threshold: float | None = None,
    contour: str = "",
    categories: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    axes: Any = None,
) -> Any:
    """Fields of a table cell by cell, side by side with one scale of colours; exact curves on top.

    Parameters
    ----------
    table : Table
        With two axes.
    fields : sequence of str
        All but `contour` by default.
    x, log
        As for `landscape`.
    curves : mapping of field to sequence of Branch, optional
        Branches over both axes, in either order.
    threshold : float, optional
        Cells above it are hatched and have no colour of their own.
    contour : str
        A field of zeros and ones, whose border is a dotted white line in every panel.
    categories : sequence of str
        Words for the values 0, 1, ...: each has a colour and a hatch instead of a place on a scale.
    labels : mapping of name to words, optional
        ``labels["colour"]`` names the colour bar, ``labels["threshold"]`` what is above the threshold.
    axes : array of Axes, optional
        As many as fields, or a grid of a few more (`panel_grid`), whose last ones are taken away.

    Returns
    -------
    array of Axes
    """
    words = labels or {}
    plane = _plane(table, x)
    shown = list(fields) or [name for name in table.fields if name != contour]
    if axes is None:
        import matplotlib.pyplot as plt

        size = WIDTHS["page" if len(shown) > 1 else "column"]
        rows, across = panel_grid(len(shown))
        axes = plt.subplots(rows, across, figsize=(size, 0.4 + 2.6 * rows), layout="constrained", squeeze=False)[1]
    grid = np.atleast_1d(axes)
    across = grid.shape[-1]
    for ax in grid.ravel()[len(shown) :]:
        ax.remove()
    every = grid.ravel()[: len(shown)]
    values = {name: plane.values(name) for name in shown}
    known = {} if categories else {"norm": _shared_scale(values, threshold, log)}
    mesh = None
    handles: dict[str, Any] = {}
    for number, (name, ax) in enumerate(zip(shown, every, strict=True)):
        logs = plane.is_log(log.replace("z", ""))
        ax.set_xscale("log" if logs[0] else "linear")
        ax.set_yscale("log" if logs[1] else "linear")
        if categories:
            handles |= _cells_by_category(ax, plane, values[name], categories)
        else:
            mesh = _cells(ax, plane, values[name], threshold, known["norm"])
            if threshold is not None and np.any(values[name] > threshold):
                text = words.get("threshold", f"above {threshold:g}")
                handles[text] = Patch(facecolor="#F6C9AE", edgecolor=RED, hatch="xxx", lw=0.3, label=text)
        if contour and 0 < plane.values(contour).mean() < 1:
            dots: Any = (0, (1, 1.4))
            ax.contour(*plane.grids, plane.values(contour), [0.5], colors="white", linewidths=0.9, linestyles=[dots])
            text = f"{words.get(contour, contour)} (white)"
            handles[text] = Line2D([], [], color=GREY, lw=0.9, ls=dots, label=text)
        handles = _borders(ax, (curves or {}).get(name, ()), plane) | handles
        ax.set_xlim(*_limits_of_cells(plane.grids[0], logs[0]))
        ax.set_ylim(*_limits_of_cells(plane.grids[1], logs[1]))
        tidy(ax)
        if len(shown) > 1 or name in words:
            ax.set_title(words.get(name, name.replace("_", " ")))
        if number + across >= len(shown):
            ax.set_xlabel(label_of(plane.x, words))
        else:
            ax.tick_params(labelbottom=False)
        if number % across == 0:
            ax.set_ylabel(label_of(plane.y, words))
        else:
            ax.tick_params(labelleft=False)
    whole = figure_of(every[0])
    if mesh is not None:
        text = words.get("colour", label_of(shown[0], words) if len(shown) == 1 else "value")
        whole.colorbar(mesh, ax=list(every), label=text, pad=0.01, aspect=26)
    if handles:
        most = 4 if len(every) > 1 else 2
        columns = -(-len(handles) // -(-len(handles) // most))
        whole.legend(handles=list(handles.values()), loc="outside lower center", ncols=columns, frameon=False)
    return every


def _shared_scale(values: Mapping[str, Any], threshold: float | None, log: str) -> Normalize:
    joined = np.concatenate([v[np.isfinite(v)].ravel() for v in values.values()])
    if threshold is not None:
        joined = joined[joined <= threshold]
    if not joined.size:
        return Normalize(0.0, 1.0)
    low, high = float(joined.min()), float(joined.max()) if threshold is None else threshold
    if "z" in log:
        if low <= 0:
            raise MisuseError(f"Logarithmic colours need positive values, but the fields go down to {low:g}.")
        return LogNorm(low, high)
    return Normalize(min(low, high - 0.01 * max(abs(high), 1e-12)), high)


def _thin(plane: _Plane, values: Any) -> tuple[Any, Any, Any]:
    """As many cells as a page resolves; borders are drawn from all of them."""
    columns, rows = (max(1, len(grid) // _MOST_CELLS) for grid in plane.grids)
    return plane.grids[0][::columns], plane.grids[1][::rows], values[::rows, ::columns]


def _cells(ax: Axes, plane: _Plane, values: Any, threshold: float | None, norm: Normalize) -> Any:
    inside = values if threshold is None else np.where(values <= threshold, values, np.nan)
    x, y, cells = _thin(plane, inside)
    mesh = ax.pcolormesh(
        x, y, np.ma.masked_invalid(cells), norm=norm, cmap="cividis", shading="nearest", rasterized=True
    )
    if threshold is not None and (values > threshold).any():
        _hatched(ax, plane, values > threshold, "#F6C9AE", "xxx", RED)
    return mesh


def _hatched(ax: Axes, plane: _Plane, where: Any, fill: str, hatch: str, line: str) -> None:
    filled = ax.contourf(*plane.grids, where.astype(float), levels=[0.5, 1.5], colors=[fill], hatches=[hatch])
    filled.set_edgecolor(line)
    filled.set_linewidth(0.0)


def _cells_by_category(ax: Axes, plane: _Plane, values: Any, categories: Sequence[str]) -> dict[str, Any]:
    found = np.round(values)
    if not np.all((found >= 0) & (found < len(categories)) | ~np.isfinite(values)):
        raise MisuseError(
            f"A field by category has whole numbers from 0 to {len(categories) - 1}, but got {np.nanmax(values):g}."
        )
    looks = [_CATEGORIES[k % len(_CATEGORIES)] for k in range(len(categories))]
    colours = ListedColormap([fill for fill, _, _ in looks])
    norm = BoundaryNorm(np.arange(-0.5, len(categories)), len(categories))
    ax.pcolormesh(
        *plane.grids, np.ma.masked_invalid(found), norm=norm, cmap=colours, shading="nearest", rasterized=True
    )
    handles = {}
    for k, (word, (fill, hatch, line)) in enumerate(zip(categories, looks, strict=True)):
        where = found == k
        if where.any():
            if hatch:
                _hatched(ax, plane, where, "none", hatch, line)
            handles[word] = Patch(facecolor=fill, edgecolor=line, hatch=hatch, lw=0.4, label=word)
    return handles


def _borders(ax: Axes, curves: Sequence[Branch], plane: _Plane) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    for branch in curves:
        for axis in (plane.x, plane.y):
            if axis not in branch.free:
                raise unknown_name("parameter of the curve", axis, branch.free)
        order = [branch.free.index(plane.x), branch.free.index(plane.y)]
        for label, criticality, points in _pieces_of([branch]):
            colour = _CURVES.get(label, (BLACK, label))[0]
            dashes: Any = (0, (4, 1.6)) if criticality.startswith("subcritical") else "-"
            ax.plot(points[:, order[0]], points[:, order[1]], color="white", lw=2.6, zorder=5)
            ax.plot(points[:, order[0]], points[:, order[1]], color=colour, lw=1.4, ls=dashes, zorder=6)
            word = _CURVES.get(label, (BLACK, label))[1]
            text = f"{word} ({criticality})" if criticality else word
            handles[text] = Line2D([], [], color=colour, lw=1.4, ls=dashes, label=text)
    return handles

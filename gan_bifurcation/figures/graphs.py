"""The regime graph: regimes as nodes, shared borders as edges."""

from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.sets import criticality_word
from gan_bifurcation.figures.style import GREY, axes_or_new, mark_of, part_id, styled, verdict_kind, verdict_look


@styled
def regime_graph(rmap: Any, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """The regimes as nodes sized by area and coloured by verdict, joined where they share a border, named by its label.

    Parameters
    ----------
    rmap : RegimeMap or networkx graph
        With ``verdict`` and ``area`` on nodes and ``label`` on edges.
    legend : bool
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    import networkx as nx

    graph = rmap if isinstance(rmap, nx.Graph) else getattr(rmap, "graph", None)
    if not isinstance(graph, nx.Graph):
        raise MisuseError(f"A regime graph is drawn of a regime map or its graph, got {type(rmap).__name__}.")
    ax = axes_or_new(ax, aspect=0.85)
    ax.set_axis_off()
    if not len(graph):
        ax.text(0.5, 0.5, "no regimes", ha="center", va="center", transform=ax.transAxes, color=GREY)
        return ax
    places = _places(graph)
    areas = np.array([float(graph.nodes[n].get("area", 1.0) or 0.0) for n in graph])
    share = areas / (areas.sum() or 1.0)
    radius = {n: float(s) for n, s in zip(graph, 90 + 1500 * share, strict=True)}
    _edges(ax, graph, places)
    seen: dict[str, Patch] = {}
    for n in graph:
        data = graph.nodes[n]
        verdict, detail = str(data.get("verdict", "")), str(data.get("detail", "") or "")
        fill, hatch, line = verdict_look(verdict, detail)
        x, y = places[n]
        gid = part_id("regime", n) if isinstance(n, int) else None
        ax.scatter([x], [y], s=radius[n], color=fill, edgecolors=line, linewidths=1.2, zorder=3, gid=gid)
        ax.text(
            x,
            y,
            str(n),
            ha="center",
            va="center",
            fontsize=7.5,
            zorder=4,
            bbox={"boxstyle": "circle,pad=0.1", "fc": (1, 1, 1, 0.8), "ec": "none"},
        )
        kind = verdict_kind(verdict, detail)
        words = f"{verdict}, {kind}" if kind else verdict
        seen.setdefault(words, Patch(facecolor=fill, edgecolor=line, hatch=hatch, lw=0.5, label=words))
    ax.margins(0.16)
    if legend:
        size = Line2D([], [], marker="o", ls="", mfc="white", mec=GREY, label="area of a regime")
        ax.legend(
            handles=[*seen.values(), size], loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, frameon=False
        )
    return ax


def _places(graph: Any) -> dict[Any, Any]:
    """Positions by distances in the graph, in the layout with the fewest crossings."""
    import networkx as nx

    simple = nx.Graph(graph)
    if len(simple) == 1:
        return dict.fromkeys(simple, (0.0, 0.0))
    starts = [nx.circular_layout(simple), nx.shell_layout(simple)]
    planar, _ = nx.check_planarity(simple)
    if planar:
        starts.append(nx.planar_layout(simple))
    if nx.is_connected(simple):
        found = [nx.kamada_kawai_layout(simple, pos=start) for start in starts]
    else:
        found = [nx.spring_layout(simple, pos=start, seed=1, iterations=200) for start in starts]
    if planar:
        found.append(starts[-1])
    return min(found, key=lambda places: _crossings(simple, places))


def _crossings(graph: Any, places: dict[Any, Any]) -> int:
    def side(a: Any, b: Any, c: Any) -> float:
        return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    count = 0
    for (a, b), (c, d) in combinations(graph.edges, 2):
        if len({a, b, c, d}) == 4:
            p, q, r, s = (places[n] for n in (a, b, c, d))
            count += side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0
    return count


def _edges(ax: Axes, graph: Any, places: dict[Any, Any]) -> None:
    """One line for each pair of regimes, with the labels of all their borders."""
    words: dict[tuple[Any, Any], list[tuple[str, str]]] = {}
    for u, v, data in graph.edges(data=True):
        if u == v:
            continue
        key = (u, v) if (v, u) not in words else (v, u)
        entry = (str(data.get("label", "")), criticality_word(str(data.get("criticality", "") or "")))
        if entry not in words.setdefault(key, []):
            words[key].append(entry)
    for (u, v), entries in words.items():
        (x0, y0), (x1, y1) = places[u], places[v]
        label = entries[0][0].split()[0] if entries[0][0] else ""
        colour = mark_of(label)[0] if label in ("LP", "BP", "H", "NS", "PD") else GREY
        dashed = any(c.startswith("subcritical") for _, c in entries)
        ax.plot([x0, x1], [y0, y1], color=colour, lw=1.3, ls=(0, (4, 1.6)) if dashed else "-", zorder=1)
        shown = "\n".join(dict.fromkeys(_short(*entry) for entry in entries))
        ax.text(
            0.5 * (x0 + x1), 0.5 * (y0 + y1), shown, ha="center", va="center", fontsize=6.5, color=colour, zorder=2,
            bbox={"boxstyle": "square,pad=0.1", "fc": (1, 1, 1, 0.85), "ec": "none"},
        )  # fmt: skip


def _short(label: str, criticality: str) -> str:
    short = criticality.replace("critical at fifth order", ", order 5").removesuffix("critical")
    return f"{label} ({short})" if short != criticality else label

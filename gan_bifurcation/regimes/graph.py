"""The graph of a regime map: regimes are nodes, borders are edges, all values plain."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import networkx as nx
import numpy as np
import shapely

from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import ResultsError
from gan_bifurcation.records import write_atomically
from gan_bifurcation.regimes.attractors import Attractor
from gan_bifurcation.regimes.regime import Border, Regime, RegimeMap

FORMAT: Final = 1


def number(value: float) -> float | None:
    """A float as a plain value: what is not a number is None, because JSON has no word for it."""
    return float(value) if math.isfinite(value) else None


def attractor_record(attractor: Attractor, states: tuple[str, ...]) -> dict[str, Any]:
    """An attractor as plain values; what it has for each state by name."""
    record: dict[str, Any] = {}
    for f in fields(attractor):
        value = getattr(attractor, f.name)
        if isinstance(value, tuple):
            record[f.name] = {name: number(v) for name, v in zip(states, value, strict=False)}
        else:
            record[f.name] = number(value) if isinstance(value, float) else value
    return record


def build_graph(rmap: RegimeMap) -> Any:
    """A MultiGraph with plain values.

    Nodes have verdict, detail, attractors (list of mappings), area (part of the window), polygon (WKT in natural
    units), worst_rate (largest modulus or real part at the representative point), point, confirmed, note. Edges have
    label, criticality, length (unit coordinates), codimension_two (list of mappings), points (natural units), exact,
    how (see `Border`).
    """
    graph = nx.MultiGraph(
        name=rmap.system.name,
        kind=rmap.system.kind,
        window=rmap.window.record(),
        parameters={k: float(v) for k, v in rmap.system.parameters.items()},
        tolerance=float(rmap.tolerance),
        notes=list(rmap.notes),
        outcome=rmap.outcome.code,
        transitions=None if rmap.crossings is None else [asdict(t) for t in rmap.crossings],
    )
    for face in rmap.faces:
        graph.add_node(face.number, **_node(face, rmap))
    for border in rmap.borders:
        graph.add_edge(*border.faces, **_edge(border))
    return graph


def _node(face: Regime, rmap: RegimeMap) -> dict[str, Any]:
    return {
        "verdict": face.verdict,
        "detail": face.detail,
        "attractors": [attractor_record(a, rmap.system.states) for a in face.attractors],
        "area": float(face.area),
        "polygon": shapely.to_wkt(natural_shape(face.shape, rmap.window), rounding_precision=-1),
        "worst_rate": number(face.radius),
        "point": {k: float(v) for k, v in face.point.items()},
        "confirmed": int(face.confirmed),
        "note": face.note,
    }


def _edge(border: Border) -> dict[str, Any]:
    return {
        "label": border.label,
        "criticality": border.criticality,
        "length": float(border.length),
        "codimension_two": [{**s, "parameters": dict(s["parameters"])} for s in border.special],
        "points": border.points.tolist(),
        "exact": border.curve is not None or (len(border.unit) == 1 and border.label not in ("global", "mode")),
        "how": border.how,
    }


def natural_shape(shape: Any, window: Window) -> Any:
    """A shape in unit coordinates in natural units."""

    def convert(c: Any) -> Any:
        if window.dimension == 1:
            return np.column_stack([window.from_unit(c[:, :1]), c[:, 1]])
        return window.from_unit(c)

    return shapely.transform(shape, convert)


def to_json(graph: Any) -> str:
    """The graph as JSON text; `from_json` gives an equal graph, directed or not."""
    data = {
        "format": FORMAT,
        "directed": graph.is_directed(),
        "graph": graph.graph,
        "nodes": [{"id": n, **attributes} for n, attributes in graph.nodes(data=True)],
        "edges": [
            {"source": a, "target": b, "key": k, **attributes}
            for a, b, k, attributes in graph.edges(keys=True, data=True)
        ],
    }
    return json.dumps(data, indent=1, allow_nan=False)


def from_json(text: str) -> Any:
    """The graph that `to_json` wrote.

    Raises
    ------
    ResultsError
        If the text is not such a graph.
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ResultsError(f"The graph has format {data['format']!r}, expected {FORMAT}; compute the map again.")
        graph = nx.MultiDiGraph(**data["graph"]) if data.get("directed", False) else nx.MultiGraph(**data["graph"])
        for node in data["nodes"]:
            graph.add_node(node["id"], **{k: v for k, v in node.items() if k != "id"})
        for edge in data["edges"]:
            rest = {k: v for k, v in edge.items() if k not in ("source", "target", "key")}
            graph.add_edge(edge["source"], edge["target"], key=edge["key"], **rest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"The graph is damaged ({type(error).__name__}); compute the map again.") from error
    return graph


# Beside each node and edge of GraphML: what is JSON text there, and what has no value.
_JSON: Final = "json_text"
_NONE: Final = "without_value"


def to_graphml(graph: Any, path: Path) -> Path:
    """Write the graph as GraphML: lists and mappings as JSON text; `from_graphml` gives an equal graph."""
    flat = nx.MultiDiGraph() if graph.is_directed() else nx.MultiGraph()
    flat.graph.update(_flat(graph.graph))
    for n, attributes in graph.nodes(data=True):
        flat.add_node(n, **_flat(attributes))
    for a, b, k, attributes in graph.edges(keys=True, data=True):
        flat.add_edge(a, b, key=k, **_flat(attributes))
    text = "\n".join(nx.generate_graphml(flat, named_key_ids=True))
    write_atomically(path, text.encode())
    return path


def from_graphml(path: str | Path) -> Any:
    """The graph that `to_graphml` wrote.

    Raises
    ------
    ResultsError
        If the file is missing or holds no such graph.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        # Entities would be expanded before anything is checked.
        if "<!ENTITY" in text or "<!DOCTYPE" in text:
            raise ValueError("a document type")
        read = nx.parse_graphml(text, force_multigraph=True)
        whole = all(str(n).lstrip("-").isdigit() for n in read)
        graph = nx.MultiDiGraph() if read.is_directed() else nx.MultiGraph()
        graph.graph.update(_whole(read.graph))
        for n, attributes in read.nodes(data=True):
            graph.add_node(int(n) if whole else n, **_whole(attributes))
        for a, b, k, attributes in read.edges(keys=True, data=True):
            ends = (int(a), int(b)) if whole else (a, b)
            graph.add_edge(*ends, key=int(k), **_whole(attributes))
    except OSError as error:
        raise ResultsError(f"The graph '{path}' cannot be read ({error.strerror}); save the map again.") from error
    except (ValueError, KeyError, TypeError, AttributeError, SyntaxError, nx.NetworkXError) as error:
        raise ResultsError(f"The graph '{path}' is damaged ({type(error).__name__}); compute the map again.") from error
    return graph


def _flat(attributes: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for k, v in attributes.items():
        if v is not None:
            flat[k] = json.dumps(v) if isinstance(v, list | dict | tuple) else v
    flat[_JSON] = " ".join(k for k, v in attributes.items() if isinstance(v, list | dict | tuple))
    flat[_NONE] = " ".join(k for k, v in attributes.items() if v is None)
    return flat


def _whole(attributes: Mapping[str, Any]) -> dict[str, Any]:
    text = set(str(attributes.get(_JSON, "")).split())
    made = {k: json.loads(v) if k in text else v for k, v in attributes.items() if k not in (_JSON, _NONE)}
    # GraphML knows no list of defaults, but networkx adds two.
    made = {k: v for k, v in made.items() if k not in ("node_default", "edge_default")}
    return made | dict.fromkeys(str(attributes.get(_NONE, "")).split())

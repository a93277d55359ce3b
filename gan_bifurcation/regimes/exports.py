"""A regime map for other programs: GeoJSON of its faces and borders, tables."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from gan_bifurcation.errors import unknown_name
from gan_bifurcation.regimes.graph import natural_shape
from gan_bifurcation.regimes.regime import RegimeMap

if TYPE_CHECKING:
    import pandas as pd

TABLES: Final = ("regimes", "borders", "attractors", "transitions")


def to_geojson(rmap: RegimeMap) -> str:
    """Faces and borders as a FeatureCollection, its coordinates the two parameters in natural units.

    Properties are those of the graph's nodes and edges, and `part` ("regime" or "border"); a member `window` of the
    collection names the axes.
    """
    features = []
    graph = rmap.graph
    for face in rmap.faces:
        properties = {k: v for k, v in graph.nodes[face.number].items() if k != "polygon"}
        shape = natural_shape(face.shape, rmap.window)
        features.append(_feature(face.number, shape, {"part": "regime", "number": face.number, **properties}))
    for k, border in enumerate(rmap.borders):
        points = np.asarray(border.points, dtype=float)
        flat = points if points.shape[1] == 2 else np.column_stack([points, np.zeros(len(points))])
        shape = shapely.Point(flat[0]) if len(flat) == 1 else shapely.LineString(flat)
        properties = {
            "part": "border", "number": k, "regimes": list(border.faces), "label": border.label,
            "criticality": border.criticality, "length": float(border.length), "how": border.how,
            "codimension_two": [{**s, "parameters": dict(s["parameters"])} for s in border.special],
        }  # fmt: skip
        features.append(_feature(f"border {k}", shape, properties))
    collection = {
        "type": "FeatureCollection",
        "window": rmap.window.record(),
        "name": rmap.system.name,
        "features": features,
    }
    return json.dumps(collection, allow_nan=False)


def _feature(identifier: Any, shape: Any, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": identifier,
        "geometry": shapely.geometry.mapping(shape),
        "properties": dict(properties),
    }


def to_dataframe(rmap: RegimeMap, of: str) -> "pd.DataFrame":
    """One row for each regime, border, attractor of a regime, or transition (needs pandas)."""
    import pandas as pd

    if of not in TABLES:
        raise unknown_name("table of a regime map", str(of), TABLES)
    rows: list[dict[str, Any]] = []
    if of == "regimes":
        for f in rmap.faces:
            rows.append({
                "number": f.number, "verdict": f.verdict, "detail": f.detail, "area": f.area, **f.point,
                "worst_rate": f.radius, "attractors": len(f.attractors), "confirmed": f.confirmed, "note": f.note,
            })  # fmt: skip
    elif of == "borders":
        for k, b in enumerate(rmap.borders):
            middle = rmap.window.values(b.unit[len(b.unit) // 2])
            rows.append({
                "number": k, "label": b.label, "criticality": b.criticality, "regime": b.faces[0],
                "other": b.faces[1], "length": b.length, "how": b.how, **middle,
                "special": " ".join(str(s["label"]) for s in b.special),
            })  # fmt: skip
    elif of == "attractors":
        for f in rmap.faces:
            for a in f.attractors:
                states = dict(zip(rmap.system.states, a.state, strict=False))
                plain = {k: v for k, v in asdict(a).items() if k not in ("state", "low", "high")}
                rows.append({"regime": f.number, **plain, **states})
    else:
        rows = [asdict(t) for t in rmap.transitions]
    return pd.DataFrame(rows)

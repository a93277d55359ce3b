"""A regime map on disk: JSON and arrays, nothing that is executed when it is read."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import shapely

from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.problem import Condition
from gan_bifurcation.continuation.set_curves import Curve
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import Outcome, ResultsError
from gan_bifurcation.ranges import Range
from gan_bifurcation.records import read_files, system_from_record, system_record, write_atomically, write_files
from gan_bifurcation.regimes.attractors import Attractor
from gan_bifurcation.regimes.crossing import Transition
from gan_bifurcation.regimes.graph import number, to_graphml, to_json
from gan_bifurcation.regimes.regime import Border, Regime, RegimeMap
from gan_bifurcation.regimes.sampling import make_sampler

FORMAT: Final = 2
_MOST_FILES: Final = 10_000


def save(rmap: RegimeMap, folder: Path) -> Path:
    """Write branches, curves and graph, then map.json and map.npz: only these make the folder complete."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(
            f"Cannot make the folder '{folder}' ({error.strerror}); choose one that is writable."
        ) from error
    for k, branch in enumerate(rmap.branches):
        branch.save(folder / f"branch_{k:03d}")
    for k, curve in enumerate(rmap.curves):
        curve.branch.save(folder / f"curve_{k:03d}")
    write_atomically(folder / "graph.json", rmap.to_json().encode())
    to_graphml(rmap.graph, folder / "graph.graphml")
    write_atomically(folder / "faces.geojson", rmap.to_geojson().encode())
    if rmap.crossings is not None:
        write_atomically(folder / "transitions.json", to_json(rmap.hysteresis).encode())
        to_graphml(rmap.hysteresis, folder / "transitions.graphml")
    sampler = rmap.sampler
    arrays = {f"unknowns_{k}": c.unknowns for k, c in enumerate(rmap.curves)}
    arrays |= {f"border_{k}": b.unit for k, b in enumerate(rmap.borders)}
    text: dict[str, Any] = {
        "format": FORMAT,
        "window": rmap.window.record(),
        "tolerance": rmap.tolerance,
        "notes": list(rmap.notes),
        "outcome": [rmap.outcome.code, rmap.outcome.message, rmap.outcome.converged],
        "steps": sampler.steps,
        "seed": sampler.seed,
        "samples": sampler.samples,
        "box": {k: [r.low, r.high, r.log] for k, r in sampler.box.items()},
        "crossings": None if rmap.crossings is None else [asdict(t) for t in rmap.crossings],
        "initial": None if sampler.initial is None else sampler.initial.tolist(),
        "families": list(sampler.families),
        "seen": list(sampler.seen),
        "branches": len(rmap.branches),
        "curves": [{"label": c.label, "condition": c.condition, "level": c.level} for c in rmap.curves],
        "faces": [_face_record(f) for f in rmap.faces],
        "borders": [
            {
                "label": b.label,
                "criticality": b.criticality,
                "faces": list(b.faces),
                "length": b.length,
                "special": [dict(s) for s in b.special],
                "how": b.how,
                "curve": next((k for k, c in enumerate(rmap.curves) if c is b.curve), None),
            }
            for b in rmap.borders
        ],
    }
    if not rmap.branches:
        # Branches bring the system with them.
        text["system"], more = system_record(rmap.system)
        arrays |= more
    write_files(folder / "map", json.dumps(text), arrays)
    return folder


def _face_record(face: Regime) -> dict[str, Any]:
    return {
        "number": face.number,
        "verdict": face.verdict,
        "detail": face.detail,
        "shape": shapely.to_wkb(face.shape, hex=True),
        "area": face.area,
        "point": dict(face.point),
        "radius": number(face.radius),
        "note": face.note,
        "confirmed": face.confirmed,
        "attractors": [_attractor_record(a) for a in face.attractors],
    }


def _attractor_record(a: Attractor) -> dict[str, Any]:
    values = {f.name: getattr(a, f.name) for f in fields(a)}
    return {
        k: number(v) if isinstance(v, float) else [number(x) for x in v] if isinstance(v, tuple) else v
        for k, v in values.items()
    }


def _attractor(record: dict[str, Any]) -> Attractor:
    values: dict[str, Any] = {}
    for f in fields(Attractor):
        value = record[f.name]
        if isinstance(value, list):
            values[f.name] = tuple(np.nan if x is None else float(x) for x in value)
        else:
            values[f.name] = np.nan if value is None else value
    return Attractor(**values)


def load(folder: Path) -> RegimeMap:
    """Read a folder that `save` wrote."""
    if not (folder / "map.json").exists():
        raise ResultsError(
            f"'{folder}' holds no regime map (map.json is missing); give the folder that a map was saved in."
        )
    text, arrays = read_files(folder / "map")
    try:
        if text["format"] != FORMAT:
            raise ResultsError(
                f"The map in '{folder}' has format {text['format']!r}, expected {FORMAT}; compute it again."
            )
        window = Window.from_record(text["window"])
        if not 0 <= int(text["branches"]) <= _MOST_FILES or len(text["curves"]) > _MOST_FILES:
            raise ValueError("number of branches")
        branches = tuple(Branch.load(folder / f"branch_{k:03d}") for k in range(int(text["branches"])))
        curves = []
        for k, c in enumerate(text["curves"]):
            if c["condition"] not in get_args(Condition):
                raise ValueError("condition of a curve")
            branch = Branch.load(folder / f"curve_{k:03d}")
            curves.append(
                Curve(str(c["label"]), branch, c["condition"], str(c["level"]), window, arrays[f"unknowns_{k}"])
            )
        initial = None if text["initial"] is None else np.array(text["initial"], dtype=float)
        sampler = make_sampler(
            branches[0].system if branches else system_from_record(text["system"], arrays),
            window,
            branches,
            [int(v) for v in text["families"]],
            initial,
            int(text["steps"]),
            int(text["seed"]),
            tuple(map(str, text["seen"])),
            int(text["samples"]),
            {str(k): Range(float(low), float(high), bool(log)) for k, (low, high, log) in text["box"].items()},
        )
        faces = tuple(_face(f) for f in text["faces"])
        borders = []
        for k, b in enumerate(text["borders"]):
            unit = arrays[f"border_{k}"]
            first, second = (int(v) for v in b["faces"])
            curve = None if b["curve"] is None else curves[int(b["curve"])]
            borders.append(
                Border(
                    str(b["label"]),
                    str(b["criticality"]),
                    unit,
                    window.from_unit(unit),
                    (first, second),
                    float(b["length"]),
                    tuple(
                        {"label": str(s["label"]), "parameters": dict(s["parameters"]), "note": str(s.get("note", ""))}
                        for s in b["special"]
                    ),
                    curve,
                    str(b["how"]),
                )
            )
        code, message, converged = text["outcome"]
        return RegimeMap(
            sampler,
            faces,
            tuple(borders),
            branches,
            tuple(curves),
            float(text["tolerance"]),
            tuple(map(str, text["notes"])),
            Outcome(str(code), str(message), bool(converged)),
            None if text["crossings"] is None else tuple(_transition(t) for t in text["crossings"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        raise ResultsError(f"The map in '{folder}' is damaged ({type(error).__name__}); compute it again.") from error


def _transition(record: dict[str, Any]) -> Transition:
    whole = {k: int(record[k]) for k in ("border", "source", "target", "attractor", "into")}
    return Transition(
        **whole, verdict=str(record["verdict"]), detail=str(record["detail"]), share=float(record["share"]),
        returns=bool(record["returns"]),
    )  # fmt: skip


def _face(record: dict[str, Any]) -> Regime:
    return Regime(
        int(record["number"]),
        str(record["verdict"]),
        str(record["detail"]),
        tuple(_attractor(a) for a in record["attractors"]),
        shapely.from_wkb(str(record["shape"])),
        float(record["area"]),
        {str(k): float(v) for k, v in record["point"].items()},
        np.nan if record["radius"] is None else float(record["radius"]),
        str(record["note"]),
        int(record["confirmed"]),
    )

"""What a report says, as plain values; templates only lay it out."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from sympy import preorder_traversal

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.figures.polylines import is_tongue
from gan_bifurcation.reports.answers import CHANGES, answers, plain
from gan_bifurcation.reports.equations import equations_of
from gan_bifurcation.reports.facts import citation_or_empty, first_sentence, paper_line, short_name
from gan_bifurcation.reports.turning import gaps, ten_digits, tongues, turning, turns
from gan_bifurcation.studies.claims import criticality_along
from gan_bifurcation.studies.results import Results
from gan_bifurcation.tables import Table

_COEFFICIENTS: Final[Mapping[str, str]] = {
    "LP": "a", "H": "l1", "PD": "b", "NS": "d", "BP": "kind", "CP": "c", "GH": "l2", "GPD": "c", "CH": "c", "BT": "b",
    "R1": "b", "R2": "c", "R3": "c1", "R4": "A0", "Hom": "saddle_quantity",
}  # fmt: skip
# Of the expression of a loss that is short.
_MOST_NODES: Final = 64
_MOST_ROWS: Final = 400
_MOST_IN_TABLE: Final = 40


def content(results: Results) -> dict[str, Any]:
    """Everything that the templates show."""
    study = results.file.study
    badges = {str(row["point"]): str(row["badge"]) for table in results.certificates.values() for row in table.rows}
    return {
        "title": study.title,
        "question": study.question,
        "description": study.description,
        "systems": _systems(results),
        "points": [
            row for name, branch in results.branches.items() for row in _points(name, branch.special_points, badges)
        ][:_MOST_ROWS],
        "turning": [turning(name, branch) for name, branch in results.branches.items() if branch.profiles],
        "gaps": [row for name, branch in results.branches.items() for row in gaps(name, branch)][:_MOST_ROWS],
        "tongues": [row for name, found in results.tongues.items() for row in tongues(name, found)],
        "curves": [_curve(name, curve) for name, curve in results.curves.items()]
        + [
            _curve(f"{name}:{n}", c) for name, s in results.sets.items() for n, c in zip(s.names, s.curves, strict=True)
        ],
        "curve_points": [
            *(row for name, curve in results.curves.items() for row in _points(name, curve.special_points, badges)),
            *(row for name, found in results.sets.items() for row in _points(name, found.points, badges)),
        ][:_MOST_ROWS],
        "sets": [_set(name, found) for name, found in results.sets.items()],
        "certificates": [row for table in results.certificates.values() for row in table.rows],
        "maps": [_map(name, rmap) for name, rmap in results.maps.items()],
        "basins": [_basins(name, picture) for name, picture in results.basins.items()],
        "noise": [_noise(name, found) for name, found in results.noise.items()],
        "orbits": [_orbit(name, results[name]) for name in results.names("orbit")],
        "tables": [_table(section.name, section.of, results[section.name]) for section in study.table]
        + [_table(section.name, "rotation_numbers", results[section.name]) for section in study.staircase],
        "claims": [{**vars(c), "sources": _sources(c.paper)} for c in results.claims],
        "definitions": dict(study.define),
        "agreeing": sum(c.agrees for c in results.claims),
        "figures": list(results.figures.values()),
        "provenance": results.summary["provenance"],
        "seconds": sum(float(part["seconds"]) for part in results.summary["parts"]),
        "references": _references(results),
    }


def _systems(results: Results) -> list[dict[str, Any]]:
    found = []
    for name, system in results.systems.items():
        equations, left_out = equations_of(system)
        found.append({
            "name": name or "main",
            "heading": f"{system.game.name if system.game else 'system'}, {_rule_words(system)}",
            "description": system.description,
            "kind": system.kind,
            "states": f"{system.n} states: {_shortened(system.states)}",
            "parameters": dict(system.parameters),
            "equations": equations,
            "left_out": left_out,
            "losses": _losses(system),
        })  # fmt: skip
    return found


def _shortened(names: Any) -> str:
    return ", ".join(names) if len(names) <= 10 else f"{', '.join(names[:5])}, ..., {', '.join(names[-3:])}"


def _rule_words(system: Any) -> str:
    if system.rule is None:
        return f"a {system.kind}"
    words = {"Flow": "continuous flow", "Simultaneous": "simultaneous steps", "Alternating": "alternating steps"}
    name = type(system.rule).__name__
    steps = getattr(system.rule, "discriminator_steps", 1)
    more = f", {steps} discriminator steps" if steps > 1 else ""
    first = getattr(system.rule, "first", "")
    return f"{words.get(name, name)}{more}{f', {first} first' if first else ''}"


def _losses(system: Any) -> str:
    if system.game is None or system.game.discriminator.loss is None:
        return ""
    # Printing a long one takes longer than all else that is said of a system.
    nodes = islice(preorder_traversal(system.game.discriminator.loss), _MOST_NODES + 1)
    if sum(1 for _ in nodes) <= _MOST_NODES:
        return ""
    return "Both players descend their losses; the equations below are what follows from them."


def _points(name: str, points: Sequence[Point], badges: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {
            "of": name, "name": p.name or p.label, "where": _where(p), "coefficient": coefficient(p),
            "criticality": p.criticality, "note": p.note or str(p.normal_form.get("meaning", "")),
            "badge": badges.get(f"{name}:{p.name}", badges.get(f"{name}:{p.label}", "")),
        }
        for p in points
        if not is_tongue(p)
    ]  # fmt: skip


def _where(point: Point) -> str:
    return ", ".join(f"{name} = {ten_digits(point.parameters[name])}" for name in point.free)


def coefficient(point: Point) -> str:
    """The number that a special point is known by: the leading coefficient; of cycles and circles what turns, too."""
    leading = _leading(point)
    if point.profile is None:
        return leading
    word = turns(point)
    return f"{word}, {leading}" if leading else word


def _leading(point: Point) -> str:
    letter = _COEFFICIENTS.get(point.label, "")
    value = point.normal_form.get(letter)
    if value is None:
        return ""
    if isinstance(value, complex):
        shown = f"Re {letter} = {value.real:.6g}"
        angle = point.normal_form.get("theta")
        return f"{shown}, angle {angle:.6g}" if angle is not None else shown
    return f"{letter} = {value:.6g}" if isinstance(value, float | int) else str(value)


def _set(name: str, found: Any) -> dict[str, Any]:
    return {
        "name": name, "over": ", ".join(found.window.names), "depth": found.depth, "branches": len(found.branches),
        "curves": len(found.curves), "points": len(found.points), "unexplored": list(found.unexplored),
    }  # fmt: skip


def _curve(name: str, curve: Branch) -> dict[str, Any]:
    words = criticality_along(curve)
    if words == "changes":
        words = f"changes at {_changes(curve)}"
    return {
        "name": name,
        "label": curve.curve,
        "over": ", ".join(curve.free),
        "points": len(curve),
        "criticality": "" if words == "not defined" else words,
        "ends": [o.message for o in curve.outcome],
        "note": curve.note,
    }


def _changes(curve: Branch) -> str:
    """Where the coefficient of a curve changes its sign: the special points there, or the parameters."""
    coefficient = curve.measures["coefficient"]
    known = np.flatnonzero(np.isfinite(coefficient) & (coefficient != 0))
    signs = np.sign(coefficient[known])
    found = []
    for k in np.flatnonzero(np.diff(signs) != 0):
        low, high = int(known[k]), int(known[k + 1])
        names = [p.name for p in curve.special_points if low <= p.index <= high]
        found.append(" or ".join(names) or _where(curve.point(low)))
    return "; ".join(found)


def _sources(keys: str) -> list[dict[str, str]]:
    """Papers as (key, authors and year)."""
    found = []
    for key in (k.strip() for k in keys.split(",")):
        if key:
            entry = citation_or_empty(key)
            found.append({"key": key, "text": short_name(key, entry), "known": "yes" if entry else ""})
    return found


def _map(name: str, rmap: Any) -> dict[str, Any]:
    faces = [
        {
            "number": f.number, "verdict": f.verdict, "detail": f.detail, "area": f"{100 * f.area:.3g} %",
            "rate": "" if np.isnan(f.radius) else f"{f.radius:.6g}",
            "at": ", ".join(f"{k} = {v:.4g}" for k, v in f.point.items()), "note": f.note,
        }
        for f in rmap.faces
    ]  # fmt: skip
    borders = [
        {
            "label": b.label, "criticality": b.criticality, "between": f"{b.faces[0]} and {b.faces[1]}",
            "length": f"{b.length:.3g}", "at": _value(rmap, b.points),
            "special": ", ".join(_special(s) for s in b.special),
        }
        for b in rmap.borders
    ]  # fmt: skip
    return {
        "name": name,
        "over": ", ".join(rmap.window.names),
        "line": rmap.window.dimension == 1,
        "flow": rmap.system.kind == "flow",
        "faces": faces,
        "borders": borders,
        "crossings": _crossings(rmap),
        "answers": _asked(rmap),
        "notes": [*rmap.notes, *([] if rmap.outcome.converged else [rmap.outcome.message])],
    }


def _special(s: Mapping[str, Any]) -> str:
    return f"{s['label']} (the criticality changes)" if s["label"] in CHANGES else str(s["label"])


def _crossings(rmap: Any) -> list[dict[str, Any]]:
    """What becomes of each attractor across each border, where that was computed with the map."""
    return [
        {
            "border": t.border, "label": rmap.borders[t.border].label, "source": t.source, "target": t.target,
            "attractor": t.attractor, "becomes": f"{t.verdict} ({t.detail})" if t.detail else t.verdict,
            "share": f"{100 * t.share:.3g} %", "back": "the same" if t.returns else "leads elsewhere",
        }
        for t in (rmap.crossings or ())[:_MOST_ROWS]
    ]  # fmt: skip


def _asked(rmap: Any) -> list[str]:
    """The circle; from its centre the nearest border; from the largest regime that does not converge the way out."""
    found = answers(rmap)["largest circle"]
    texts = [str(found["text"])]
    if "centre" in found:
        texts.append(_after("From its centre", answers(rmap, found["centre"], circle=False)["nearest border"]["text"]))
    others = [f for f in rmap.faces if f.verdict != "converges"]
    if others and any(f.verdict == "converges" for f in rmap.faces):
        worst = max(others, key=lambda f: f.area)
        asked = answers(rmap, worst.point, circle=False)
        texts += [str(asked["regime"]["text"]), str(asked["smallest change"]["text"])]
    return texts


def _value(rmap: Any, points: Any) -> str:
    """Where a border over one parameter lies."""
    return f"{plain(rmap, rmap.window.names[0], float(np.ravel(points)[0])):.10g}"


def _after(first: str, sentence: Any) -> str:
    """A sentence that goes on after other words."""
    text = str(sentence)
    return f"{first}, {text[:1].lower()}{text[1:]}"


def _basins(name: str, picture: Any) -> dict[str, Any]:
    """The attractors of a picture, with their shares of initial conditions drawn by chance."""
    found = picture.found
    return {
        "name": name,
        "over": ", ".join(f"{state} from {r.low:g} to {r.high:g}" for state, r in picture.axes.items()),
        "at": ", ".join(f"{k} = {v:g}" for k, v in found.system.parameters.items()),
        "samples": len(found.initial),
        "side": picture.member.shape[0],
        "seed": found.seed,
        "rows": [
            {
                "id": a.id, "words": str(a), "share": f"{100 * a.share:.3g} %",
                "error": f"{100 * a.share_low:.3g} to {100 * a.share_high:.3g} %",
                "where": ", ".join(
                    f"{s} = {v:.6g}" for s, v in zip(found.system.states, a.state, strict=False) if s in picture.axes
                ) if a.verdict == "converges" else "",
                "note": _image(a),
            }
            for a in found.attractors
        ],
        "notes": list(found.notes),
    }  # fmt: skip


def _noise(name: str, found: Any) -> dict[str, Any]:
    """What noise does over a window, in sentences, and its tables."""
    x, y = found.border.names
    tables = [
        ("Parts of the window, each against runs at a place in it", "parts", found.parts),
        (f"Sizes of minibatches at {x} = {found.at[x]:.6g}, {y} = {found.at[y]:.6g}", "spreads", found.spreads),
        ("Runs on the border under noise: measured over predicted spread", "check", found.check),
    ]
    return {
        "name": name, "over": f"{x} and {y}", "sentences": found.sentences,
        "border": f"{name}/border.csv" if found.border.lines else "",
        "tables": [
            {
                "caption": caption, "file": f"{name}/{file}.csv",
                "columns": [column.replace("_", " ") if column not in (x, y) else column for column in table.columns],
                "texts": [column for column, values in table.columns.items() if values.dtype.kind == "U"],
                "rows": [
                    {key: "" if value != value else _shown(value) for key, value in row.items()}
                    for row in table.rows[:_MOST_IN_TABLE]
                ],
            }
            for caption, file, table in tables
            if table.columns
        ],
    }  # fmt: skip


def _image(attractor: Any) -> str:
    if not attractor.symmetry:
        return ""
    of = str(attractor.copy_of) if attractor.copy_of else "itself"
    return f"image of {of} under {attractor.symmetry}"


def _orbit(name: str, data: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": name,
        "verdict": f"{data['verdict']} ({data['detail']})" if data["detail"] else str(data["verdict"]),
        "reason": str(data["reason"]),
        "steps": f"{data['times'][-1]:g}",
    }


def _table(name: str, of: str, table: Table) -> dict[str, Any]:
    """The head of a table; what is longer stands in its CSV file."""
    rows = table.rows
    return {
        "name": name,
        "of": of,
        "description": _first_sentence(of),
        "columns": list(table.columns),
        "texts": [name for name, values in table.columns.items() if values.dtype.kind == "U"],
        "rows": [{key: _shown(value) for key, value in row.items()} for row in rows[:_MOST_IN_TABLE]],
        "left_out": max(0, len(rows) - _MOST_IN_TABLE),
        "numbers": {key: _shown(value) for key, value in table.numbers.items()},
        "fields": [_field(key, values, table) for key, values in table.fields.items()],
        "file": f"{name}.csv" if table.columns else "",
    }


def _first_sentence(of: str) -> str:
    from gan_bifurcation import models

    # Results outlive the package that computed them.
    return first_sentence(models.table(of)) if of in models.tables() else ""


def _field(name: str, values: Any, table: Table) -> dict[str, str]:
    finite = values[np.isfinite(values)]
    over = ", ".join(
        f"{axis} from {_shown(grid[0])} to {_shown(grid[-1])} ({len(grid)})" if len(grid) else axis
        for axis, grid in table.axes.items()
    )
    least, most = (_shown(finite.min()), _shown(finite.max())) if finite.size else ("", "")
    return {"name": name, "over": over, "least": least, "largest": most}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _references(results: Results) -> list[dict[str, str]]:
    keys = {key.strip() for s in results.summary["systems"].values() for key in _keys(str(s["paper"]))}
    keys |= {key.strip() for claim in results.claims for key in _keys(claim.paper)}
    found = []
    for key in sorted(keys - {""}):
        entry = citation_or_empty(key)
        found.append({"key": key, "text": paper_line(key, entry), "entry": entry})
    return found


def _keys(paper: str) -> list[str]:
    """The keys of papers; an entry that a game brings itself is one."""
    return [paper] if paper.lstrip().startswith("@") else paper.split(",")

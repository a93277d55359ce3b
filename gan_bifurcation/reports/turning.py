"""Cycles, circles and tongues as rows of a report."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.figures.polylines import is_tongue, size_of


def turns(point: Point) -> str:
    """The period of a cycle or the rotation number of a circle."""
    return f"period {point.period:.10g}" if point.kind == "cycle" else f"rotation number {point.rotation_number:.10g}"


def turning(name: str, branch: Branch) -> dict[str, Any]:
    """A branch of cycles or circles: from where to where, how it turns, how large its multipliers are."""
    first, last = branch.point(0), branch.point(len(branch) - 1)
    measure = "period" if first.kind == "cycle" else "rotation_number"
    values = branch.column(measure)
    sizes = [size_of(p) for p in branch]
    unstable = branch.unstable
    words = "stable" if np.all(unstable == 0) else "unstable" if np.all(unstable > 0) else "in part"
    state = _largest_state(branch)
    return {
        "name": name,
        "curve": branch.curve,
        "over": f"{', '.join(branch.free)} from {_place(first)} to {_place(last)}",
        "points": len(branch),
        "measure": measure.replace("_", " "),
        "values": f"{values.min():.8g} to {values.max():.8g}",
        "state": state,
        "extent": f"{branch.column(f'min_{state}').min():.6g} to {branch.column(f'max_{state}').max():.6g}",
        "stable": words,
        "multipliers": f"{min(sizes):.4g} to {max(sizes):.4g}",
        "ends": [o.message for o in branch.outcome],
    }


def _place(point: Point) -> str:
    return ", ".join(f"{point.parameters[name]:.8g}" for name in point.free)


def _largest_state(branch: Branch) -> str:
    """The generator's state that moves farthest; any state without a generator, or where that rests."""
    extent = {s: float(np.max(branch.column(f"max_{s}") - branch.column(f"min_{s}"))) for s in branch.system.states}
    game = branch.system.game
    own = [s for s in branch.system.states if game is not None and s in game.generator.states and extent[s] > 0.0]
    return max(own or extent, key=lambda s: extent[s])


def gaps(name: str, branch: Branch) -> list[dict[str, str]]:
    """The resonances that a branch of circles passes over, each with both edges of its tongue."""
    rows = []
    for point in branch.special_points:
        if is_tongue(point):
            form = point.normal_form
            rows.append({
                "of": name, "over": branch.free[0], "rotation": str(form["rotation"]),
                "low": ten_digits(form["low"]), "high": ten_digits(form["high"]), "width": f"{form['width']:.3g}",
                "note": point.note,
            })  # fmt: skip
    return rows


def tongues(name: str, found: Sequence[Any]) -> list[dict[str, Any]]:
    """Tongues over two parameters: where they begin, and how their edges end."""
    rows = []
    for tongue in found:
        tip = tongue.tip
        ends = [
            o.message for edge in tongue.edges for o in edge.outcome if not (o.code == "tip" and len(tongue.edges) == 2)
        ]
        rows.append({
            "of": name, "rotation": str(tongue.rotation), "order": tongue.order,
            "tip": ", ".join(f"{k} = {ten_digits(tip.parameters[k])}" for k in tip.free),
            "points": ", ".join(str(len(edge)) for edge in tongue.edges), "outcome": tongue.outcome.message,
            "ends": ends,
        })  # fmt: skip
    return rows


def ten_digits(value: float) -> str:
    """A located coordinate; what is left of a zero after rounding is zero.

    >>> ten_digits(-8.3e-17), ten_digits(1 / 3)
    ('0', '0.3333333333')
    """
    return f"{0.0 if abs(value) < 1e-14 else value:.10g}"

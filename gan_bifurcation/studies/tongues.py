"""Arnold tongues as a part of a study: computed along a Neimark-Sacker curve, kept in a folder of branches."""

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.tongues import Tongue, arnold_tongue, arnold_tongues
from gan_bifurcation.errors import MisuseError, Outcome, ResultsError, unknown_name
from gan_bifurcation.records import write_atomically
from gan_bifurcation.studies.schema import TonguesSpec

_TIPS: Final = "tips"
_LIST: Final = "tongues.json"
_MOST_BYTES: Final = 1 << 20


def make_tongues(section: TonguesSpec, curve: Branch) -> list[Tongue]:
    """The tongues that a section asks for."""
    options: dict[str, Any] = {"max_points": section.most_points}
    if section.rotations:
        found = [arnold_tongue(curve, text, section.free, **options) for text in section.rotations]
    else:
        found = arnold_tongues(curve, section.free, order=section.order, **options)
    if not found:
        raise MisuseError(
            f"The curve passes no rotation number with a denominator up to {section.order} beyond the strong "
            "resonances; raise 'order', or follow the curve further."
        )
    return found


def tip_of(tongues: Sequence[Tongue], name: str) -> Point:
    """The tip of a tongue by its rotation number, as 1/6 or 1:6, with what is known of the tongue."""
    for tongue in tongues:
        if str(tongue.rotation) == name.replace(":", "/"):
            known = {
                "rotation_number": float(tongue.rotation), "edges": len(tongue.edges), "width_order": tongue.order,
            }  # fmt: skip
            return replace(tongue.tip, normal_form={**tongue.tip.normal_form, **known})
    raise unknown_name("tongue", name, [str(t.rotation) for t in tongues])


def save_tongues(tongues: Sequence[Tongue], folder: Path) -> None:
    """Write the edges as branches, the tips as one more, and a list of all."""
    first = tongues[0].tip
    tips = Branch(
        first.system, first.free, "NS",
        np.array([[t.tip.parameters[k] for k in first.free] for t in tongues]), np.array([t.tip.x for t in tongues]),
        np.array([t.tip.spectrum for t in tongues]), np.zeros(len(tongues), dtype=np.int64),
        tuple(replace(t.tip, index=float(k)) for k, t in enumerate(tongues)),
        (Outcome("list", "The tips of tongues.", True), Outcome("list", "The tips of tongues.", True)),
        condition=first.condition, critical=np.array([t.tip.critical for t in tongues]),
    )  # fmt: skip
    tips.save(folder / _TIPS)
    listed = []
    for tongue in tongues:
        names = [f"{_stem(tongue.rotation)}-edge-{k + 1}" for k in range(len(tongue.edges))]
        for name, edge in zip(names, tongue.edges, strict=True):
            edge.save(folder / name)
        outcome = tongue.outcome
        listed.append({
            "rotation": str(tongue.rotation), "order": tongue.order, "edges": names,
            "outcome": [outcome.code, outcome.message, outcome.converged],
        })  # fmt: skip
    write_atomically(folder / _LIST, json.dumps(listed, indent=1).encode())


def load_tongues(folder: Path) -> list[Tongue]:
    """Read what `save_tongues` wrote; nothing in the files is run.

    Raises
    ------
    ResultsError
        If a file is missing or damaged.
    """
    tips = Branch.load(folder / _TIPS)
    try:
        data = (folder / _LIST).read_bytes()
        if len(data) > _MOST_BYTES:
            raise ValueError("too long")
        listed = json.loads(data)
        made = []
        for entry, tip in zip(listed, tips.special_points, strict=True):
            code, message, converged = entry["outcome"]
            rotation = Fraction(str(entry["rotation"]))
            expected = [f"{_stem(rotation)}-edge-{k + 1}" for k in range(len(entry["edges"]))]
            edges = tuple(Branch.load(folder / name) for name in expected)
            outcome = Outcome(str(code), str(message), bool(converged))
            made.append(Tongue(rotation, tip, edges, outcome, int(entry["order"])))
    except (OSError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ResultsError(
            f"The tongues in '{folder.name}' are damaged ({type(error).__name__}); compute them again."
        ) from error
    return made


def _stem(rotation: Fraction) -> str:
    return f"{rotation.numerator}-{rotation.denominator}"

"""Bifurcation sets of a study, and certificates of its points."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.bifurcation_set import BifurcationSet, bifurcation_set
from gan_bifurcation.continuation.certificates import certify
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.studies.schema import CertificateSpec, SetSpec
from gan_bifurcation.system import System
from gan_bifurcation.tables import Table


def make_set(
    section: SetSpec, system: System, start: Any, seed: int, tell: Callable[..., Any] | None
) -> BifurcationSet:
    """The set that a section asks for, of a system inside its window."""
    return bifurcation_set(
        system, dict(section.free), depth=section.depth, box=dict(section.box) or None, start=start,
        most_branches=section.most_branches, seed=seed if section.seed is None else section.seed, progress=tell,
    )  # fmt: skip


def special_of(found: BifurcationSet, reference: str) -> Point:
    """The point of codimension two that "name:label" refers to."""
    label = reference.partition(":")[2]
    part = found[label]
    if isinstance(part, Branch):
        raise MisuseError(f"'{reference}' is a curve; a point of a set is one of codimension two, such as BT1.")
    return part


def reattached_set(
    found: BifurcationSet, system: System, reattached: Callable[[Branch, System], Branch]
) -> BifurcationSet:
    """A set from disk on the system that it is of, which knows its game."""
    return replace(
        found,
        branches=tuple(reattached(b, system) for b in found.branches),
        curves=tuple(reattached(c, system) for c in found.curves),
    )


def make_certificates(section: CertificateSpec, get: Callable[[str], Point]) -> Table:
    """What is proved of points: a row for each, and how many proofs were asked and found.

    What cannot be proved, also because the package for it is not installed, is said in its row.
    """
    rows: list[tuple[str, str, str, str]] = []
    for reference in section.of:
        point = get(reference)
        try:
            found = certify(point, section.free or None)
            where = "; ".join(f"{k} in [{low:.12g}, {high:.12g}]" for k, (low, high) in found.enclosure.items())
            rows.append((reference, found.badge, found.statement, where))
        except MisuseError as error:
            rows.append((reference, "not proved", str(error), ""))
    names = ("point", "badge", "statement", "enclosure")
    columns: Mapping[str, Any] = {
        name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }
    proved = sum(badge == "proved" for _, badge, _, _ in rows)
    return Table(columns, {"asked": float(len(rows)), "proved": float(proved)})

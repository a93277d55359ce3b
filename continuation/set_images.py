"""Images of points and curves under a symmetry: what one of them says, the other says too, and no work is repeated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.set_symmetry import Element, Group, apply
from gan_bifurcation.profiles import Profile


def image_of_point(e: Element, p: Point) -> Point:
    """The point that a symmetry maps a point to: same parameters, spectrum and coefficients."""
    n, wide = p.system.n, p.system.n + len(p.free)
    vectors = {
        k: np.concatenate([apply(e, v[:n]), v[n:]]) for k, v in p.vectors.items() if np.shape(v) in ((n,), (wide,))
    }
    profile = None if p.profile is None else _profile(e, p.profile)
    origin = None if p.origin is None else image_of_point(e, p.origin)
    return replace(p, x=apply(e, p.x), vectors=vectors, profile=profile, origin=origin)


def images(group: Group, p: Point) -> list[Point]:
    """A point and all its images that differ from it."""
    if p.profile is None:
        return [replace(p, x=x) for x in group.images(p.x)]
    return [p, *(image_of_point(e, p) for e in group.others())]


def image_of_branch(e: Element, branch: Branch) -> Branch:
    """The branch or curve that a symmetry maps one to."""
    return replace(
        branch,
        states=apply(e, branch.states),
        special_points=tuple(image_of_point(e, p) for p in branch.special_points),
        measures=_measures(e, branch.system.states, branch.measures),
        profiles=tuple(_profile(e, p) for p in branch.profiles),
    )


def _profile(e: Element, profile: Profile) -> Profile:
    return replace(profile, states=apply(e, profile.states))


def _measures(
    e: Element, states: tuple[str, ...], measures: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """The measures, the least and the greatest values of states exchanged where a sign is."""
    made: dict[str, Any] = dict(measures)
    for name, place, sign in zip(states, *e, strict=True):
        for one, other in (("min", "max"), ("max", "min")):
            source = f"{one if sign > 0 else other}_{states[place]}"
            if f"{one}_{name}" in measures and source in measures:
                made[f"{one}_{name}"] = sign * measures[source]
    return made

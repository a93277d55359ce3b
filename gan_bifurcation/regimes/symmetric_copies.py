"""Attractors that are images of each other under a symmetry of the system, by name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.regimes.attractors import Attractor
from gan_bifurcation.regimes.telling_apart import FAMILY, Cloud, same_limits
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# A group with more elements is not listed to its end.
_MOST: Final = 64


def elements(system: System) -> dict[str, FloatArray]:
    """The symmetries and what they generate, without the identity, as matrices by name."""
    made: dict[str, FloatArray] = {}
    generators = {}
    for s in system.symmetries:
        matrix = np.eye(system.n)
        for state, (sign, other) in s.action.items():
            row = system.states.index(state)
            matrix[row] = 0.0
            matrix[row, system.states.index(other)] = sign
        generators[s.name] = matrix
    fresh = dict(generators)
    while fresh and len(made) < _MOST:
        made |= fresh
        known = [np.eye(system.n), *made.values()]
        fresh = {}
        for name, matrix in list(made.items()):
            for other, generator in generators.items():
                product = generator @ matrix
                if not any(np.array_equal(product, k) for k in known):
                    fresh[f"{name}, then {other}"] = product
                    known.append(product)
    return made


def with_copies(
    system: System, attractors: Sequence[Attractor], clouds: Sequence[Cloud | None]
) -> tuple[tuple[Attractor, ...], tuple[str, ...]]:
    """The same attractors, those that are images of an earlier one named as such; and what is worth a note."""
    named = list(attractors)
    notes = []
    group = elements(system)
    for i, cloud in enumerate(clouds):
        if cloud is None or named[i].copy_of or named[i].reason == FAMILY:
            continue
        own, lost = [], []
        for name, matrix in group.items():
            image = Cloud(np.ascontiguousarray(cloud.points @ matrix.T), cloud.turns, cloud.detail, cloud.period)
            same = [j for j, other in enumerate(clouds) if other is not None and same_attractor(image, other)]
            if i in same:
                own.append(name)
            for j in same:
                if j > i and not named[j].copy_of:
                    named[j] = replace(named[j], copy_of=named[i].id, symmetry=name)
            if not same:
                lost.append(name)
        if own:
            named[i] = replace(named[i], symmetry="; ".join(own))
        if lost:
            notes.append(
                f"The image of attractor {named[i].id} under '{lost[0]}' attracts too, but no run ended there."
            )
    return tuple(named), tuple(notes)


def same_attractor(a: Cloud, b: Cloud) -> bool:
    """Whether both are of one attractor, be it a point or a set."""
    if len(a.points) == 1 or len(b.points) == 1:
        if len(a.points) != len(b.points):
            return False
        return bool(same_limits(np.vstack([a.points, b.points]), a.turns)[1] == 0)
    return a.same(b)

"""Endings with a name, such as mode collapse: a run that ends in one stalls, whatever else it does there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.lanes import LEFT_DOMAIN
from gan_bifurcation.simulate import outside
from gan_bifurcation.system import System

if TYPE_CHECKING:
    from gan_bifurcation.regimes.attractors import Attractor
    from gan_bifurcation.regimes.judging import Columns

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# What the reason of a verdict on such a run begins with.
ENDED: Final = "Training has ended without success: "
# A run that has gone is nowhere any more.
_GONE: Final = ("not finite", "too large", "left the domain")


def endings_at(system: System, states: FloatArray, p: FloatArray) -> IntArray:
    """For each row of `states` (rows, n) with its parameters (rows, m): the number of its first ending, or -1."""
    # Nothing violates a bound where its expression is not negative: an ending is where the opposite bound is violated.
    watched = replace(system, domain=tuple((f"-({text})", name) for text, name in system.endings))
    codes = outside(watched, np.ascontiguousarray(states), np.asarray(p, dtype=float)) - LEFT_DOMAIN
    return np.where(np.isfinite(states).all(axis=1) & (codes >= 0), codes, -1)


def name_endings(system: System, p: FloatArray, columns: "Columns") -> None:
    """Verdicts on runs that ended in something with a name, put in its place."""
    if not system.endings or not len(p):
        return
    numbers = endings_at(system, columns.limit, p)
    numbers[np.isin(columns.detail, _GONE)] = -1
    for number in range(len(system.endings)):
        name = system.endings[number][1]
        columns.set(np.flatnonzero(numbers == number), "stalls", name, f"{ENDED}{name}.", 0.95)


def named_equilibria(
    system: System, p: FloatArray, states: Sequence[FloatArray], found: "list[Attractor | None]"
) -> "list[Attractor | None]":
    """What spectra say of equilibria: one that attracts and is an ending is what training stalls at."""
    if system.endings and len(states):
        for k, number in enumerate(endings_at(system, np.array(states, dtype=float), p).tolist()):
            attractor = found[k]
            if attractor is not None and number >= 0:
                name = system.endings[number][1]
                found[k] = replace(attractor, verdict="stalls", detail=name, reason=f"{ENDED}{name}.")
    return found

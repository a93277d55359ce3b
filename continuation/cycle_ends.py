"""Why a branch of cycles ends: it shrinks, closes, goes to a homoclinic orbit, leaves its bounds."""

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.collocation import Collocation
from gan_bifurcation.continuation.cycle_points import Between, Record
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.errors import Outcome
from gan_bifurcation.observables import number

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# The trivial multiplier's error above which a mesh is of no use.
HOPELESS: Final = 0.1
# A period so many times the smallest one, that hardly depends on the parameter any more, goes to infinity.
LONG: Final = 8.0
_STEEP: Final = 1e-4
# A cycle that stands still somewhere goes no further than this part of its size, at its slowest speed, in a period.
_STILL: Final = 0.1
# So many points tell a family from a fold.
SOME: Final = 5
FAMILY: Final = (
    "The cycles have a second multiplier at 1: at the same value of '{0}' there is a family of them, as where a "
    "quantity is conserved or a symmetry is continuous, so that they are no branch over '{0}'."
)


def where(c: Collocation, b: FloatArray) -> str:
    """Values of the free parameters for border unknowns, in words."""
    values = c.values(b).tolist()
    return ", ".join(f"{k} = {v:.6g}" for k, v in zip(c.free, values, strict=True))


def neutral(spectrum: ComplexArray, tolerance: float) -> bool:
    """Whether another multiplier than the trivial one is 1."""
    return bool(np.min(np.abs(spectrum[1:] - 1.0), initial=np.inf) < tolerance)


def family(records: list[Record], name: str) -> Outcome | None:
    """Whether the points are those of a family at one value of the parameter."""
    if all(neutral(r.spectrum, max(1e-6, 10.0 * abs(r.spectrum[0] - 1.0))) for r in records):
        return Outcome("family", FAMILY.format(name), True)
    return None


def shrunk(c: Collocation, records: list[Record]) -> Outcome | None:
    """Whether the cycle shrank to an equilibrium: beyond, the branch goes over the same cycles again."""
    now, before = c.u - c.u.mean(axis=0), c.before - c.before.mean(axis=0)
    if float(np.sum(now * before)) > 0.0:
        return None
    a, b = np.sqrt(np.sum(before**2)), np.sqrt(np.sum(now**2))
    fraction = float(a / (a + b))
    q = records[-1].b[1 : c.nb] + fraction * (c.b[1 : c.nb] - records[-1].b[1:])
    period = records[-1].b[0] + fraction * (c.b[0] - records[-1].b[0])
    at = ", ".join(f"{k} = {w.from_unit(float(v)):.6g}" for (k, w), v in zip(c.free.items(), q, strict=True))
    words = f"The cycle shrinks to an equilibrium near {at} (a Hopf point, period {period:.6g}) and ends there."
    return Outcome("hopf", words, True)


def beyond(c: Collocation, r: Record, ends: Ends, limit: float) -> Outcome | None:
    """Whether a point left what was asked for, or what can be computed."""
    place = where(c, r.b)
    x = r.profile.states
    for k, window in ends.bounds.items():
        if x[:, k].min() < window.low or x[:, k].max() > window.high:
            words = f"{c.system.states[k]} left its bounds ({window.low:g}, {window.high:g})"
            return Outcome("bounds", f"The trace ended near {place}: {words}.", True)
    if ends.domain:
        p = c.at(r.b).parameter_vector()
        for tape, reason in ends.domain:
            if any(not number(tape, [*state, *p]) >= 0.0 for state in x):
                words = f"The trace ended near {place}: left the domain: {reason}."
                return Outcome("bounds", words, True)
    if not np.max(np.abs(x)) < limit:
        words = f"A state exceeded {limit:g} at {place}."
        return Outcome("too large", words, True)
    error = abs(r.spectrum[0] - 1.0)
    if not error < HOPELESS:
        words = (
            f"The mesh of {c.intervals} intervals became too coarse at {place}: the trivial "
            f"multiplier is {r.spectrum[0].real:.3g}, expected 1; start with more intervals."
        )
        return Outcome("mesh too coarse", words, False)
    return None


def long(c: Collocation, records: list[Record]) -> Outcome | None:
    """Whether the period goes to infinity, because the cycle comes close to an equilibrium and stays there."""
    if len(records) < 6:
        return None
    periods = np.array([r.b[0] for r in records])
    if periods[-1] < LONG * periods.min():
        return None
    late = list(records[-6:])
    growth = np.log(late[-1].b[0] / late[0].b[0])
    slope = abs(late[-1].b[1] - late[0].b[1]) / growth if growth > 0.0 else np.inf
    if not (slope < _STEEP and all(b.b[0] > a.b[0] for a, b in itertools.pairwise(late))):
        return None
    # In an explosion of canards the period grows at one parameter value too, but they are nowhere at rest.
    states, at = records[-1].profile.states, c.at(records[-1].b)
    speeds = np.array([at.rhs(x) for x in states]) / np.maximum(np.ptp(states, axis=0), 1e-300)
    if not np.min(np.linalg.norm(speeds, axis=1)) * periods[-1] < _STILL:
        return None
    words = (
        f"The period grows without bound at {where(c, c.b)} (it is {periods[-1]:.6g} there): the cycles approach a "
        "homoclinic orbit or a heteroclinic cycle."
    )
    return Outcome("homoclinic", words, True)


def closed(c: Collocation, records: list[Record], r: Record) -> bool:
    """Whether the branch came back to its start."""
    first = records[0]
    if len(records) < 8:
        return False
    a, b = records[-1], r
    low, high = np.minimum(a.b, b.b), np.maximum(a.b, b.b)
    slack = 0.5 * (high - low) + 1e-9
    if not ((first.b >= low - slack) & (first.b <= high + slack)).all():
        return False
    index = (
        1
        if (abs(b.b[1] - a.b[1]) > 1e-6 and a.b[1] <= first.b[1] <= b.b[1])
        or (b.b[1] <= first.b[1] <= a.b[1] and a.b[1] != b.b[1])
        else 0
    )
    if b.b[index] == a.b[index]:
        return False
    fraction = float((first.b[index] - a.b[index]) / (b.b[index] - a.b[index]))
    if not 0.0 <= fraction <= 1.0:
        return False
    hit = Between(c).at(fraction, index, float(first.b[index]))
    if hit is None:
        return False
    reach = np.abs(first.profile.highest) + np.abs(first.profile.lowest)
    near = np.abs(hit.profile.highest - first.profile.highest) + np.abs(hit.profile.lowest - first.profile.lowest)
    same = np.abs(hit.b - first.b) <= 1e-6 * (1.0 + np.abs(first.b))
    mu = np.abs(hit.spectrum - first.spectrum) <= 1e-4 * (1e-2 + np.abs(first.spectrum))
    return bool(same.all() and (near < 2e-2 * (reach + 1e-300)).all() and mu.all())

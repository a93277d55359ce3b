"""Which orbits end on the same attractor: limits are compared as points, oscillations as sets of points.

Orbits on one attractor visit the same places, in another order and phase. So two of them are the same where each point
of either has a neighbour on the other, as near as neighbours are on one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import lanes
from gan_bifurcation.regimes.march import Cells
from gan_bifurcation.regimes.oscillation import CYCLE
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# A reason: what was found is a set of sets.
FAMILY: Final = (
    "Every run ended on an oscillation of its own: a continuum of them, or transients longer than the budget."
)
# Points of an orbit that stand for what it is on.
_POINTS: Final = 512
# A flow turns so often meanwhile, where it does not close; no whole number, or samples would fall on each other.
_TURNS: Final = 15.0 * 1.6180339887498949
# Limits are exact to the residual of Newton's method.
_SAME_LIMIT: Final = 1e-6
# Sets are the same to this part of their size, or this many distances between neighbours.
_SAME_SET: Final = 2e-3
_SPACINGS: Final = 3.0
# Sets that are no farther apart than this may be one that was not reached yet.
_DOUBTFUL: Final = 0.3
_PERIOD: Final = 1e-3
# So far from a set of this size an orbit is started to see whether it comes back.
_BESIDE: Final = 0.05
# Of the extent of all limits: gaps in a sample of a continuum.
_GAP: Final = 0.15


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of an orbit on its attractor.

    Attributes
    ----------
    points : array (k, n)
    turns : array (n,)
        The period of each state that is an angle; infinite for the others.
    detail : str
    period : float
    """

    points: FloatArray
    turns: FloatArray
    detail: str
    period: float

    @cached_property
    def tree(self) -> Any:
        """Angles are put on circles, so that neighbours across the cut of one are neighbours."""
        from scipy.spatial import cKDTree

        return cKDTree(self.embedded, balanced_tree=False, compact_nodes=False)

    @cached_property
    def embedded(self) -> FloatArray:
        round_ones = np.isfinite(self.turns)
        if not round_ones.any():
            return self.points
        radius = self.turns[round_ones] / (2.0 * np.pi)
        angle = self.points[:, round_ones] / radius
        return np.hstack([self.points[:, ~round_ones], radius * np.cos(angle), radius * np.sin(angle)])

    @cached_property
    def size(self) -> float:
        """The diagonal of its bounding box."""
        return float(np.linalg.norm(np.ptp(self.embedded, axis=0)))

    @cached_property
    def spacing(self) -> float:
        """How far neighbours are from each other, at most but for a twentieth of them."""
        if len(self.points) < 3:
            return 0.0
        distances, _ = self.tree.query(self._some, k=2)
        return float(np.quantile(distances[:, 1], 0.95))

    @cached_property
    def _some(self) -> FloatArray:
        """So many of the points that a question to another set stays cheap."""
        return self.embedded[:: max(len(self.points) // _POINTS, 1)]

    def distance(self, other: "Cloud") -> float:
        """The larger of the distances either way, of all points but the farthest tenth."""
        there, _ = self.tree.query(other._some)
        back, _ = other.tree.query(self._some)
        return float(max(np.quantile(there, 0.9), np.quantile(back, 0.9)))

    def same(self, other: "Cloud") -> bool:
        """Whether both are of one attractor."""
        if CYCLE == self.detail == other.detail and abs(self.period - other.period) > _PERIOD * self.period:
            return False
        near = max(_SAME_SET * max(self.size, other.size), _SPACINGS * max(self.spacing, other.spacing))
        return self.distance(other) <= near

    def doubtful(self, other: "Cloud") -> bool:
        """Whether both may be on the way to one attractor."""
        return self.detail == other.detail and self.distance(other) <= _DOUBTFUL * max(self.size, other.size)


def turns_of(system: System) -> FloatArray:
    """The period of each state that is an angle; infinite for the others."""
    return np.array([system.periods.get(state, np.inf) for state in system.states])


def clouds_of(
    system: System, x: FloatArray, p: FloatArray, details: Sequence[str], periods: FloatArray, bound: float,
    longer: int = 1,
) -> list[Cloud | None]:  # fmt: skip
    """Points of orbits that go on from the rows of `x` (k, n), with parameters (k, m); None where one leaves.

    `longer` times as many points are taken of what does not close.
    """
    turns = turns_of(system)
    kept: list[FloatArray | None] = []
    points = _POINTS * longer
    if system.kind == "map":
        orbits = Cells(system, x, p, 1.0, bound, 1e-9)
        records = orbits.record(np.arange(len(x)), points, points)
        for k, (record, code) in enumerate(zip(records, orbits.codes, strict=True)):
            # A cycle comes back to its points, and one turn of it says all.
            last = int(periods[k]) if details[k] == CYCLE and periods[k] < points else points
            kept.append(record[:, -last:].T if code == lanes.INSIDE else None)
    else:
        for k in range(len(x)):
            cycle = details[k] == CYCLE
            length, some = (float(periods[k]), _POINTS) if cycle else (float(periods[k]) * _TURNS * longer, points)
            orbit = Cells(system, x[k : k + 1], p[k : k + 1], length / some, bound, 1e-9)
            record = orbit.record(np.arange(1), some, some)[0]
            kept.append(record.T if orbit.codes[0] == lanes.INSIDE else None)
    return [
        None if points is None else Cloud(np.ascontiguousarray(points), turns, detail, float(period))
        for points, detail, period in zip(kept, details, periods.tolist(), strict=True)
    ]


def same_limits(x: FloatArray, turns: FloatArray) -> IntArray:
    """Numbers of groups of equal limits among the rows of `x` (k, n), by the order in which they are met."""
    numbers = np.zeros(len(x), dtype=np.int64)
    leaders: list[FloatArray] = []
    for k, here in enumerate(x):
        for number, leader in enumerate(leaders):
            apart = np.abs(here - leader)
            apart = np.where(np.isfinite(turns), np.minimum(np.mod(apart, turns), turns - np.mod(apart, turns)), apart)
            if np.max(apart) <= _SAME_LIMIT * (1.0 + float(np.max(np.abs(here)))):
                numbers[k] = number
                break
        else:
            numbers[k] = len(leaders)
            leaders.append(here)
    return numbers


def pieces_of_continuum(x: FloatArray) -> IntArray:
    """Numbers of the pieces that limits on a continuum form, by gaps that are large beside its extent."""
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if len(x) < 2:
        return np.zeros(len(x), dtype=np.int64)
    extent = float(np.max(np.ptp(x, axis=0)))
    # On average, points of a sample of a line of this extent are as far apart as it is long over their number.
    radius = max(_GAP, 8.0 / len(x)) * max(extent, 1e-300)
    near = cKDTree(x).sparse_distance_matrix(cKDTree(x), radius, output_type="coo_matrix")
    _, labels = connected_components(near, directed=False)
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[numbers], dtype=np.int64)


def same_sets(clouds: Sequence[Cloud | None]) -> IntArray:
    """Numbers of groups of clouds of one attractor; -1 for None."""
    numbers = np.full(len(clouds), -1, dtype=np.int64)
    leaders: list[Cloud] = []
    for k, cloud in enumerate(clouds):
        if cloud is None:
            continue
        for number, leader in enumerate(leaders):
            if leader.same(cloud):
                numbers[k] = number
                break
        else:
            numbers[k] = len(leaders)
            leaders.append(cloud)
    return numbers


def joined_in_doubt(
    system: System, p: FloatArray, clouds: list[Cloud | None], numbers: IntArray, ticks: int, tick: float, bound: float,
    rounds: int = 3,
) -> IntArray:  # fmt: skip
    """Groups of slow orbits joined after these were run on, twice as long in every round.

    Parameters
    ----------
    p : array (k, m)
    clouds : list of Cloud
        Replaced, for the first of each group, by those of later on.
    numbers : int array (k,)
        Of groups.
    ticks, tick : int, float
        How long to go on in the first round.
    """
    for round_ in range(rounds):
        firsts = {int(g): int(np.flatnonzero(numbers == g)[0]) for g in np.unique(numbers) if g >= 0}
        unsure = [
            (a, b)
            for a in firsts
            for b in firsts
            if a < b and _cloud(clouds, firsts[a]).doubtful(_cloud(clouds, firsts[b]))
        ]
        if not unsure:
            break
        again = sorted({g for pair in unsure for g in pair})
        rows = np.array([firsts[g] for g in again])
        orbits = Cells(system, np.array([_cloud(clouds, k).points[-1] for k in rows]), p[rows], tick, bound, 1e-9)
        orbits.advance(np.arange(len(rows)), ticks * 2**round_)
        old = [_cloud(clouds, k) for k in rows]
        fresh = clouds_of(
            system, orbits.x, p[rows], [c.detail for c in old], np.array([c.period for c in old]), bound,
            # Near a resonance an orbit stays next to a few places of its circle for long.
            4 ** (round_ + 1),
        )  # fmt: skip
        for k, cloud in zip(rows.tolist(), fresh, strict=True):
            clouds[k] = cloud if cloud is not None else clouds[k]
        for a, b in unsure:
            if _cloud(clouds, firsts[a]).same(_cloud(clouds, firsts[b])):
                numbers[numbers == b] = int(numbers[firsts[a]])
    return numbers


def neutral_sets(
    system: System, p: FloatArray, clouds: Sequence[Cloud | None], numbers: IntArray, ticks: int, tick: float,
    bound: float,
) -> NDArray[np.bool_]:  # fmt: skip
    """Which orbits are on sets that do not attract: an orbit that starts beside them stays beside them.

    The arguments are those of `joined_in_doubt`; a set that only attracts slowly comes nearer within the time.
    """
    groups = [int(g) for g in np.unique(numbers) if g >= 0]
    rows = np.array([int(np.flatnonzero(numbers == g)[0]) for g in groups])
    known = [_cloud(clouds, k) for k in rows]
    direction = np.cos(np.arange(1.0, system.n + 1.0))
    sizes = np.array([np.ptp(c.points, axis=0) for c in known])
    beside = np.array([c.points[-1] for c in known]) + _BESIDE * sizes * direction
    details, periods = [c.detail for c in known], np.array([c.period for c in known])
    before = clouds_of(system, beside, p[rows], details, periods, bound)
    orbits = Cells(system, beside, p[rows], tick, bound, 1e-9)
    orbits.advance(np.arange(len(rows)), ticks)
    after = clouds_of(system, orbits.x, p[rows], details, periods, bound)
    stays = [
        one is not None and other is not None and c.distance(other) > 0.5 * c.distance(one)
        for c, one, other in zip(known, before, after, strict=True)
    ]
    return np.isin(numbers, [g for g, neutral in zip(groups, stays, strict=True) if neutral])


def _cloud(clouds: Sequence[Cloud | None], k: int) -> Cloud:
    cloud = clouds[k]
    assert cloud is not None
    return cloud

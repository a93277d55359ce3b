"""Attractors followed over parameters: training goes on at other parameters from where it was, and ids go with it.

An attractor keeps its id where runs that start next to it, after a change of the parameters, end on what is nearest to
it, and converge or oscillate as it did. Where two come to one, the nearer one's id stays; the other attractor has ended
there: half of a hysteresis.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.attractor_set import AttractorSet
from gan_bifurcation.regimes.attractors import DECIDED, Attractor
from gan_bifurcation.regimes.basins import find
from gan_bifurcation.regimes.draws import box_of, budget_of, drawn
from gan_bifurcation.regimes.telling_apart import Cloud
from gan_bifurcation.system import System

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

# Runs from each attractor, displaced by this part of its size, so that none stays on what has lost its stability.
STARTS: Final = 4
_BESIDE: Final = 1e-3
_LEAST: Final = 1e-4
# Ways to end without an attractor.
_ENDS: Final = ("stalls", "diverges")


@dataclass(frozen=True)
class Event:
    """What happens to an attractor between two places.

    Attributes
    ----------
    step : int
        Between the places number `step` and `step` + 1.
    id : int
    what : "appears" or "ends"
    into : tuple of int
        Of what ends: the ids of what runs from there come to.
    """

    step: int
    id: int
    what: str
    into: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class AttractorPath:
    """Attractors along a path of parameters. Made by :func:`gan_bifurcation.follow_attractors`.

    Attributes
    ----------
    parameters : tuple of mapping
        The places.
    sets : tuple of AttractorSet
        The same id is the same attractor.
    events : tuple of Event
    """

    parameters: tuple[Mapping[str, float], ...]
    sets: tuple[AttractorSet, ...]
    events: tuple[Event, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """All ids, in the order in which they appear."""
        return tuple(dict.fromkeys(a.id for s in self.sets for a in s.attractors))

    def shares(self, number: int) -> FloatArray:
        """The share of an attractor's basin at each place; 0 where it is not there."""
        return np.array([sum(a.share for a in s.attractors if a.id == number) for s in self.sets])

    def to_dataframe(self) -> "pd.DataFrame":
        """One row for each attractor at each place (needs pandas)."""
        import pandas as pd

        parts = []
        for where, found in zip(self.parameters, self.sets, strict=True):
            part = found.to_dataframe()
            for position, (name, value) in enumerate(where.items()):
                part.insert(position, name, value)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)


def follow_attractors(
    system: System,
    values: Mapping[str, Sequence[float]],
    box: Mapping[str, Any] | None = None,
    *,
    samples: int = 200,
    seed: int = 0,
    steps: int | None = None,
    duration: float | None = None,
    tolerance: float = 1e-4,
    bound: float = 1e6,
    executor: Executor | None = None,
) -> AttractorPath:
    """Find the attractors along a path of parameters, with ids that stay the same.

    Parameters
    ----------
    system : System
    values : mapping of parameter to sequence of float
        The path: equally many values of each.
    box, samples, seed, steps, duration, tolerance, bound, executor
        See :func:`gan_bifurcation.attractors`. The same initial conditions are taken everywhere; runs from the
        attractors of the place before come on top, but do not count in shares.

    Returns
    -------
    AttractorPath

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("flow", {"x": "b + x - x**3"}, parameters={"b": 0.0})
    >>> path = gb.follow_attractors(s, {"b": [0.0, 0.2, 0.4, 0.6]}, {"x": (-2, 2)}, samples=50, duration=100)
    >>> [sorted(a.id for a in found.attractors) for found in path.sets]
    [[1, 2], [1, 2], [1], [1]]
    >>> path.events
    (Event(step=1, id=2, what='ends', into=(1,)),)
    """
    if (
        not isinstance(values, Mapping)
        or {len(v) for v in values.values()} in (set(), {0})
        or len({len(v) for v in values.values()}) > 1
    ):
        raise MisuseError("A path is a mapping of parameters to equally many values, such as {'sigma': [0.1, 0.2]}.")
    for name in values:
        system.parameter_index(name)
    budget = budget_of(system, steps, duration, tolerance, bound)
    ranges = box_of(system, box)
    columns = [[float(u) for u in v] for v in values.values()]
    places = [dict(zip(values, row, strict=True)) for row in zip(*columns, strict=True)]
    sets: list[AttractorSet] = []
    events: list[Event] = []
    lost: list[tuple[Attractor, Cloud | None]] = []
    highest = 0
    for step, where in enumerate(places):
        here = system.with_parameters(**where)
        start = drawn(here, ranges, samples, seed)
        if not sets:
            sets.append(replace(find(here, start, budget, executor=executor), box=ranges, seed=int(seed)))
            highest = len(sets[0])
            continue
        before = sets[-1]
        if lost:
            more = tuple(zip(*lost, strict=True))
            before = replace(
                before, attractors=(*before.attractors, *more[0]), clouds=(*before.clouds, *more[1])
            )  # fmt: skip
        extra = beside(before.attractors, before.clouds, system)
        found = replace(find(here, start, budget, extra=extra, executor=executor), box=ranges, seed=int(seed))
        numbers, highest = matched(before, found, highest)
        found = renumbered(found, numbers)
        events += _events(step - 1, before, found)
        lost = _undecided(before, found)
        sets.append(found)
    return AttractorPath(tuple(places), tuple(sets), tuple(events))


def beside(attractors: Sequence[Attractor], clouds: Sequence[Cloud | None], system: System) -> FloatArray:
    """Starts next to attractors, `STARTS` of each in its turn (k, n); of what is no attractor none."""
    directions = np.random.default_rng(0).standard_normal((STARTS, system.n))
    directions[1::2] = -directions[::2]
    directions /= np.max(np.abs(directions), axis=1, keepdims=True)
    rows = []
    for attractor, cloud in zip(attractors, clouds, strict=True):
        if attractor.verdict in _ENDS or cloud is None:
            continue
        size = np.maximum(np.ptp(cloud.points, axis=0) * _BESIDE, 0.0)
        size = np.maximum(size, _LEAST * (np.max(np.abs(cloud.points)) if cloud.size else 1.0) * (cloud.size == 0.0))
        rows.append(cloud.points[-1] + size * directions)
    return np.vstack(rows) if rows else np.zeros((0, system.n))


def destinations(before: AttractorSet, found: AttractorSet) -> dict[int, dict[int, int]]:
    """For each attractor (position) where runs that start next to it end (position), and how many of them do."""
    went: dict[int, dict[int, int]] = {}
    row = 0
    for i, (attractor, cloud) in enumerate(zip(before.attractors, before.clouds, strict=True)):
        if attractor.verdict in _ENDS or cloud is None:
            continue
        counts: dict[int, int] = {}
        for j in found.followed[row : row + STARTS].tolist():
            counts[j] = counts.get(j, 0) + 1
        went[i] = counts
        row += STARTS
    return went


def matched(before: AttractorSet, found: AttractorSet, highest: int) -> tuple[list[int], int]:
    """Ids of the attractors of `found`, and the highest id so far."""
    ids = [0] * len(found)
    pairs = []
    for i, counts in destinations(before, found).items():
        for j in counts:
            one, other = before.clouds[i], found.clouds[j]
            # What converges and what oscillates are two attractors, even where one grows out of the other.
            if one is not None and other is not None and found.attractors[j].verdict == before.attractors[i].verdict:
                pairs.append((one.distance(other), -counts[j], before.attractors[i].id, i, j))
    taken: set[int] = set()
    for _, _, number, i, j in sorted(pairs):
        if i not in taken and not ids[j]:
            taken.add(i)
            ids[j] = number
    # What is no attractor is the same where it is the same in words.
    words = {(a.verdict, a.detail, a.reason): a.id for a in before.attractors if a.verdict in _ENDS}
    for j, a in enumerate(found.attractors):
        if not ids[j] and a.verdict in _ENDS:
            ids[j] = words.get((a.verdict, a.detail, a.reason), 0)
        if not ids[j]:
            highest += 1
            ids[j] = highest
    return ids, highest


def renumbered(found: AttractorSet, numbers: Sequence[int]) -> AttractorSet:
    """The same set with other ids."""
    new = {a.id: n for a, n in zip(found.attractors, numbers, strict=True)}
    made = tuple(replace(a, id=new[a.id], copy_of=new.get(a.copy_of, 0)) for a in found.attractors)
    return replace(found, attractors=made)


def _events(step: int, before: AttractorSet, found: AttractorSet) -> list[Event]:
    old, new = {a.id for a in before.attractors}, {a.id for a in found.attractors}
    went = destinations(before, found)
    events = []
    for i, a in enumerate(before.attractors):
        if a.id not in new:
            into = tuple(sorted({found.attractors[j].id for j in went.get(i, {})}))
            events.append(Event(step, a.id, "ends", into))
    return events + [Event(step, a.id, "appears") for a in found.attractors if a.id not in old]


def _undecided(before: AttractorSet, found: AttractorSet) -> list[tuple[Attractor, Cloud | None]]:
    """What has no successor because nothing was decided, as just on a border of stability: looked for once more."""
    ids = {a.id for a in found.attractors}
    went = destinations(before, found)
    return [
        (before.attractors[i], before.clouds[i])
        for i, counts in went.items()
        if before.attractors[i].id not in ids
        and all(found.attractors[j].verdict == "stalls" or found.attractors[j].confidence < DECIDED for j in counts)
    ]


def single(system: System, attractors: Sequence[Attractor], clouds: Sequence[Cloud | None]) -> AttractorSet:
    """A set of attractors that are known otherwise, without initial conditions."""
    none = np.zeros(0, dtype=np.int64)
    return AttractorSet(system, tuple(attractors), tuple(clouds), np.zeros((0, system.n)), none, none)

"""What happens to an attractor where a border is crossed slowly: it is carried across, and back again.

Hysteresis is where the way back leads elsewhere. Ids of attractors are the same in neighbouring regimes where one
becomes the other.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.regimes.attractor_set import AttractorSet
from gan_bifurcation.regimes.attractors import Attractor
from gan_bifurcation.regimes.basins import find
from gan_bifurcation.regimes.following import beside, destinations, single
from gan_bifurcation.regimes.regime import Border, Regime, RegimeMap
from gan_bifurcation.regimes.sampling import Sampler
from gan_bifurcation.regimes.telling_apart import Cloud

FloatArray = NDArray[np.float64]

# From a border to either side, in unit coordinates, and less where a face is thin.
_ASIDE: Final = 0.02
_STEPS: Final = (_ASIDE, 0.01, 4e-3, 2e-3, 1e-3, 4e-4, 2e-4, 1e-4)
_LEGS: Final = 4
_ENDS: Final = ("stalls", "diverges")


@dataclass(frozen=True)
class Transition:
    """What one attractor becomes where one border is crossed in one direction.

    Attributes
    ----------
    border : int
        Position in the map's borders.
    source, target : int
        Numbers of the regimes.
    attractor : int
        Its id in the source.
    into : int
        The id in the target; 0 for what is not among the attractors that are known there.
    verdict, detail : str
        Of what it becomes.
    share : float
        Part of the runs (each displaced in a direction of its own) that came to this.
    returns : bool
        Whether crossing back can lead to the same attractor again; where it cannot, there is hysteresis.
    """

    border: int
    source: int
    target: int
    attractor: int
    into: int
    verdict: str
    detail: str
    share: float
    returns: bool


@dataclass(frozen=True, eq=False)
class _Carried:
    """Attractors of a regime at another place of it: by position; None where one was lost on the way."""

    unit: FloatArray
    items: tuple[tuple[Attractor, Cloud | None] | None, ...]

    @property
    def rows(self) -> list[int]:
        return [k for k, item in enumerate(self.items) if item is not None]

    def as_set(self, sampler: Sampler) -> AttractorSet:
        kept = [item for item in self.items if item is not None]
        return single(sampler.at(self.unit), [a for a, _ in kept], [c for _, c in kept])


@dataclass(frozen=True, eq=False)
class _Crossing:
    """From one side of a border to the other, by positions of attractors in both regimes.

    `went` says for each attractor of the source how many runs came to what: a position in the target, or an attractor
    that is not known there. `apart` are distances of what becomes of each other.
    """

    went: Mapping[int, Mapping[int, int]]
    found: AttractorSet
    place: Mapping[int, int]
    apart: Mapping[tuple[int, int], float]


def _carry(sampler: Sampler, start: _Carried, path: Sequence[FloatArray]) -> _Carried:
    """Follow attractors along places inside a regime."""
    here = start
    for q in path:
        rows = here.rows
        if not rows:
            break
        before = here.as_set(sampler)
        extra = beside(before.attractors, before.clouds, sampler.system)
        items: list[tuple[Attractor, Cloud | None] | None] = [None] * len(here.items)
        if len(extra):
            found = find(sampler.at(q), np.zeros((0, sampler.system.n)), sampler.budget, extra=extra, workers=1)
            taken: dict[int, float] = {}
            for i, counts in destinations(before, found).items():
                j = max(counts, key=lambda k: (counts[k], -k))
                one, other = before.clouds[i], found.clouds[j]
                if found.attractors[j].verdict in _ENDS or one is None or other is None:
                    continue
                away = one.distance(other)
                if taken.get(j, np.inf) > away:
                    # Two that came to one: the nearer one is it.
                    for k, item in enumerate(items):
                        if item is not None and item[0] is found.attractors[j]:
                            items[k] = None
                    taken[j] = away
                    items[rows[i]] = (found.attractors[j], other)
        here = _Carried(q, tuple(items))
    return replace(here, unit=path[-1] if len(path) else here.unit)


def _across(sampler: Sampler, source: _Carried, target: _Carried) -> _Crossing:
    """Runs from the attractors of one side at the parameters of the other."""
    before, there = source.as_set(sampler), target.as_set(sampler)
    first = beside(before.attractors, before.clouds, sampler.system)
    known = beside(there.attractors, there.clouds, sampler.system)
    none = np.zeros((0, sampler.system.n))
    found = find(sampler.at(target.unit), none, sampler.budget, extra=np.vstack([none, first, known]), workers=1)
    mine = replace(found, followed=found.followed[: len(first)])
    theirs = replace(found, followed=found.followed[len(first) :])
    place = {}
    for i, counts in destinations(there, theirs).items():
        place[max(counts, key=lambda k: (counts[k], -k))] = target.rows[i]
    went, apart = {}, {}
    for i, counts in destinations(before, mine).items():
        went[source.rows[i]] = counts
        for j in counts:
            one, other = before.clouds[i], found.clouds[j]
            if j in place and one is not None and other is not None:
                apart[source.rows[i], place[j]] = one.distance(other)
    return _Crossing(went, found, place, apart)


# -- places -----------------------------------------------------------------------------------------------------------


def sides_of(border: Border, faces: Sequence[Regime]) -> tuple[FloatArray, FloatArray] | None:
    """Two places next to the middle of a border, in its first face and in its second; None where it is too thin."""
    shapes = [faces[f].shape for f in border.faces]
    if len(border.unit) == 1:
        at = float(border.unit[0, 0])
        out = []
        for shape in shapes:
            low, _, high, _ = shape.bounds
            step = min(_ASIDE, 0.4 * (high - low))
            out.append(np.array([at + step if abs(low - at) < abs(high - at) else at - step]))
        return out[0], out[1]
    line = shapely.LineString(border.unit)
    # A thin face has room nowhere for a large step, and most where it is thickest.
    grown = [shape.buffer(1e-9) for shape in shapes]
    best: tuple[float, FloatArray, FloatArray] | None = None
    for part in (0.5, 0.35, 0.65, 0.2, 0.8, 0.05, 0.95):
        middle, ahead = (
            np.asarray(shapely.get_coordinates(line.interpolate(t, normalized=True))[0])
            for t in (part, min(part + 1e-3, 1.0))
        )
        along = ahead - middle
        if not np.any(along):
            continue
        normal = np.array([-along[1], along[0]]) / np.linalg.norm(along)
        for sign in (1.0, -1.0):
            steps = [_step(grown[k], shapes[k], middle, way * normal) for k, way in ((0, sign), (1, -sign))]
            if min(steps) > (best[0] if best is not None else 0.0):
                best = (min(steps), middle + steps[0] * sign * normal, middle - steps[1] * sign * normal)
    return None if best is None else (best[1], best[2])


def _step(grown: Any, shape: Any, middle: FloatArray, normal: FloatArray) -> float:
    """How far a place beside a border may lie inside a face on this side of it; 0 where there is none."""
    for step in _STEPS:
        there = middle + step * normal
        if shape.contains(shapely.Point(*there)) and grown.contains(shapely.LineString([middle, there])):
            return step
    return 0.0


def _legs(shape: Any, a: FloatArray, b: FloatArray) -> list[FloatArray]:
    """Places from a to b: several where the way lies in the face, otherwise the goal alone."""
    inside = len(a) == 1 or bool(shape.buffer(1e-9).contains(shapely.LineString([a, b])))
    steps = _LEGS if inside else 1
    return [a + (b - a) * (k + 1) / steps for k in range(steps)]


# -- the work ---------------------------------------------------------------------------------------------------------


def cross(
    task: tuple[Sampler, Border, Regime, Regime, AttractorSet, AttractorSet],
) -> tuple[_Crossing, _Crossing] | None:
    """What happens at one border, in both directions; None where there is no place beside it."""
    sampler, border, first, second, set_a, set_b = task
    sides = sides_of(replace(border, faces=(0, 1)), (first, second))
    if sides is None:
        return None
    carried = []
    for face, found, side in ((first, set_a, sides[0]), (second, set_b, sides[1])):
        begin = sampler.window.to_unit([face.point[n] for n in sampler.window.names])
        items = tuple(
            None if a.verdict in _ENDS or c is None else (a, c)
            for a, c in zip(found.attractors, found.clouds, strict=True)
        )
        carried.append(_carry(sampler, _Carried(begin, items), _legs(face.shape, begin, side)))
    a, b = carried
    return _across(sampler, a, b), _across(sampler, b, a)


def crossed(
    sampler: Sampler, faces: Sequence[Regime], borders: Sequence[Border], sets: Sequence[AttractorSet],
    executor: Executor | None, report: Callable[[int, int, str], bool],
) -> tuple[tuple[AttractorSet, ...], tuple[Transition, ...]]:  # fmt: skip
    """Carry the attractors of all regimes across all borders.

    Returns
    -------
    sets, transitions
        The sets with ids that are the same where one attractor becomes another, and what happens at each border.
    """
    tasks = [
        (sampler, replace(b, curve=None), faces[b.faces[0]], faces[b.faces[1]], sets[b.faces[0]], sets[b.faces[1]])
        for b in borders
    ]
    results = []
    for done, result in enumerate(map(cross, tasks) if executor is None else executor.map(cross, tasks)):
        results.append(result)
        if not report(done + 1, len(tasks), "crossings"):
            results += [None] * (len(tasks) - len(results))
            break
    sets = _numbered(faces, borders, sets, results)
    made: list[Transition] = []
    for k, (border, both) in enumerate(zip(borders, results, strict=True)):
        if both is not None:
            a, b = border.faces
            made += _transitions(k, a, b, sets[a], sets[b], both[0], both[1])
            made += _transitions(k, b, a, sets[b], sets[a], both[1], both[0])
    return tuple(sets), tuple(made)


def _numbered(
    faces: Sequence[Regime], borders: Sequence[Border], sets: Sequence[AttractorSet],
    results: Sequence[tuple[_Crossing, _Crossing] | None],
) -> list[AttractorSet]:  # fmt: skip
    """The same ids where attractors become each other, from the largest regime outwards."""
    ids: list[list[int]] = [[0] * len(s) for s in sets]
    words: dict[tuple[str, str], int] = {}
    near: dict[int, list[tuple[float, int, Mapping[tuple[int, int], float]]]] = defaultdict(list)
    for border, both in zip(borders, results, strict=True):
        if both is not None:
            a, b = border.faces
            # What is the same both ways is certain.
            both_ways = {
                (i, j): min(both[0].apart.get((i, j), np.inf), both[1].apart.get((j, i), np.inf))
                for i, j in {*both[0].apart, *((i, j) for j, i in both[1].apart)}
            }
            near[a].append((-border.length, b, both_ways))
            near[b].append((-border.length, a, {(j, i): d for (i, j), d in both_ways.items()}))
    highest = 0
    seen: set[int] = set()
    for begin in sorted(range(len(faces)), key=lambda f: (-faces[f].area, f)):
        queue = [begin]
        while queue:
            here = queue.pop(0)
            if here in seen:
                continue
            seen.add(here)
            for j, item in enumerate(sets[here].attractors):
                if item.verdict in _ENDS and not ids[here][j]:
                    # Ways to end are the same where they are the same in words.
                    ids[here][j] = words.get((item.verdict, item.reason), 0)
                if not ids[here][j]:
                    highest += 1
                    ids[here][j] = highest
                if item.verdict in _ENDS:
                    words.setdefault((item.verdict, item.reason), ids[here][j])
            for _, other, apart in sorted(near[here], key=lambda n: n[:2]):
                if other not in seen:
                    for _, i, j in sorted((d, i, j) for (i, j), d in apart.items()):
                        # What converges and what oscillates are two attractors, even where one grows out of the other:
                        # around a point of codimension two, one would turn into another on the way round.
                        alike = sets[here].attractors[i].verdict == sets[other].attractors[j].verdict
                        if alike and not ids[other][j] and ids[here][i] not in ids[other]:
                            ids[other][j] = ids[here][i]
                    queue.append(other)
    made = []
    for own, s in zip(ids, sets, strict=True):
        new = {a.id: n for a, n in zip(s.attractors, own, strict=True)}
        named = tuple(replace(a, id=new[a.id], copy_of=new.get(a.copy_of, 0)) for a in s.attractors)
        made.append(replace(s, attractors=named))
    return made


def _transitions(
    border: int, source: int, target: int, set_a: AttractorSet, set_b: AttractorSet, there: _Crossing, back: _Crossing
) -> list[Transition]:
    made = []
    for i, counts in sorted(there.went.items()):
        total = sum(counts.values())
        for j, count in sorted(counts.items()):
            a = there.found.attractors[j]
            into = 0
            returns = False
            if j in there.place:
                position = there.place[j]
                into = set_b.attractors[position].id
                again = back.went.get(position, {})
                returns = any(back.place.get(k, -1) == i for k in again)
            elif a.verdict in _ENDS:
                into = next((b.id for b in set_b.attractors if (b.verdict, b.reason) == (a.verdict, a.reason)), 0)
            made.append(
                Transition(
                    border, source, target, set_a.attractors[i].id, into, a.verdict, a.detail, count / total, returns
                )
            )
    return made


def _known_set(rmap: RegimeMap, face: Regime) -> tuple[AttractorSet, list[int]]:
    """The attractors of a regime at its representative point, found again from a point of each; which is which."""
    sampler = rmap.sampler
    unit = rmap.window.to_unit([face.point[n] for n in rmap.window.names])
    known = [k for k, a in enumerate(face.attractors) if a.verdict not in _ENDS and a.state]
    start = np.array([face.attractors[k].state for k in known]).reshape(-1, sampler.system.n)
    found = find(sampler.at(unit), np.zeros((0, sampler.system.n)), sampler.budget, extra=start, workers=1)
    ends = [k for k, a in enumerate(face.attractors) if k not in known]
    attractors = (*found.attractors, *(replace(face.attractors[k], id=len(found) + 1 + k) for k in ends))
    places = dict(zip(known, found.followed.tolist(), strict=True))
    places |= {k: len(found) + n for n, k in enumerate(ends)}
    return replace(found, attractors=attractors, clouds=(*found.clouds, *(None for _ in ends))), [
        places[k] for k in range(len(face.attractors))
    ]


def with_transitions(rmap: RegimeMap, executor: Executor | None = None) -> RegimeMap:
    """The same map with ids of its attractors and with what happens where borders are crossed."""
    pairs = [_known_set(rmap, face) for face in rmap.faces]
    sets, found = crossed(
        rmap.sampler, rmap.faces, rmap.borders, [s for s, _ in pairs], executor, lambda done, total, text: True
    )
    faces = tuple(
        replace(
            face,
            attractors=tuple(
                replace(a, id=own.attractors[places[k]].id) for k, a in enumerate(face.attractors)
            ),
        )
        for face, own, (_, places) in zip(rmap.faces, sets, pairs, strict=True)
    )  # fmt: skip
    return replace(rmap, faces=faces, crossings=found)


def hysteresis_graph(rmap: RegimeMap) -> Any:
    """A MultiDiGraph with plain values: nodes "regime:attractor", edges what becomes of one across a border.

    Nodes have regime, attractor, verdict, detail, share; an attractor 0 stands for what was not known in its regime.
    Edges have border (position), label, verdict and detail of what it becomes, share and returns.
    """
    import networkx as nx

    if rmap.crossings is None:
        rmap = with_transitions(rmap)
    graph = nx.MultiDiGraph(name=rmap.system.name, window=rmap.window.record())
    for face in rmap.faces:
        for a in face.attractors:
            share = None if np.isnan(a.share) else float(a.share)
            graph.add_node(
                f"{face.number}:{a.id}", regime=face.number, attractor=a.id, verdict=a.verdict, detail=a.detail,
                share=share,
            )  # fmt: skip
    for t in rmap.transitions:
        source, target = f"{t.source}:{t.attractor}", f"{t.target}:{t.into}"
        for name, regime, number in ((source, t.source, t.attractor), (target, t.target, t.into)):
            if name not in graph:
                verdict, detail = (t.verdict, t.detail) if name == target else ("", "")
                graph.add_node(
                    name, regime=regime, attractor=number, verdict=verdict, detail=detail, share=None
                )  # fmt: skip
        graph.add_edge(
            source, target, border=t.border, label=rmap.borders[t.border].label, verdict=t.verdict, detail=t.detail,
            share=float(t.share), returns=bool(t.returns),
        )  # fmt: skip
    return graph

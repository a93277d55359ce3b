"""The attractors of each regime: from many initial conditions, with ids that are the same across borders."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import Outcome
from gan_bifurcation.regimes.arrangement import Arrangement
from gan_bifurcation.regimes.attractor_set import AttractorSet
from gan_bifurcation.regimes.attractors import Attractor
from gan_bifurcation.regimes.crossing import crossed
from gan_bifurcation.regimes.following import beside
from gan_bifurcation.regimes.regime import RegimeMap
from gan_bifurcation.regimes.sampling import Evaluator

FloatArray = NDArray[np.float64]

_ENDS: Final = ("stalls", "diverges")


def kinds_of(found: AttractorSet | None) -> tuple[str, ...]:
    """The verdicts of what attracts, each once."""
    return () if found is None else tuple(sorted({a.verdict for a in found.attractors if a.verdict not in _ENDS}))


def kinds_of_faces(
    arrangement: Arrangement, places: Sequence[FloatArray | None], keys: Sequence[Any], evaluator: Evaluator
) -> list[tuple[str, ...]]:
    """What attracts in each face of an arrangement, by its verdicts; () where no place is given.

    Where neighbours differ, what was found in one is looked for in the other from there: a small basin may have been
    missed.
    """
    wanted = [k for k, place in enumerate(places) if place is not None]
    sets: list[AttractorSet | None] = [None] * len(places)
    found = evaluator([places[k] for k in wanted], "attractors", "attractors")
    for k, s in zip(wanted, found, strict=True):
        sets[k] = s
    kinds = [kinds_of(s) for s in sets]
    for a, b in sorted({tuple(sorted(p.faces)) for p in arrangement.pieces if p.faces[0] != p.faces[1]}):
        if keys[a] != keys[b]:
            continue
        for here, there in ((a, b), (b, a)):
            own, other, place = sets[here], sets[there], places[here]
            if own is None or other is None or place is None or set(kinds[there]) <= set(kinds[here]):
                continue
            extra = beside(other.attractors, other.clouds, evaluator.sampler.system)
            more = evaluator.sampler.attractors(place, extra)
            kinds[here] = tuple(sorted({*kinds[here], *kinds_of(more)}))
    return kinds


def with_attractors(rmap: RegimeMap, evaluator: Evaluator) -> RegimeMap:
    """The map with all attractors of each regime at its representative point, and what happens across borders."""
    if evaluator.stopped:
        return rmap
    units = [rmap.window.to_unit([face.point[n] for n in rmap.window.names]) for face in rmap.faces]
    found = evaluator(units, "attractors", "attractors")
    if any(s is None for s in found):
        outcome = Outcome(
            "interrupted", "The map was interrupted before all attractors were found; make it again.", False
        )
        return replace(rmap, outcome=outcome)
    sets, transitions = crossed(
        rmap.sampler, rmap.faces, rmap.borders, found, evaluator.executor, evaluator.report
    )  # fmt: skip
    faces = tuple(
        replace(face, attractors=_ordered(face.attractors, own.attractors))
        for face, own in zip(rmap.faces, sets, strict=True)
    )
    notes = tuple(
        dict.fromkeys(
            [*rmap.notes, *(f"Regime {f.number}: {n}" for f, s in zip(faces, sets, strict=True) for n in s.notes)]
        )
    )
    return replace(rmap, faces=faces, crossings=transitions, notes=notes)


def _ordered(known: Sequence[Attractor], found: Sequence[Attractor]) -> tuple[Attractor, ...]:
    """What gave the verdict comes first; it is kept if no run came to it."""
    if not known:
        return tuple(found)
    first = known[0]
    same = [a for a in found if (a.verdict, a.detail) == (first.verdict, first.detail)]
    same = same or [a for a in found if a.verdict == first.verdict]
    if first.how == "spectrum" and same:
        same.sort(key=lambda a: float(np.max(np.abs(np.subtract(a.state, first.state)))) if a.state else np.inf)
    lead = same[0] if same else first
    return (lead, *(a for a in found if a is not lead))

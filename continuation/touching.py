"""Special points between which no integer changes: two crossings within a step, or an eigenvalue that only touches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation._tally import REAL_PART
from gan_bifurcation.continuation.conditions import make_point
from gan_bifurcation.continuation.counting import Counts, count, margin, margins, width_of
from gan_bifurcation.continuation.locating import Locator
from gan_bifurcation.continuation.march import Strip, join

FloatArray = NDArray[np.float64]

GOLDEN: Final = 0.5 * (5.0**0.5 - 1.0)
# A distance from the boundary that is no rounding of a simple eigenvalue near it.
_SURE: Final = 1e-13
# How near the boundary the least distance of a strip must come, relative to its largest eigenvalue.
_NEAR: Final = 0.2


def least_distances(kind: str, strip: Strip, counts: Counts, at_start: bool) -> list[int]:
    """The positions whose distance from the boundary is less than that of both neighbours, and may reach zero.

    Parameters
    ----------
    kind : "flow" or "map"
    strip : Strip
    counts : Counts
        Of the strip.
    at_start : bool
        Whether nothing comes before the strip: of two equal distances the second one counts, but the first of all has
        none before it.

    Returns
    -------
    list of int
        A parabola through the distances at a position and its neighbours goes to or through zero.
    """
    distances, neutral = counts.distances, counts.neutral
    if len(strip) < 3 or not distances.shape[1]:
        return []
    # An eigenvalue that stays on the boundary does not touch it.
    stay = np.minimum(np.minimum(neutral[:-2], neutral[1:-1]), neutral[2:])
    if stay.any():
        distances = np.column_stack([distances, np.full(len(strip), np.inf)])
        rows = np.arange(len(stay))
        a, b, c = (distances[rows + k, stay] for k in range(3))
    else:
        a, b, c = distances[:-2, 0], distances[1:-1, 0], distances[2:, 0]
    size = 1.0 if kind == "map" else float(counts.size.max())
    low = (b <= a) & (b <= c) & (b < _NEAR * size)
    if not low.any():
        return []
    length = np.sqrt(np.sum(np.diff(strip.u, axis=0) ** 2, axis=1))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        slope = (b - a) / length[:-1], (c - b) / length[1:]
        curvature = (slope[1] - slope[0]) / (length[:-1] + length[1:])
        lowest = b - (slope[0] + curvature * length[:-1]) ** 2 / (4.0 * curvature)
        falls = slope[0] < 0.0
        falls[0] |= at_start and slope[0][0] == 0.0
        hit = low & falls & (lowest <= 0.25 * b)
        # Rounding may take an eigenvalue on and off the boundary.
        hit &= np.minimum(a, c) > 10.0 * counts.width[1:-1]
    integers = counts.integers[:, :4]
    return [i + 1 for i in np.flatnonzero(hit).tolist() if (integers[i] == integers[i + 2]).all()]


def closest(locator: Locator, three: Strip, resolve: Callable[[Strip], list[Point]]) -> list[tuple[int, list[Point]]]:
    """Golden section for the least distance over two intervals; what is there, with the interval's number.

    Where it comes upon other integers on its way, `resolve` finds what happened in each half.
    """
    kind = locator.kind
    same = count(locator.problem, three).at(0)

    def distance(strip: Strip) -> float:
        return float(np.min(np.abs(margins(kind, strip.spectra[0]))))

    best, where = three.slice(slice(1, 2)), 0
    for which in (0, 1):
        ends = three.slice(slice(which, which + 2))
        chord = ends.u[1] - ends.u[0]
        low, high = 0.0, 1.0
        x = [1.0 - GOLDEN, GOLDEN]
        new = [locator.project(ends.u[0] + f * chord, chord) for f in x]
        for _ in range(45):
            one, two = new
            if one is None or two is None:
                break
            for strip in (one, two):
                if count(locator.problem, strip).at(0) != same:
                    halves = [join([ends.slice(slice(0, 1)), strip]), join([strip, ends.slice(slice(1, 2))])]
                    return [(which, [p for half in halves for p in resolve(half)])]
            lower = distance(one) < distance(two)
            nearer = one if lower else two
            if distance(nearer) < distance(best):
                best, where = nearer, which
            if lower:
                high = x[1]
                x = [low + (1.0 - GOLDEN) * (high - low), x[0]]
                new = [locator.project(ends.u[0] + x[0] * chord, chord), one]
            else:
                low = x[0]
                x = [x[1], low + GOLDEN * (high - low)]
                new = [two, locator.project(ends.u[0] + x[1] * chord, chord)]
    if distance(best) > width_of(kind, best.spectra[0], float(best.structural[0])):
        return []
    if crossings := _crossings(locator, three, best):
        return [(where, crossings)]
    label, nearest = _nearest(kind, best)
    point = make_point(locator.problem, best.u[0], label, complex(nearest.real, abs(nearest.imag)), "")
    note = "The critical eigenvalue only touches the boundary here: stability does not change."
    return [(where, [replace(point, note=note)])]


def _nearest(kind: str, strip: Strip) -> tuple[str, complex]:
    """The eigenvalue nearest the boundary, and the label that speaks of it."""
    s = strip.spectra[0]
    nearest = complex(s[np.argmin(np.abs(margins(kind, s)))])
    if abs(nearest.imag) > REAL_PART * (1.0 + abs(nearest)):
        return "H" if kind == "flow" else "NS", nearest
    return "PD" if kind == "map" and nearest.real < 0.0 else "LP", nearest


def _crossings(locator: Locator, three: Strip, best: Strip) -> list[Point]:
    """Two crossings between which the eigenvalue stays within the width that counts as on the boundary.

    Eigenvalues are known better than that: beyond the crossing the distance with its sign has its own extremum.
    """
    label, _ = _nearest(locator.kind, best)
    if label == "LP":
        return []

    def signed(strip: Strip) -> float:
        return margin(locator.kind, locator.critical(label, strip.spectra[0]))

    ends = [three.slice(slice(i, i + 1)) for i in (0, 2)]
    side = np.sign(signed(ends[0]))
    if side != np.sign(signed(ends[1])):
        return []
    chord = ends[1].u[0] - ends[0].u[0]
    low, high = 0.0, 1.0
    deepest: Strip | None = None
    for _ in range(60):
        probes = [
            locator.project(ends[0].u[0] + f * chord, chord)
            for f in (high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        ]
        one, two = probes
        if one is None or two is None:
            return []
        if side * signed(one) < side * signed(two):
            high, deepest = low + GOLDEN * (high - low), one
        else:
            low, deepest = high - GOLDEN * (high - low), two
    if deepest is None or side * signed(deepest) > -_SURE:
        return []
    found = []
    for outer in ends:
        # Next to the extremum Newton's method goes anywhere: halve until the crossing is close.
        inner, row = deepest, outer.u[0] - deepest.u[0]
        for _ in range(40):
            middle = locator.project(0.5 * (inner.u[0] + outer.u[0]), row)
            if middle is None:
                return []
            if side * signed(middle) < 0.0:
                inner = middle
            else:
                outer = middle
        near = join([inner, outer])
        found.append(locator.locate(label, near, anywhere=True) or locator.at_margin(label, near, 1, ""))
    return found

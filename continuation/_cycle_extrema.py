"""Least and greatest values of the states of a cycle, in compiled code.

Between mesh points the polynomials are off by the fifth power of an interval's length (for degree 4), at mesh points by
the eighth. So an extremum of a polynomial says where the cycle's own is, and Runge-Kutta steps of order 8 go there from
the nearest mesh point, of eight extrema at once.
"""

from typing import Final

import numpy as np

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_linear import copy
from gan_bifurcation.continuation._cycle_memory import RUNGE, Layout
from gan_bifurcation.continuation._cycle_system import evaluate
from gan_bifurcation.continuation._packs import LANES, apart, load, put, spread, store, take
from gan_bifurcation.dormand_prince import DOP853
from gan_bifurcation.kernels import FloatArray, TapeData

_A: Final = DOP853.a[: RUNGE + 1, :RUNGE].copy()
_ERROR5: Final = DOP853.error5[:RUNGE].copy()
_ERROR3: Final = DOP853.error3[:RUNGE].copy()
_STEPS: Final = 2
# The steps are believed if their own error is below this part of what they change, or below this part of the amplitude.
_PART: Final = 1e-2
_TINY: Final = 1e-14
# They change no more than this part of the amplitude.
_MOST: Final = 0.05
# What is found of an extremum: its value, the mesh point it is near to, the step from there in coordinates of the nodes
# over m, the interval, the second derivative in these coordinates.
VALUE, NODE, WAY, INTERVAL, BEND = range(5)


@leaf
def _slope(d: FloatArray, m: int, x: float) -> None:
    """Value, slope and second derivative of Newton's form through the nodes 0, ..., m, to d[m + 1:]."""
    apart()
    value, slope, bend = d[m], 0.0, 0.0
    for k in range(m - 1, -1, -1):
        bend = bend * (x - k) + 2.0 * slope
        slope = slope * (x - k) + value
        value = value * (x - k) + d[k]
    d[m + 1], d[m + 2], d[m + 3] = value, slope, bend


@leaf
def _peak(w: FloatArray, at: int, step: int, m: int, node: int, sign: float, d: FloatArray) -> float:
    """Where `sign` times a piece's polynomial is greatest, between the neighbours of a node; what is there to `d`."""
    apart()
    for k in range(m + 1):
        d[k] = sign * w[at + k * step]
    for k in range(1, m + 1):
        for j in range(m, k - 1, -1):
            d[j] = (d[j] - d[j - 1]) / k
    a, b = max(node - 1.0, 0.0), min(node + 1.0, float(m))
    x = float(node)
    for _ in range(40):
        _slope(d, m, x)
        # The greatest value lies where the slope points to.
        if d[m + 2] > 0.0:
            a = x
        else:
            b = x
        new = x - d[m + 2] / d[m + 3] if d[m + 3] < 0.0 else a - 1.0
        if not (a <= new <= b):
            new = 0.5 * (a + b)
        near = abs(new - x) < 1e-7
        x = new
        if near:
            break
    _slope(d, m, x)
    return x


@leaf
def _look(p: Layout, w: FloatArray, at: int, d: FloatArray) -> None:
    """All extrema of the polynomials, the least and the greatest of each state, to `work2`, (5, 2 n)."""
    apart()
    n, m = p.n, p.m
    count = 2 * n
    for c in range(n):
        lowest = highest = 0
        low = high = w[at + c]
        for k in range(p.intervals * m):
            x = take(w, at + k * n + c)
            if x < low:
                low, lowest = x, k
            if x > high:
                high, highest = x, k
        for side in range(2):
            sign = 1.0 if side == 1 else -1.0
            k = highest if side == 1 else lowest
            interval, node = k // m, k % m
            x = _peak(w, at + interval * m * n + c, n, m, node, sign, d)
            if node == 0 and x < 1e-7:
                # It may lie in the piece before.
                before = (interval - 1) % p.intervals
                best = d[m + 1]
                left = _peak(w, at + before * m * n + c, n, m, m, sign, d)
                if d[m + 1] > best:
                    x, interval = left, before
                else:
                    x = _peak(w, at + interval * m * n + c, n, m, node, sign, d)
            e = p.work2 + 2 * c + side
            w[e + VALUE * count] = sign * d[m + 1]
            late = x > 0.5 * m
            w[e + NODE * count] = interval + 1.0 if late else interval
            w[e + WAY * count] = x / m - 1.0 if late else x / m
            w[e + INTERVAL * count] = interval
            w[e + BEND * count] = sign * d[m + 3] * m * m


@leaf
def extrema(
    p: Layout, tape: TapeData, w: FloatArray, v: FloatArray, g: FloatArray, box: FloatArray, border: FloatArray,
    at: int, ends: FloatArray, d: FloatArray,
) -> None:  # fmt: skip
    """Least values (n,) of the states, then greatest, of the cycle whose states are at `at`, with these borders.

    `d` (m + 4,) is for the compiler's memory.
    """
    apart()
    _look(p, w, at, d)
    n = p.n
    count = 2 * n
    start, here = p.peaks + RUNGE * n * LANES, p.peaks + (RUNGE + 1) * n * LANES
    for first in range(0, count, LANES):
        for lane in range(LANES):
            e = p.work2 + min(first + lane, count - 1)
            i = int(w[e + INTERVAL * count])
            length = border[0] * w[p.h + (i % p.turns) * LANES + i // p.turns]
            put(w, p.work + lane, w[e + WAY * count] * length / _STEPS)
            node = at + int(w[e + NODE * count]) * p.m * n
            for c in range(n):
                put(w, start + c * LANES + lane, take(w, node + c))
        # The slope at the end of a step is the first one of the next.
        for k in range(1 + _STEPS * RUNGE):
            stage = 1 + (k - 1) % RUNGE if k > 0 else 0
            for c in range(0, n * LANES, LANES):
                y = spread(0.0)
                for j in range(stage):
                    y = y + _A[stage, j] * load(w, p.peaks + j * n * LANES + c)
                store(w, here + c, load(w, start + c) + load(w, p.work) * y)
            if stage == RUNGE:
                copy(w, here, start, n)
            evaluate(p, tape, w, v, g, box, border, -1)
            if k < _STEPS * RUNGE:
                copy(w, here, p.peaks + stage % RUNGE * n * LANES, n)
        for lane in range(min(LANES, count - first)):
            e, c = p.work2 + first + lane, (first + lane) // 2
            five = three = 0.0
            for j in range(RUNGE):
                slope = take(w, p.peaks + (j * n + c) * LANES + lane)
                five += _ERROR5[j] * slope
                three += _ERROR3[j] * slope
            time = take(w, p.work + lane)
            five, three = abs(time * five), abs(time * three)
            error = five * five / np.sqrt(five * five + 0.01 * three * three) if five > 0.0 else 0.0
            # What is left of the slope, by the polynomial's second derivative.
            i = int(w[e + INTERVAL * count])
            length = border[0] * w[p.h + (i % p.turns) * LANES + i // p.turns]
            slope = length * take(w, here + c * LANES + lane)
            bend, value = w[e + BEND * count], w[e + VALUE * count]
            y = take(w, start + c * LANES + lane)
            if bend != 0.0:
                y -= 0.5 * slope * slope / bend
            size = abs(w[p.work2 + 2 * c + 1] - w[p.work2 + 2 * c])
            change = abs(y - value)
            if change <= _MOST * size and error <= max(_PART * change, _TINY * size):
                value = y
            ends[c + (first + lane) % 2 * n] = value

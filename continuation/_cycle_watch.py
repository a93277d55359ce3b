"""What is seen of a point of a branch of cycles in compiled code: its record, whether it is to be looked at."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_memory import (
    BEFORE,
    BEFORE_TANGENT,
    LAST,
    MEMORY,
    PRESENT,
    SIGN,
    TANGENT,
    Layout,
)
from gan_bifurcation.continuation._cycle_mesh import density, extrema
from gan_bifurcation.continuation._packs import apart, inlined, put, take
from gan_bifurcation.kernels import FloatArray

_REAL: Final = 1e-9


@leaf
def _outside(spectrum: NDArray[np.complex128], kind: int) -> int:
    """How many multipliers, the trivial one left out, lie outside the unit circle: above 1, below -1, pairs."""
    apart()
    count = 0
    for i in range(1, spectrum.shape[0]):
        mu = spectrum[i]
        if abs(mu) > 1.0:
            real = abs(mu.imag) <= _REAL * abs(mu)
            if (kind == 2 and not real and mu.imag > 0.0) or (kind < 2 and real and (mu.real > 0.0) == (kind == 0)):
                count += 1
    return count


@leaf
def look(
    p: Layout, w: FloatArray, spectrum: NDArray[np.complex128], old: NDArray[np.complex128],
    limits: FloatArray, first: FloatArray, count: int, low: FloatArray, high: FloatArray,
) -> bool:  # fmt: skip
    """Whether the point just accepted is one of those that are looked at: something changed, or may have ended.

    `limits`: the sign of the determinant before; the longest period, the largest trivial error, the largest state that
    are let pass; then values of the parameter to stop at, in its window.
    """
    apart()
    at, step = p.vectors, p.vector
    b0, b1 = at + PRESENT * step + p.border, at + BEFORE * step + p.border
    tb, tb1 = at + TANGENT * step + p.border, at + BEFORE_TANGENT * step + p.border
    if w[p.step + SIGN] * limits[0] < 0.0 or w[tb + 1] * w[tb1 + 1] < 0.0:
        return True
    if w[b0] > limits[1] or not abs(spectrum[0] - 1.0) < limits[2]:
        return True
    for i in range(1, p.nb):
        if not 0.0 <= w[b0 + i] <= 1.0:
            return True
    for kind in range(3):
        if _outside(spectrum, kind) != _outside(old, kind):
            return True
    for c in range(p.n):
        if not max(abs(low[c]), abs(high[c])) * w[p.scale + c] < limits[3]:
            return True
    for i in range(4, limits.shape[0]):
        if min(w[b0 + 1], w[b1 + 1]) <= limits[i] <= max(w[b0 + 1], w[b1 + 1]):
            return True
    # Beyond the equilibrium that a cycle shrank to, it is upside down.
    product = 0.0
    points = p.intervals * p.m + 1
    for c in range(p.n):
        mean = mean1 = total = 0.0
        for i in range(points):
            x, y = take(w, at + PRESENT * step + i * p.n + c), take(w, at + BEFORE * step + i * p.n + c)
            mean += x
            mean1 += y
            total += x * y
        product += total - mean * mean1 / points
    if not product > 0.0:
        return True
    if count < 8:
        return False
    for i in range(p.nb):
        x, y = w[b0 + i], w[b1 + i]
        slack = 0.5 * abs(x - y) + 1e-9
        if not min(x, y) - slack <= first[i] <= max(x, y) + slack:
            return False
    return True


@inlined
def record(p: Layout, w: FloatArray, records: FloatArray, at: int, d: FloatArray) -> None:
    """The present point: the step, the sign of the determinant, border unknowns, their tangent, extrema, states."""
    n, nb = p.n, p.nb
    point, tangent = p.vectors + PRESENT * p.vector, p.vectors + TANGENT * p.vector
    records[at] = w[p.step + LAST]
    records[at + 1] = w[p.step + SIGN]
    for c in range(nb):
        put(records, at + 2 + c, take(w, point + p.border + c))
        put(records, at + 2 + nb + c, take(w, tangent + p.border + c))
    at += 2 + 2 * nb
    extrema(w, point, n, p.m, p.intervals, records[at : at + n], records[at + n : at + 2 * n], d)
    for c in range(p.states):
        put(records, at + 2 * n + c, take(w, point + c))


@inlined
def uneven(
    p: Layout, w: FloatArray, h: FloatArray, top: FloatArray, limits: FloatArray, trivial: float, low: FloatArray,
    high: FloatArray,
) -> bool:  # fmt: skip
    """Whether the mesh and the sizes of the states are to be looked at."""
    # What is remembered of corrections is not needed here.
    at = p.vectors + MEMORY * p.vector
    shares = w[at : at + p.intervals]
    result: bool = trivial > limits[1]
    if density(h, w, p.vectors + PRESENT * p.vector, p.n, top, shares) > limits[0]:
        result = True
    for c in range(p.n):
        if high[c] - low[c] > 2.0:
            result = True
    return result

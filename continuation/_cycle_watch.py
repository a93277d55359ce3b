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
from gan_bifurcation.continuation._cycle_mesh import density
from gan_bifurcation.continuation._packs import apart, inlined, put, take
from gan_bifurcation.kernels import FloatArray

_REAL: Final = 1e-9
# So many times its size is a state that its size does not tell much of.
_STILL: Final = 33.0


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
    limits: FloatArray, first: FloatArray, count: int, ends: FloatArray,
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
        if not max(abs(ends[c]), abs(ends[p.n + c])) * w[p.scale + c] < limits[3]:
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
def record(
    p: Layout, w: FloatArray, records: FloatArray, at: int, mesh: int, ends: FloatArray
) -> None:  # fmt: skip
    """The present point: step, determinant's sign, number of its mesh, border unknowns, tangent, extrema, states.

    Extrema (2 n,) and states are written in their own units.
    """
    n, nb = p.n, p.nb
    point, tangent = p.vectors + PRESENT * p.vector, p.vectors + TANGENT * p.vector
    records[at] = w[p.step + LAST]
    records[at + 1] = w[p.step + SIGN]
    records[at + 2] = mesh
    for c in range(nb):
        put(records, at + 3 + c, take(w, point + p.border + c))
        put(records, at + 3 + nb + c, take(w, tangent + p.border + c))
    at += 3 + 2 * nb
    for c in range(n):
        size = take(w, p.scale + c)
        put(records, at + c, size * take(ends, c))
        put(records, at + n + c, size * take(ends, n + c))
        for k in range(c, p.states, n):
            put(records, at + 2 * n + k, size * take(w, point + k))


@inlined
def uneven(
    p: Layout, w: FloatArray, h: FloatArray, top: FloatArray, limits: FloatArray, trivial: float, ends: FloatArray
) -> int:
    """Whether the mesh or the sizes of states are to be made anew (1), or more intervals are needed (2).

    The shares of the intervals in the error stay where corrections are remembered, which are not needed here; by how
    much sizes are to grow goes to `work2`.
    """
    n = p.n
    at = p.vectors + MEMORY * p.vector
    tangent = p.vectors + TANGENT * p.vector
    result = 0
    if density(h, w, p.vectors + PRESENT * p.vector, n, top, w[at : at + p.intervals]) > limits[0]:
        result = 1
    slope = w[tangent + p.border + 1]
    for c in range(n):
        size, most = ends[n + c] - ends[c], max(abs(ends[c]), abs(ends[n + c]))
        grown = max(size, 0.02 * most)
        if size < 0.02 * most and most > _STILL and slope != 0.0:
            # A state that does not oscillate but moves with the parameter is to allow steps of the parameter.
            mean = 0.0
            for k in range(c, p.states, n):
                mean += take(w, tangent + k)
            grown = max(grown, min(0.5 * abs(mean / slope) * n / p.states, most))
        if grown > 2.0:
            result = 1
        w[p.work2 + c] = grown if grown > 2.0 else 1.0
    return 2 if trivial > limits[1] else result

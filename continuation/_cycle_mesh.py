"""Adaptive meshes of cycles: the error's density spread evenly over the intervals.

References
----------
de Boor: Good approximation by splines with variable knots II, in LNM 363 (1974), 12-20 (equidistribution).
Russell, Christiansen: Adaptive mesh selection strategies, SIAM J. Numer. Anal. 15 (1978), 59-80.
"""

from typing import Final

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.continuation._cycle_linear import copy
from gan_bifurcation.continuation._cycle_memory import MEMORY, SPARE, Layout
from gan_bifurcation.continuation._packs import LANES, apart, inlined, put, take
from gan_bifurcation.kernels import FloatArray

# The part of the mean that is added to the density, so that no interval becomes too long.
_FLOOR: Final = 0.1


@leaf
def density(h: FloatArray, u: FloatArray, at: int, n: int, top: FloatArray, out: FloatArray) -> float:
    """The share of each interval in the error: lengths times the root of the (m + 1)-th derivative.

    Parameters
    ----------
    h : array (N,)
        Lengths of the intervals.
    u : array
        Holds the states, (N m + 1, n) numbers from `at` on.
    top : array (m + 1,)
        The m-th derivative of the polynomials through m + 1 nodes, on an interval of length 1.
    out : array (N,)

    Returns
    -------
    float
        The largest share over the mean.
    """
    apart()
    intervals, m = h.shape[0], top.shape[0] - 1
    power = 1.0 / (m + 1)
    for i in range(intervals):
        out[i] = 0.0
    for c in range(n):
        # From the second interval over the last to the first again: each jump belongs to two intervals.
        before = 0.0
        slope = 0.0
        for turn in range(intervals + 2):
            i = turn % intervals
            highest = 0.0
            for k in range(m + 1):
                highest += top[k] * u[at + (i * m + k) * n + c]
            highest /= h[i] ** m
            if turn > 0:
                jump = abs(highest - before) / (0.5 * (h[i] + h[i - 1]))
                if turn > 1:
                    out[(turn - 1) % intervals] += (0.5 * (slope + jump)) ** power
                slope = jump
            before = highest
    mean = 0.0
    for i in range(intervals):
        out[i] *= h[i]
        mean += out[i] / intervals
    if not mean > 0.0:
        for i in range(intervals):
            out[i] = 1.0
        return 1.0
    largest = 0.0
    for i in range(intervals):
        out[i] += _FLOOR * mean * h[i] * intervals
        largest = max(largest, out[i])
    return float(largest / (mean * (1.0 + _FLOOR)))


@jit
def equidistribute(mesh: FloatArray, shares: FloatArray, out: FloatArray) -> None:
    """The mesh `out` (any number of intervals) with an equal part of the shares in each interval."""
    intervals = mesh.shape[0] - 1
    count = out.shape[0] - 1
    total = 0.0
    for i in range(intervals):
        total += shares[i]
    out[0] = 0.0
    i = 0
    before = 0.0
    for k in range(1, count):
        target = total * k / count
        while i < intervals - 1 and before + shares[i] < target:
            before += shares[i]
            i += 1
        out[k] = mesh[i] + (target - before) / shares[i] * (mesh[i + 1] - mesh[i])
    out[count] = 1.0


@jit
def sample(mesh: FloatArray, u: FloatArray, phases: FloatArray, out: FloatArray) -> None:
    """The states at growing phases between 0 and 1."""
    intervals = mesh.shape[0] - 1
    m = (u.shape[0] - 1) // intervals
    i = 0
    for p in range(phases.shape[0]):
        while i < intervals - 1 and phases[p] >= mesh[i + 1]:
            i += 1
        x = m * (phases[p] - mesh[i]) / (mesh[i + 1] - mesh[i])
        for c in range(u.shape[1]):
            out[p, c] = 0.0
        for k in range(m + 1):
            weight = 1.0
            for j in range(m + 1):
                if j != k:
                    weight *= (x - j) / (k - j)
            for c in range(u.shape[1]):
                out[p, c] += weight * u[i * m + k, c]


@leaf
def _moved(w: FloatArray, at: int, to: int, n: int, m: int, mesh: FloatArray, new: FloatArray) -> None:
    """States that begin at `at`, on a mesh, to those on a new one, from `to` on."""
    apart()
    intervals = mesh.shape[0] - 1
    i = 0
    for p in range(intervals * m + 1):
        j = min(p // m, intervals - 1)
        phase = new[j] + (new[j + 1] - new[j]) * (p - j * m) / m
        while i < intervals - 1 and phase >= mesh[i + 1]:
            i += 1
        x = m * (phase - mesh[i]) / (mesh[i + 1] - mesh[i])
        for c in range(n):
            put(w, to + p * n + c, 0.0)
        for k in range(m + 1):
            weight = 1.0
            for q in range(m + 1):
                if q != k:
                    weight *= (x - q) / (k - q)
            for c in range(n):
                put(w, to + p * n + c, take(w, to + p * n + c) + weight * take(w, at + (i * m + k) * n + c))


@inlined
def remesh(p: Layout, w: FloatArray, h: FloatArray, mesh: FloatArray, new: FloatArray) -> None:
    """Point, tangent, last point and its tangent on a new mesh, with other sizes of states: see `uneven`."""
    at = p.vectors + MEMORY * p.vector
    equidistribute(mesh, w[at : at + p.intervals], new)
    for k in range(4):
        copy(w, p.vectors + k * p.vector, p.vectors + SPARE * p.vector, p.border // LANES)
        _moved(w, p.vectors + SPARE * p.vector, p.vectors + k * p.vector, p.n, p.m, mesh, new)
        for c in range(p.n):
            for q in range(p.vectors + k * p.vector + c, p.vectors + k * p.vector + p.states, p.n):
                w[q] /= w[p.work2 + c]
    for c in range(p.n):
        w[p.scale + c] *= w[p.work2 + c]
    for i in range(p.intervals):
        h[i] = new[i + 1] - new[i]
        w[p.h + (i % p.turns) * LANES + i // p.turns] = h[i]


@jit
def shares_of(h: FloatArray, x: FloatArray, top: FloatArray, out: FloatArray) -> float:
    """`density` for callers in Python, of states x (N m + 1, n)."""
    worst: float = density(h, x.ravel(), 0, x.shape[1], top, out)
    return worst

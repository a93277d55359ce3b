"""Adaptive meshes of cycles: the error's density spread evenly over the intervals; extrema of the states.

References
----------
de Boor: Good approximation by splines with variable knots II, in LNM 363 (1974), 12-20 (equidistribution).
Russell, Christiansen: Adaptive mesh selection strategies, SIAM J. Numer. Anal. 15 (1978), 59-80.
"""

from typing import Final

import numpy as np

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.continuation._packs import apart
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
def _peak(u: FloatArray, at: int, step: int, m: int, left: float, sign: float, d: FloatArray) -> float:
    """The greatest value of `sign` times a piece's polynomial between the coordinates left and left + 1 of its nodes.

    Newton's form through the nodes 0, ..., m; `d` (m + 1,) takes its differences.
    """
    apart()
    for k in range(m + 1):
        d[k] = sign * u[at + k * step]
    for k in range(1, m + 1):
        for j in range(m, k - 1, -1):
            d[j] = (d[j] - d[j - 1]) / k
    a, b = left, left + 1.0
    x = left + 0.5
    best = -np.inf
    for _ in range(40):
        value, slope, curvature = d[m], 0.0, 0.0
        for k in range(m - 1, -1, -1):
            curvature = curvature * (x - k) + 2.0 * slope
            slope = slope * (x - k) + value
            value = value * (x - k) + d[k]
        best = max(best, value)
        # The greatest value lies where the slope points to.
        if slope > 0.0:
            a = x
        else:
            b = x
        new = x - slope / curvature if curvature < 0.0 else a - 1.0
        if not (a < new < b):
            new = 0.5 * (a + b)
        # Values are flat where they are greatest.
        if abs(new - x) < 1e-9:
            break
        x = new
    return best


@leaf
def extrema(
    u: FloatArray, at: int, n: int, m: int, intervals: int, low: FloatArray, high: FloatArray, d: FloatArray
) -> None:
    """Least and greatest value (n,) of each state over the cycle's piecewise polynomials.

    The states are (N m + 1, n) numbers from `at` on.
    """
    apart()
    for c in range(n):
        for side in range(2):
            sign = 1.0 if side == 1 else -1.0
            node = 0
            value = -np.inf
            for k in range(intervals * m):
                x = sign * u[at + k * n + c]
                if x > value:
                    value = x
                    node = k
            # The pieces on both sides of the best node.
            for k in range(2):
                i = (node - 1 + k) % (intervals * m)
                value = max(value, _peak(u, at + (i - i % m) * n + c, n, m, float(i % m), sign, d))
            if side == 1:
                high[c] = value
            else:
                low[c] = -value


@jit
def shares_of(h: FloatArray, x: FloatArray, top: FloatArray, out: FloatArray) -> float:
    """`density` for callers in Python, of states x (N m + 1, n)."""
    worst: float = density(h, x.ravel(), 0, x.shape[1], top, out)
    return worst

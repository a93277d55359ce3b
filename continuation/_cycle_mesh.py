"""Adaptive meshes of cycles: the error's density spread evenly over the intervals.

References
----------
de Boor: Good approximation by splines with variable knots II, in LNM 363 (1974), 12-20 (equidistribution).
Russell, Christiansen: Adaptive mesh selection strategies, SIAM J. Numer. Anal. 15 (1978), 59-80.
"""

from typing import Final

import numpy as np

from gan_bifurcation.kernels import FloatArray, inner, jit

# The part of the mean that is added to the density, so that no interval becomes too long.
_FLOOR: Final = 0.1


@jit
def density(mesh: FloatArray, u: FloatArray, top: FloatArray, out: FloatArray) -> float:
    """The share of each interval in the error: lengths times the root of the (m + 1)-th derivative.

    Parameters
    ----------
    mesh : array (N + 1,)
    u : array (N m + 1, n)
    top : array (m + 1,)
        The m-th derivative of the polynomials through m + 1 nodes, on an interval of length 1.
    out : array (N,)

    Returns
    -------
    float
        The largest share over the mean.
    """
    intervals, m, n = mesh.shape[0] - 1, top.shape[0] - 1, u.shape[1]
    highest = np.zeros((intervals, n))
    for i in range(intervals):
        h = mesh[i + 1] - mesh[i]
        for c in range(n):
            total = 0.0
            for k in range(m + 1):
                total += top[k] * u[i * m + k, c]
            highest[i, c] = total / h**m
    power = 1.0 / (m + 1)
    mean = 0.0
    for i in range(intervals):
        h = mesh[i + 1] - mesh[i]
        before = (i - 1) % intervals
        after = (i + 1) % intervals
        left = 0.5 * (h + mesh[before + 1] - mesh[before])
        right = 0.5 * (h + mesh[after + 1] - mesh[after])
        total = 0.0
        for c in range(n):
            slope = 0.5 * (
                abs(highest[i, c] - highest[before, c]) / left + abs(highest[after, c] - highest[i, c]) / right
            )
            total += slope**power
        out[i] = total * h
        mean += out[i]
    mean /= intervals
    if not mean > 0.0:
        out[:] = 1.0
        return 1.0
    largest = 0.0
    for i in range(intervals):
        h = mesh[i + 1] - mesh[i]
        out[i] += _FLOOR * mean * h * intervals
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


@inner
def _interpolate(mesh: FloatArray, u: FloatArray, m: int, at: float, i: int, out: FloatArray) -> None:
    x = m * (at - mesh[i]) / (mesh[i + 1] - mesh[i])
    out[:] = 0.0
    for k in range(m + 1):
        weight = 1.0
        for j in range(m + 1):
            if j != k:
                weight *= (x - j) / (k - j)
        for c in range(u.shape[1]):
            out[c] += weight * u[i * m + k, c]


@jit
def sample(mesh: FloatArray, u: FloatArray, phases: FloatArray, out: FloatArray) -> None:
    """The states at growing phases between 0 and 1."""
    intervals = mesh.shape[0] - 1
    m = (u.shape[0] - 1) // intervals
    i = 0
    for k in range(phases.shape[0]):
        while i < intervals - 1 and phases[k] >= mesh[i + 1]:
            i += 1
        _interpolate(mesh, u, m, phases[k], i, out[k])


@jit
def extrema(mesh: FloatArray, u: FloatArray, low: FloatArray, high: FloatArray) -> None:
    """Least and greatest value (n,) of each state over the cycle's piecewise polynomials."""
    intervals, n = mesh.shape[0] - 1, u.shape[1]
    m = (u.shape[0] - 1) // intervals
    spot = np.zeros(n)
    for c in range(n):
        for side in range(2):
            sign = 1.0 if side == 1 else -1.0
            best = 0
            for k in range(u.shape[0]):
                if sign * u[k, c] > sign * u[best, c]:
                    best = k
            value = sign * u[best, c]
            for k in range(2):
                # The pieces on both sides of the best node, by golden section.
                node = best - 1 + k
                if node < 0:
                    node += intervals * m
                if node == intervals * m:
                    node = 0
                i = node // m
                width = (mesh[i + 1] - mesh[i]) / m
                a = mesh[i] + (node - i * m) * width
                b = a + width
                p, q = a + 0.3819660112501051 * width, a + 0.6180339887498949 * width
                _interpolate(mesh, u, m, p, i, spot)
                fp = sign * spot[c]
                _interpolate(mesh, u, m, q, i, spot)
                fq = sign * spot[c]
                for _ in range(36):
                    if fp > fq:
                        b, q, fq = q, p, fp
                        p = a + 0.3819660112501051 * (b - a)
                        _interpolate(mesh, u, m, p, i, spot)
                        fp = sign * spot[c]
                    else:
                        a, p, fp = p, q, fq
                        q = a + 0.6180339887498949 * (b - a)
                        _interpolate(mesh, u, m, q, i, spot)
                        fq = sign * spot[c]
                value = max(value, fp, fq)
            if side == 1:
                high[c] = value
            else:
                low[c] = -value

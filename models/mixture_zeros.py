"""Where the difference of two mixtures of Gaussians changes its sign: all zeros, without a grid.

With F = p_true - p_mu, exp(x^2/2) F(x) is a sum of exponentials sum of s_i exp(m_i x - m_i^2/2) with signs s_i = +1 for
true means and -1 for generated ones. Divided by its first term's exponential and differentiated it has one term less,
and its zeros part those of the sum before: from two terms, whose zero is known, up to all of them, each segment between
neighbours holds at most one zero and its ends' signs tell whether. No grid can miss a zero or step on one.
"""

from math import exp, inf, log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.errors import MisuseError

__all__ = ["find_zeros", "optimal_intervals"]

FloatArray = NDArray[np.float64]

# Means closer than this are one; farther than this out, no density is a number.
_SAME = 1e-13
_FAR = 1e7


def find_zeros(mu: ArrayLike, true: ArrayLike) -> FloatArray:
    """All sign changes of p_true - p_mu, sorted; the mixtures have equal weights and unit variances.

    Parameters
    ----------
    mu, true : pairs of float
        Generated and true means.

    Returns
    -------
    array of up to 3 numbers

    Examples
    --------
    >>> find_zeros((-1.0, 2.5), (-2.0, 2.0)).tolist()
    [-1.497886198298, 0.659259989470, 2.239395148855]
    """
    work = np.empty((5, 4))
    code = int(best_ends(_means("mu", mu), _means("true", true), work, np.empty(4)))
    return work[4, : max(abs(code) - 1, 0)].copy()


def optimal_intervals(mu: ArrayLike, true: ArrayLike) -> list[tuple[float, float]]:
    """Where the optimal discriminator is 1, i.e. where p_true > p_mu: at most two intervals.

    Examples
    --------
    >>> optimal_intervals((0.0, 0.0), (1.0, 1.0))
    [(0.5, inf)]
    """
    ends = np.empty(4)
    best_ends(_means("mu", mu), _means("true", true), np.empty((5, 4)), ends)
    return [(float(low), float(high)) for low, high in ends.reshape(2, 2) if low < high]


def _means(name: str, values: ArrayLike) -> FloatArray:
    array = np.array(values, dtype=float)
    if array.shape != (2,) or not np.all(np.abs(array) < 1e3):
        raise MisuseError(f"'{name}' must be two means within 1000 of zero, but got {values!r}.")
    return array


@leaf
def _sum(m: FloatArray, c: FloatArray, s: FloatArray, first: int, n: int, x: float) -> tuple[float, float]:
    """The sum of s exp(c + m x) from the first term on, and its derivative, divided by the largest term."""
    top = -inf
    for i in range(first, n):
        top = max(top, c[i] + m[i] * x)
    value, slope = 0.0, 0.0
    for i in range(first, n):
        term = s[i] * exp(c[i] + m[i] * x - top)
        value += term
        slope += m[i] * term
    return value, slope


@leaf
def _root(m: FloatArray, c: FloatArray, s: FloatArray, first: int, n: int, low: float, high: float, up: bool) -> float:
    """The zero between two signs: Newton's steps, halving where these leave the bracket or do not pay."""
    x = 0.5 * (low + high)
    for _ in range(200):
        value, slope = _sum(m, c, s, first, n, x)
        if value == 0.0:
            return x
        if (value > 0.0) == up:
            high = x
        else:
            low = x
        # Multiplied by exp(-m_first x) the sum has one sign of curvature less; its zero is the same.
        slope -= m[first] * value
        step = value / slope if slope != 0.0 else inf
        new = x - step
        if not low < new < high:
            new = 0.5 * (low + high)
        if abs(new - x) <= 4e-16 * max(1.0, abs(new)):
            return new
        x = new
    return x


@leaf
def zeros_of_difference(mu: FloatArray, true: FloatArray, work: FloatArray, found: FloatArray) -> int:
    """Writes the sorted zeros; the result is (their number + 1) times the sign of F at minus infinity, or 0 if F = 0.

    `work` has four rows of four numbers or more.
    """
    m, s, c, points = work[0], work[1], work[2], work[3]
    n = 0
    for k in range(4):
        mean, weight = (true[k], 1.0) if k < 2 else (mu[k - 2], -1.0)
        i = 0
        while i < n and m[i] < mean - _SAME * max(1.0, abs(mean)):
            i += 1
        if i < n and m[i] <= mean + _SAME * max(1.0, abs(mean)):
            s[i] += weight
            if s[i] == 0.0:
                for j in range(i, n - 1):
                    m[j], s[j] = m[j + 1], s[j + 1]
                n -= 1
            continue
        for j in range(n, i, -1):
            m[j], s[j] = m[j - 1], s[j - 1]
        m[i], s[i] = mean, weight
        n += 1
    if n == 0:
        return 0
    count = 0
    for first in range(n - 2, -1, -1):
        for i in range(first, n):
            # Each division and derivative multiplies a coefficient by m_i - m_j > 0.
            c[i] = -0.5 * m[i] * m[i]
            for j in range(first):
                c[i] += log(m[i] - m[j])
        for i in range(count):
            points[i] = found[i]
        parts, count = count, 0
        left, sign_left = -inf, s[first] > 0.0
        for i in range(parts + 1):
            last = i == parts
            right = inf if last else points[i]
            sign_right = s[n - 1] > 0.0 if last else _sum(m, c, s, first, n, right)[0] > 0.0
            if sign_left != sign_right:
                low, high = left, right
                if low == -inf:
                    step = 1.0
                    low = (0.0 if high == inf else high) - step
                    while (_sum(m, c, s, first, n, low)[0] > 0.0) != sign_left and step < _FAR:
                        step *= 2.0
                        low -= step
                if high == inf:
                    step = 1.0
                    high = max(low, 0.0 if left == -inf else left) + step
                    while (_sum(m, c, s, first, n, high)[0] > 0.0) != sign_right and step < _FAR:
                        step *= 2.0
                        high += step
                found[count] = _root(m, c, s, first, n, low, high, sign_right)
                count += 1
            left, sign_left = right, sign_right
    return (count + 1) if s[0] > 0.0 else -(count + 1)


@leaf
def set_best_ends(mu: FloatArray, true: FloatArray, work: FloatArray, ends: FloatArray) -> int:
    """The end points l1, r1, l2, r2 of {p_true > p_mu}; an interval that is not needed is empty, at infinity.

    The fifth row of `work` keeps the zeros, and the result is that of `zeros_of_difference`.
    """
    found = work[4]
    code: int = zeros_of_difference(mu, true, work, found)
    for k in range(4):
        ends[k] = inf
    if code == 0:
        return 0
    k = 0
    if code > 0:
        ends[0] = -inf
        k = 1
    for i in range(abs(code) - 1):
        ends[k] = found[i]
        k += 1
    return code


@jit
def best_ends(mu: Any, true: Any, work: Any, ends: Any) -> int:
    """`set_best_ends` for Python."""
    code: int = set_best_ends(mu, true, work, ends)
    return code

"""Known facts of the second moment model: exact solutions, an invariant, the authors' bound, and the late decay.

References
----------
Becker, Pandit, Rangan, Fletcher: GAN Training with Kernel Discriminators: What Parameters Control Convergence Rates?
IEEE Transactions on Signal Processing 73 (2025) 433-445. Exact solutions and the invariant were derived here.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError

__all__ = [
    "SpreadCloud",
    "effective_width",
    "late_variance",
    "spread_bound",
    "spread_bound_best",
    "spread_cloud",
    "spread_gain",
    "spread_invariant",
    "spread_solution",
]

FloatArray = NDArray[np.float64]


class SpreadCloud(NamedTuple):
    """The equilibrium that an excess of generated mass spreads out to."""

    variance: float
    spirals: bool


def spread_gain(*, total: float, k4: float, dimension: int = 1) -> float:
    """beta = (d + 2) P K4/2, by which the variance of an isotropic cloud drives the curvature; 3 P/(2 sigma^4) in one.

    >>> spread_gain(total=1.0, k4=1.0)
    1.5
    """
    return (dimension + 2) * total * k4 / 2


def spread_solution(
    t: ArrayLike, *, variance: float, q: float, gain: float, mu: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """C(t) and V(t) for lam = 0, Delta = 0 and C(0) = 0: V = V0 sech^2(w t), C = sqrt(beta V0/(mu q)) tanh(w t).

    The frequency is w = sqrt(mu q beta V0).

    >>> C, V = spread_solution(0.0, variance=1.0, q=0.1, gain=1.5)
    >>> float(C), float(V)
    (0.0, 1.0)
    """
    phase = math.sqrt(mu * q * gain * variance) * np.asarray(t, dtype=float)
    return np.asarray(math.sqrt(gain * variance / (mu * q)) * np.tanh(phase)), np.asarray(
        variance / np.cosh(phase) ** 2
    )


def spread_invariant(
    curvature: ArrayLike, variance: ArrayLike, *, mismatch: float, q: float, k2: float, gain: float, mu: float = 1.0
) -> FloatArray:
    """mu q C^2 + Delta K2 ln V + beta V, constant along the flow for lam = 0.

    >>> float(spread_invariant(0.0, 1.0, mismatch=0.2, q=0.1, k2=1.0, gain=1.5))
    1.5
    """
    C, V = np.asarray(curvature, dtype=float), np.asarray(variance, dtype=float)
    return np.asarray(mu * q * C**2 + mismatch * k2 * np.log(V) + gain * V)


def spread_bound(
    t: ArrayLike, *, variance: float, q: float, lam: float, mismatch: float, sigma: float, eps: float
) -> FloatArray:
    """The authors' upper bound of V(t) for C(0) = 0, mu = 1, P = 1, for one eps > 0.

    V <= max( V0 exp(-C_eps G(t)/sigma^2), eps sigma^2 ), C_eps = 2 q (Delta + 1.5 eps), G = t^2/4 up to t = 2/lam, then
    t/lam - 1/lam^2.

    >>> spread_bound([0.0, 10.0], variance=1.0, q=0.1, lam=0.01, mismatch=0.0, sigma=1.0, eps=0.5).round(6).tolist()
    [1.0, 0.5]
    """
    times = np.asarray(t, dtype=float)
    growth = times**2 / 4
    if lam > 0:
        growth = np.where(times <= 2 / lam, growth, times / lam - 1 / lam**2)
    rate = 2 * q * (mismatch + 1.5 * eps)
    return np.asarray(np.maximum(variance * np.exp(-rate * growth / sigma**2), eps * sigma**2))


def spread_bound_best(
    t: ArrayLike,
    *,
    variance: float,
    q: float,
    lam: float,
    mismatch: float,
    sigma: float,
    eps: Sequence[float] | None = None,
) -> FloatArray:
    """The smallest of the bounds over many eps, 100 of them in (0, 1] by default."""
    values = np.linspace(0.01, 1, 100).tolist() if eps is None else list(eps)
    bounds = [
        spread_bound(t, variance=variance, q=q, lam=lam, mismatch=mismatch, sigma=sigma, eps=value) for value in values
    ]
    return np.asarray(np.min(bounds, axis=0))


def late_variance(t: ArrayLike, *, lam: float, q: float, gain: float, mu: float = 1.0) -> FloatArray:
    """V ~ lam/(2 mu q beta t) at late times for lam > 0 and Delta = 0: lam sigma^4/(3 mu q P t) in one dimension."""
    return np.asarray(lam / (2 * mu * q * gain * np.asarray(t, dtype=float)))


def spread_cloud(*, mismatch: float, q: float, lam: float, k2: float, gain: float, mu: float = 1.0) -> SpreadCloud:
    """For Delta < 0 the cloud rests at V* = |Delta| K2/beta, stably; it spirals in iff 8 mu q |Delta| K2 > lam^2.

    In one dimension V* = (2/3) sigma^2 |Delta|/P.

    >>> round(spread_cloud(mismatch=-0.5, q=0.1, lam=0.1, k2=1.0, gain=spread_gain(total=1.5, k4=1.0)).variance, 12)
    0.222222222222
    """
    if mismatch >= 0:
        raise MisuseError(f"A spread cloud needs an excess of generated mass, Delta < 0, but got {mismatch:g}.")
    return SpreadCloud(-mismatch * k2 / gain, 8 * mu * q * -mismatch * k2 > lam**2)


def effective_width(widths: Sequence[float]) -> float:
    """The one width that acts on the variance as an equal mixture dominated by its narrowest does: len^(1/4)
    min(sigma).

    >>> round(effective_width([0.1, 1.0]), 6)
    0.118921
    """
    return float(len(widths) ** 0.25 * min(widths))

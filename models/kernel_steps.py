"""Known facts of a kernel GAN near one true point, for simultaneous and alternating steps.

Notation as in :mod:`gan_bifurcation.models.kernel_theory`, with the groups h = eta_d lam, k = Delta k2/lam, g = eta_g q
k and c = eta_d eta_g q P k2.

References
----------
Becker, Pandit, Rangan, Fletcher: Local Convergence of Gradient Descent-Ascent for Training Generative Adversarial
Networks (2023), arXiv 2305.08277: rho = 1 + eta_d s, simultaneous steps. The alternating steps, which the authors
simulate, and the borders and resonances were derived here and are tested against the full systems.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.kernel_theory import flow_eigenvalues, oscillation_window

__all__ = [
    "Border",
    "Multipliers",
    "Resonance",
    "alternating_flip",
    "alternating_multipliers",
    "alternating_neimark_sacker",
    "regularisation_flip",
    "relative_flip",
    "simultaneous_flip",
    "simultaneous_multipliers",
    "simultaneous_neimark_sacker",
    "simultaneous_neimark_sacker_tied",
    "simultaneous_resonances",
]


class Multipliers(NamedTuple):
    """Multipliers for each coordinate, as the eigenvalues of `FlowEigenvalues`."""

    regularisation: Any
    relative: Any
    mean_plus: Any
    mean_minus: Any


class Border(NamedTuple):
    """A Neimark-Sacker point: the learning rate there and the angle of the multiplier exp(i angle)."""

    rate: float
    angle: float


class Resonance(NamedTuple):
    """A point on the Neimark-Sacker curve: S = lam^2/(mu q k2) and h = eta_d lam."""

    scaled_regularisation: float
    step: float


def simultaneous_multipliers(
    *,
    lam: ArrayLike,
    p: ArrayLike,
    q: ArrayLike,
    k2: ArrayLike,
    eta_d: ArrayLike,
    eta_g: ArrayLike,
    total: ArrayLike | None = None,
) -> Multipliers:
    """rho = 1 + eta_d s for the eigenvalues s of the flow with mu = eta_g/eta_d.

    Examples
    --------
    >>> rho = simultaneous_multipliers(lam=0.2, p=1, q=1, k2=1, eta_d=0.2, eta_g=0.2)
    >>> round(abs(complex(rho.mean_plus)), 12)
    1.0
    """
    eta_d = np.asarray(eta_d, dtype=float)
    s = flow_eigenvalues(lam=lam, p=p, q=q, k2=k2, mu=np.asarray(eta_g, dtype=float) / eta_d, total=total)
    return Multipliers(*(1 + eta_d * s_i for s_i in s))


def alternating_multipliers(
    *,
    lam: ArrayLike,
    p: ArrayLike,
    q: ArrayLike,
    k2: ArrayLike,
    eta_d: ArrayLike,
    eta_g: ArrayLike,
    total: ArrayLike | None = None,
) -> Multipliers:
    """Alternating steps, one of the discriminator to one of the points: rho_a = 1 - h, rho_b = 1 - g, and the mean
    mode's.

    The mean mode has trace (1 - h) + (1 - g) - c and determinant (1 - h)(1 - g): its modulus does not depend on c while
    it rotates, so that with 0 <= Delta it never loses stability by rotation.

    Examples
    --------
    >>> rho = alternating_multipliers(lam=0.2, p=1, q=1, k2=1, eta_d=0.2, eta_g=0.2)
    >>> round(abs(complex(rho.mean_plus)) ** 2, 12)
    0.96
    """
    lam, p, q, k2, eta_d, eta_g = (np.asarray(a, dtype=float) for a in (lam, p, q, k2, eta_d, eta_g))
    mass = q if total is None else np.asarray(total, dtype=float)
    rho_a = 1 - eta_d * lam
    rho_b = 1 - eta_g * q * (p - mass) * k2 / lam
    half_trace = (rho_a + rho_b - eta_d * eta_g * q * mass * k2) / 2
    root = np.sqrt((half_trace**2 - rho_a * rho_b).astype(complex))
    return Multipliers(rho_a, rho_b, half_trace + root, half_trace - root)


def simultaneous_neimark_sacker(
    *, lam: float, p: float, q: float, total: float, k2: float, eta_d: float
) -> Border | None:
    """The rate eta_g at which the mean mode of simultaneous steps starts to oscillate, at fixed eta_d; None if at none.

    eta_g q k2 (p - Delta/(eta_d lam)) = lam, while S lies in the window where the mode rotates. At Delta = 0 it is
    lam/(q p k2) whatever eta_d is: then eta_d runs along the border, not across it.

    Examples
    --------
    >>> border = simultaneous_neimark_sacker(lam=0.2, p=1, q=1, total=1, k2=1, eta_d=0.2)
    >>> border.rate, round(math.cos(border.angle), 12)
    (0.2, 0.98)
    """
    gain = q * k2 * (p - (p - total) / (eta_d * lam))
    if gain <= 0:
        return None
    eta_g = lam / gain
    angle = _angle(lam**2 * eta_d / (eta_g * q * k2), p, total)
    return None if angle is None else Border(eta_g, angle)


def simultaneous_neimark_sacker_tied(
    *, lam: float, p: float, q: float, total: float, k2: float, mu: float = 1.0
) -> Border | None:
    """The same at a fixed ratio mu = eta_g/eta_d of the rates: the rate eta_d = (S + Delta)/(p lam); None if at none.

    Examples
    --------
    >>> simultaneous_neimark_sacker_tied(lam=0.2, p=1, q=1, total=1, k2=1).rate
    0.2
    """
    S = lam**2 / (mu * q * k2)
    angle = _angle(S, p, total)
    return None if angle is None or S + p - total <= 0 else Border((S + p - total) / (p * lam), angle)


def _angle(S: float, p: float, total: float) -> float | None:
    """cos(angle) = 1 - (S + Delta)^2/(2 p S) on the Neimark-Sacker curve, inside the window of rotation."""
    low, high = oscillation_window(p=p, total=total)
    if not low < math.sqrt(S) < high:
        return None
    return math.acos(1 - (S + p - total) ** 2 / (2 * p * S))


def simultaneous_resonances(*, p: float, total: float, order: int) -> tuple[Resonance, ...]:
    """Where the multiplier on the Neimark-Sacker curve is exp(2 pi i/order): (S + Delta)^2 = r p S, r = 2 - 2 cos(2
    pi/order).

    Parameters
    ----------
    p, total : float
    order : int
        2, 3, 4 for the strong resonances 1:2 (the corner of the window), 1:3 and 1:4.

    Returns
    -------
    tuple of Resonance
        None, one or two, those with h > 0.

    Examples
    --------
    >>> [tuple(round(v, 12) for v in point) for point in simultaneous_resonances(p=1, total=1, order=4)]
    [(2.0, 2.0)]
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 2:
        raise MisuseError(f"A resonance 1:order has a whole order of at least 2, but got {order!r}.")
    r = 2 - 2 * math.cos(2 * math.pi / order)
    mismatch = p - total
    inside = r * p - 4 * mismatch
    if inside < 0:
        return ()
    roots = {((math.sqrt(r * p) + sign * math.sqrt(inside)) / 2) ** 2 for sign in (-1, 1)}
    found = (Resonance(S, (S + mismatch) / p) for S in sorted(roots))
    return tuple(point for point in found if point.scaled_regularisation > 1e-14 and point.step > 1e-14)


def simultaneous_flip(*, lam: float, p: float, q: float, total: float, k2: float, eta_d: float) -> float | None:
    """The rate eta_g at which a multiplier of the mean mode of simultaneous steps is -1; None if at none.

    4 - 4 eta_d m + eta_d^2 mu q p k2 = 0, that is 4 - 2 h = eta_g q k2 (2 Delta/lam - eta_d p).

    Examples
    --------
    >>> eta_g = simultaneous_flip(lam=1, p=1, q=0.8, total=0.8, k2=100, eta_d=0.1)
    >>> rho = simultaneous_multipliers(lam=1, p=1, q=0.8, k2=100, eta_d=0.1, eta_g=eta_g)
    >>> round(complex(rho.mean_minus).real, 12)
    -1.0
    """
    return _positive_ratio(4 - 2 * eta_d * lam, q * k2 * (2 * (p - total) / lam - eta_d * p))


def relative_flip(*, lam: float, p: float, q: float, total: float, k2: float) -> float | None:
    """The rate eta_g = 2 lam/(q Delta k2) at which the relative modes' multiplier is -1, for both orders of steps."""
    return _positive_ratio(2 * lam, q * (p - total) * k2)


def regularisation_flip(*, lam: float) -> float:
    """The rate eta_d = 2/lam at which the free directions of the discriminator flip, all at once, for both orders."""
    return 2 / lam


def alternating_flip(*, lam: float, p: float, q: float, total: float, k2: float, eta_d: float) -> float | None:
    """The rate eta_g at which a multiplier of the mean mode of alternating steps is -1: (2 - h)(2 - g) = c; None if at
    none.

    At Delta = 0: k2 = 2 (2 - h)/(eta_d eta_g q P).

    Examples
    --------
    >>> eta_g = alternating_flip(lam=0.2, p=1, q=1, total=1, k2=1, eta_d=0.5)
    >>> rho = alternating_multipliers(lam=0.2, p=1, q=1, k2=1, eta_d=0.5, eta_g=eta_g)
    >>> round(complex(rho.mean_minus).real, 12)
    -1.0
    """
    left = 2 - eta_d * lam
    return _positive_ratio(2 * left, q * k2 * (left * (p - total) / lam + eta_d * total))


def alternating_neimark_sacker(
    *, lam: float, p: float, q: float, total: float, k2: float, eta_d: float
) -> Border | None:
    """The rate eta_g at which the mean mode of alternating steps has modulus 1, (1 - h)(1 - g) = 1; None if at none.

    Needs an excess of generated mass (Delta < 0): lam^2 = mu q |Delta| k2 (1 - h), the flow's Hopf point shifted by 1 -
    h.

    Examples
    --------
    >>> border = alternating_neimark_sacker(lam=0.2, p=0.5, q=0.8, total=0.8, k2=1, eta_d=0.1)
    >>> rho = alternating_multipliers(lam=0.2, p=0.5, q=0.8, k2=1, eta_d=0.1, eta_g=border.rate)
    >>> round(abs(complex(rho.mean_plus)), 12)
    1.0
    """
    eta_g = _positive_ratio(eta_d * lam**2, q * (total - p) * k2 * (1 - eta_d * lam))
    if eta_g is None:
        return None
    rho_a, rho_b = 1 - eta_d * lam, 1 + eta_g * q * (total - p) * k2 / lam
    cosine = (rho_a + rho_b - eta_d * eta_g * q * total * k2) / 2
    return Border(eta_g, math.acos(cosine)) if -1 < cosine < 1 else None


def _positive_ratio(numerator: float, denominator: float) -> float | None:
    """The solution of a linear condition on a rate, which must be positive."""
    return numerator / denominator if numerator * denominator > 0 else None

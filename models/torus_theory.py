"""Known facts of the torus GAN in closed form: equilibria, eigenvalues, borders, step limits and closed orbits.

References
----------
Gonzalez-Prieto, Mozo, Talavera, Gomez-Canaval: Dynamics of Fourier Modes in Torus Generative Adversarial Networks,
Mathematics 9 (2021) 325.
"""

import cmath
import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError, unknown_name

__all__ = [
    "closed_orbit",
    "closed_orbit_period",
    "contraction_per_turn",
    "eigenvalues",
    "eigenvalues_of",
    "equilibrium",
    "focus_kappa",
    "largest_step",
    "mean_objective",
]

FloatArray = NDArray[np.float64]
Objective = Literal["gan", "wgan"]
Discriminator = Literal["slope", "wave"]
Order = Literal["simultaneous", "alternating"]


def equilibrium(
    *, mu0: float = 1.0, sc: float = 1.25, sa: float = 0.75, discriminator: Discriminator = "slope"
) -> tuple[float, float]:
    """The correct equilibrium (theta, omega) on the rising side of the generator: it makes the true mean.

    >>> equilibrium()
    (-0.339836909, 0.0)
    """
    ratio = (mu0 - sc) / sa
    if not abs(ratio) < 1:
        raise MisuseError(f"No theta makes the mean mu0={mu0:g}: give sc and sa such that |mu0 - sc| < sa.")
    return math.asin(ratio), 0.0 if discriminator == "slope" else -math.pi / 2 - 2 * math.atan(mu0)


def eigenvalues(
    *,
    kappa: float = 0.25,
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
    objective: Objective = "gan",
    discriminator: Discriminator = "slope",
) -> tuple[complex, complex]:
    """Eigenvalues of the flow at :func:`equilibrium`, at equal rates 1.

    >>> eigenvalues()
    ((-0.03125+0.0826797j), (-0.03125-0.0826797j))
    """
    theta, _ = equilibrium(mu0=mu0, sc=sc, sa=sa)
    slope = sa * math.cos(theta)
    if discriminator == "slope":
        # The second derivative by omega of the odd part vanishes; that of the even part is -kappa^2 mu0^2.
        return eigenvalues_of(
            0.0, *((kappa / 2 * slope, -((kappa * mu0) ** 2)) if objective == "gan" else (kappa * slope, 0.0))
        )
    if discriminator != "wave":
        raise unknown_name("discriminator of torus_gan", str(discriminator), ("slope", "wave"))
    size = 1 + mu0**2
    rate, turn = kappa * slope**2 / size**2, kappa * slope / size
    root = cmath.sqrt(rate**2 - turn**2)
    return -rate + root, -rate - root


def eigenvalues_of(p: float, r: float, q: float) -> tuple[complex, complex]:
    """Eigenvalues of the flow where the value has the second derivatives p (theta), r (mixed) and q (omega).

    A strict Nash equilibrium has p > 0 > q and always attracts; it is a spiral if and only if |r| > |p + q|/2.

    >>> eigenvalues_of(0.0, 1.0, 0.0)
    (1j, -1j)
    """
    root = cmath.sqrt(((p + q) / 2) ** 2 - r**2)
    return (q - p) / 2 + root, (q - p) / 2 - root


def contraction_per_turn(pair: tuple[complex, complex]) -> float:
    """By what factor a spiral shrinks in one turn: 1 for a centre, not a number for a node.

    >>> contraction_per_turn(eigenvalues(kappa=0.1))
    0.4075474542
    """
    value = pair[0]
    return math.exp(2 * math.pi * value.real / abs(value.imag)) if value.imag else math.nan


def focus_kappa(*, mu0: float = 1.0, sc: float = 1.25, sa: float = 0.75) -> float:
    """The strength of the discriminator at which the correct equilibrium of "gan" turns from a spiral to a node.

    >>> focus_kappa()
    0.70710678
    """
    theta, _ = equilibrium(mu0=mu0, sc=sc, sa=sa)
    return sa * math.cos(theta) / mu0**2


def largest_step(order: Order, *, kappa: float = 0.25, mu0: float = 1.0, sc: float = 1.25, sa: float = 0.75) -> float:
    """The learning rate, the same for both players, below which the correct equilibrium of "gan" attracts.

    Simultaneous steps lose a spiral by rotation, at a rate that does not depend on kappa, and a node by a flip;
    alternating steps lose both by a flip.

    >>> largest_step("simultaneous"), largest_step("alternating")
    (8.0, 16.0)
    """
    theta, _ = equilibrium(mu0=mu0, sc=sc, sa=sa)
    # Second derivatives r and q of the value; p = 0.
    r, q = kappa / 2 * sa * math.cos(theta), -((kappa * mu0) ** 2)
    if order == "alternating":
        # 1 + trace + determinant = 4 + 2 g q - (g r)^2 vanishes.
        return (q + math.sqrt(q**2 + 4 * r**2)) / r**2
    if order != "simultaneous":
        raise unknown_name("order of steps", str(order), ("simultaneous", "alternating"))
    fastest = eigenvalues_of(0.0, r, q)[1]
    return -2 / fastest.real if fastest.imag == 0 else -q / r**2


def closed_orbit(
    times: ArrayLike, *, omega: float, kappa: float = 0.25, sa: float = 0.75
) -> tuple[FloatArray, FloatArray]:
    """The orbit (theta, omega) of the "wgan" with sc = mu0 that starts at theta = 0: Jacobi's elliptic functions.

    Parameters
    ----------
    times : array (N,)
    omega : float
        Where it starts, between -pi/2 and pi/2.
    kappa, sa : float

    Returns
    -------
    theta, omega : array (N,)
    """
    from scipy.special import ellipj

    k = _modulus(omega)
    sn, cn, dn, _ = ellipj(kappa * sa * np.asarray(times, dtype=float), k**2)
    sign = math.copysign(1.0, omega)
    return np.arcsin(-sign * k * sn), np.arcsin(sign * k * cn / dn)


def closed_orbit_period(*, omega: float, kappa: float = 0.25, sa: float = 0.75) -> float:
    """The period of :func:`closed_orbit`.

    >>> import math
    >>> closed_orbit_period(omega=math.asin(0.8))
    42.56645925684756
    """
    from scipy.special import ellipk

    return 4 * float(ellipk(_modulus(omega) ** 2)) / (kappa * sa)


def mean_objective(t: float) -> float:
    """E f(t e) of a standard exponential variable e, f(y) = -log(1 + exp(-y)), by the digamma function.

    A check of the game's quadrature, which serves where this is singular: at t = 0, so at every correct equilibrium.

    >>> mean_objective(0.5)
    -0.5
    """
    from scipy.special import digamma

    if t == 0:
        return -math.log(2)
    if t < 0:
        return mean_objective(-t) + t
    x = 1 + 1 / t
    return -math.log(2) + float(digamma((x + 1) / 2) - digamma(x / 2)) / 2


def _modulus(omega: float) -> float:
    if not 0 < abs(omega) < math.pi / 2:
        raise MisuseError(f"A closed orbit starts at 0 < |omega| < pi/2, but got omega={omega!r}.")
    return abs(math.sin(omega))

"""What is known of the Dirac-GAN and the bilinear game in closed form: eigenvalues, largest steps, invariants, cycles.

Mescheder, Geiger, Nowozin, "Which Training Methods for GANs do actually Converge?" (2018).
"""

import cmath
import math
from typing import Final, Literal

from gan_bifurcation.errors import MisuseError

__all__ = [
    "alternating_invariant",
    "bilinear_multipliers",
    "flow_eigenvalues",
    "gradient_penalty_cycle",
    "r1_largest_step",
    "r1_stable",
    "unregularised_multipliers",
]

Variant = Literal["minimax", "non_saturating", "wgan"]
Order = Literal["simultaneous", "alternating"]

# f'(0) and f''(0) of the discriminator's objective f.
SLOPES: Final = {"minimax": (0.5, -0.25), "non_saturating": (0.5, -0.25), "wgan": (1.0, 0.0)}


def flow_eigenvalues(
    *, variant: Variant = "minimax", gamma: float = 0.0, sigma: float = 0.0
) -> tuple[complex, complex]:
    """Eigenvalues of the flow at the origin, at equal rates 1.

    >>> flow_eigenvalues(sigma=2**0.5)
    ((-0.5+0j), (-0.5+0j))
    """
    first, second = SLOPES[variant]
    # Mescheder et al. 2018, Lemma 3.2 (instance noise) and Lemma 4.1 (R1); together the dampings add.
    damping = -gamma / 2 + second * sigma**2
    root = cmath.sqrt(damping**2 - first**2)
    return damping + root, damping - root


def r1_stable(order: Order, *, eta_d: float, eta_g: float, gamma: float, variant: Variant = "minimax") -> bool:
    """Whether the origin attracts, for one discriminator step per generator step, without noise.

    The multipliers have trace T and determinant D; the three conditions of Jury reduce to two.
    """
    s2 = SLOPES[variant][0] ** 2
    if order == "simultaneous":
        return eta_g * s2 < gamma and 2 * eta_d * gamma < 4 + eta_g * eta_d * s2
    return gamma > 0 and 2 * eta_d * gamma + eta_g * eta_d * s2 < 4


def r1_largest_step(order: Order, *, gamma: float, variant: Variant = "minimax") -> float:
    """The learning rate, the same for both players, below which the origin attracts.

    >>> r1_largest_step("simultaneous", gamma=0.1), r1_largest_step("alternating", gamma=1.5)
    (0.4, 1.21110255)
    """
    slope = SLOPES[variant][0]
    if order == "alternating":
        return (-gamma + math.sqrt(gamma**2 + 4 * slope**2)) / slope**2
    if gamma < 2 * slope:
        return gamma / slope**2
    return 2 / (gamma / 2 + math.sqrt(gamma**2 / 4 - slope**2))


def unregularised_multipliers(
    *, eta_d: float, eta_g: float, discriminator_steps: int = 1, variant: Variant = "minimax"
) -> tuple[complex, complex]:
    """Multipliers of alternating steps at the origin without penalty: on the unit circle for small rates."""
    return bilinear_multipliers(
        "alternating", eta_d=discriminator_steps * eta_d, eta_g=eta_g, strength=SLOPES[variant][0]
    )


def bilinear_multipliers(order: Order, *, eta_d: float, eta_g: float, strength: float = 1.0) -> tuple[complex, complex]:
    """Multipliers of the bilinear game: 1 +/- iA, or the roots of mu**2 - (2 - A**2) mu + 1.

    A**2 is strength**2 eta_d eta_g.

    >>> bilinear_multipliers("simultaneous", eta_d=0.3, eta_g=0.3)
    ((1+0.3j), (1-0.3j))
    """
    a2 = strength**2 * eta_d * eta_g
    if order == "simultaneous":
        return 1 + cmath.sqrt(-a2), 1 - cmath.sqrt(-a2)
    centre = 1 - a2 / 2
    root = cmath.sqrt(centre**2 - 1)
    return centre + root, centre - root


def alternating_invariant(
    *, psi: float, theta: float, eta: float, first: Literal["discriminator", "generator"]
) -> float:
    """What alternating steps on the bilinear game of strength 1 conserve exactly, at equal rates.

    >>> alternating_invariant(psi=1.0, theta=1.0, eta=0.5, first="generator")
    1.5
    """
    sign = -1.0 if first == "generator" else 1.0
    return theta**2 + psi**2 + sign * eta * theta * psi


def gradient_penalty_cycle(*, gamma: float, target: float = 1.0) -> tuple[float, float, float]:
    """Where the flow of the WGAN with gradient penalty goes round for ever: (|theta|, period, multiplier).

    |theta| is where it crosses psi = 0, the multiplier that of half a turn.

    Each half-plane is a linear focus with centre (-/+ gamma target, 0), so that a half turn is an affine map of the
    place where it crosses psi = 0; the cycle is its fixed point. For gamma -> 0 it is 4 target / pi.

    Raises
    ------
    MisuseError
        If gamma is not between 0 and 2: from 2 on the orbits end at the false points (-gamma target, 0) and
        (gamma target, 0).

    Examples
    --------
    >>> gradient_penalty_cycle(gamma=0.7)
    (1.3266052, 6.7074324, -0.3091896)
    """
    if not 0.0 < gamma < 2.0:
        raise MisuseError(f"The cycle exists for a penalty gamma between 0 and 2, but got {gamma!r}.")
    omega = math.sqrt(1.0 - gamma**2 / 4.0)
    turn = math.pi * gamma / (4.0 * omega)
    return gamma * target / math.tanh(turn), 2.0 * math.pi / omega, -math.exp(-2.0 * turn)

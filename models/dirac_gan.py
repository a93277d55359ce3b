"""Dirac-GAN and the bilinear game: one weight against one point, the field's standard toys.

Mescheder, Geiger, Nowozin, "Which Training Methods for GANs do actually Converge?" (2018).
"""

import cmath
import math
from collections.abc import Callable
from typing import Final, Literal

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import LogSigmoid, Mean, Softplus, gauss_hermite, symbol
from gan_bifurcation.facts import Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player

__all__ = [
    "alternating_invariant",
    "bilinear",
    "bilinear_multipliers",
    "dirac_gan",
    "flow_eigenvalues",
    "r1_largest_step",
    "r1_stable",
    "unregularised_multipliers",
]

Variant = Literal["minimax", "non_saturating", "wgan"]
Order = Literal["simultaneous", "alternating"]

_HALF_TURN: Final = Symmetry("half turn", {"psi": (-1, "psi"), "theta": (-1, "theta")})
_ORIGIN: Final = Equilibrium("origin", {"psi": sympy.S.Zero, "theta": sympy.S.Zero})
# f'(0) and f''(0) of the discriminator's objective f.
_SLOPES: Final = {"minimax": (0.5, -0.25), "non_saturating": (0.5, -0.25), "wgan": (1.0, 0.0)}


def dirac_gan(
    *, variant: Variant = "minimax", gamma: float = 0.0, sigma: float | None = None, quadrature_order: int = 20
) -> Game:
    """Dirac-GAN: the true distribution is a point at 0, the generated one a point at theta, the discriminator psi x.

    Parameters
    ----------
    variant : "minimax", "non_saturating" or "wgan"
        The discriminator ascends f(psi theta) with f(t) = -log(1 + exp(-t)), or f(t) = t for "wgan". The generator
        descends the same, or ascends f(-psi theta) for "non_saturating".
    gamma : float
        Strength of the gradient penalty (gamma/2) psi**2, which is R1 and R2 at once here. A parameter of the game.
    sigma : float, optional
        Standard deviation of instance noise on true and generated points, by Gauss and Hermite's rule. A parameter of
        the game if given; without it there is no expectation.
    quadrature_order : int
        Nodes of that rule.

    Returns
    -------
    Game
        States ``psi`` (discriminator) and ``theta`` (generator).

    Notes
    -----
    The flow of "minimax" and "wgan" without penalty and noise conserves theta**2 + psi**2; under that of
    "non_saturating" it falls like 8/t.

    References
    ----------
    Mescheder et al. 2018, section 2 and 4.

    Examples
    --------
    >>> dirac_gan(gamma=0.3).vector_field()
    {'psi': -gamma*psi + theta*Sigmoid(-psi*theta), 'theta': -psi*Sigmoid(-psi*theta)}
    """
    if variant not in _SLOPES:
        raise unknown_name("variant of dirac_gan", str(variant), _SLOPES)
    psi, theta, penalty = symbol("psi"), symbol("theta"), symbol("gamma")
    parameters = {"gamma": gamma}
    expectation: Callable[[sympy.Expr], sympy.Expr] = _unchanged
    noise: sympy.Expr = sympy.S.Zero
    if sigma is not None:
        if not sigma >= 0:
            raise MisuseError(f"dirac_gan needs a standard deviation sigma >= 0, but got {sigma!r}.")
        table = gauss_hermite("epsilon", quadrature_order)
        noise = symbol("sigma") * table.columns[0]
        parameters["sigma"] = sigma

        def expectation(body: sympy.Expr) -> sympy.Expr:
            return Mean(body, table)

    f = _identity if variant == "wgan" else LogSigmoid
    fake = f(psi * (theta + noise))
    value = expectation(fake + f(-psi * noise))
    against = Softplus(psi * (theta + noise)) if variant == "non_saturating" else fake
    return Game(
        "dirac_gan",
        Player(("psi",), -value + penalty / 2 * psi**2, "eta_d"),
        Player(("theta",), expectation(against), "eta_g"),
        parameters,
        symmetries=(_HALF_TURN,),
        equilibria=(_ORIGIN,),
        paper="mescheder2018",
        description=f"Dirac-GAN ({variant.replace('_', '-')}), one weight against one point.",
    )


def bilinear(*, strength: float = 1.0) -> Game:
    """The bilinear game: theta descends strength * theta * psi, psi ascends it.

    Parameters
    ----------
    strength : float
        A parameter of the game.

    Returns
    -------
    Game
        States ``psi`` (discriminator) and ``theta`` (generator).

    References
    ----------
    Gidel et al. 2019, section 4.

    Examples
    --------
    >>> bilinear().vector_field()
    {'psi': strength*theta, 'theta': -psi*strength}
    """
    value = symbol("strength") * symbol("theta") * symbol("psi")
    return Game(
        "bilinear",
        Player(("psi",), -value, "eta_d"),
        Player(("theta",), value, "eta_g"),
        {"strength": strength},
        symmetries=(_HALF_TURN,),
        equilibria=(_ORIGIN,),
        paper="gidel2019",
        description="The bilinear game: a saddle without curvature.",
    )


def flow_eigenvalues(
    *, variant: Variant = "minimax", gamma: float = 0.0, sigma: float = 0.0
) -> tuple[complex, complex]:
    """Eigenvalues of the flow at the origin, at equal rates 1.

    >>> flow_eigenvalues(sigma=2**0.5)
    ((-0.5+0j), (-0.5+0j))
    """
    first, second = _SLOPES[variant]
    # Mescheder et al. 2018, Lemma 3.2 (instance noise) and Lemma 4.1 (R1); together the dampings add.
    damping = -gamma / 2 + second * sigma**2
    root = cmath.sqrt(damping**2 - first**2)
    return damping + root, damping - root


def r1_stable(order: Order, *, eta_d: float, eta_g: float, gamma: float, variant: Variant = "minimax") -> bool:
    """Whether the origin attracts, for one discriminator step per generator step, without noise.

    The multipliers have trace T and determinant D; the three conditions of Jury reduce to two.
    """
    s2 = _SLOPES[variant][0] ** 2
    if order == "simultaneous":
        return eta_g * s2 < gamma and 2 * eta_d * gamma < 4 + eta_g * eta_d * s2
    return gamma > 0 and 2 * eta_d * gamma + eta_g * eta_d * s2 < 4


def r1_largest_step(order: Order, *, gamma: float, variant: Variant = "minimax") -> float:
    """The learning rate, the same for both players, below which the origin attracts.

    >>> r1_largest_step("simultaneous", gamma=0.1), r1_largest_step("alternating", gamma=1.5)
    (0.4, 1.21110255)
    """
    slope = _SLOPES[variant][0]
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
        "alternating", eta_d=discriminator_steps * eta_d, eta_g=eta_g, strength=_SLOPES[variant][0]
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


def _identity(x: sympy.Expr) -> sympy.Expr:
    return x


def _unchanged(body: sympy.Expr) -> sympy.Expr:
    return body

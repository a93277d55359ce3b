"""Dirac-GAN and the bilinear game: one weight against one point, the field's standard toys.

Mescheder, Geiger, Nowozin, "Which Training Methods for GANs do actually Converge?" (2018).
"""

from collections.abc import Callable
from typing import Final

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import LogSigmoid, Mean, Softplus, gauss_hermite, symbol
from gan_bifurcation.facts import Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player
from gan_bifurcation.models.dirac_theory import SLOPES, Variant

__all__ = ["bilinear", "dirac_gan"]

_MOST_DIMENSIONS: Final = 100


def dirac_gan(
    *,
    variant: Variant = "minimax",
    gamma: float = 0.0,
    target: float | None = None,
    clip: float | None = None,
    sigma: float | None = None,
    quadrature_order: int = 20,
) -> Game:
    """Dirac-GAN: the true distribution is a point at 0, the generated one a point at theta, the discriminator psi x.

    Parameters
    ----------
    variant : "minimax", "non_saturating" or "wgan"
        The discriminator ascends f(psi theta) with f(t) = -log(1 + exp(-t)), or f(t) = t for "wgan". The generator
        descends the same, or ascends f(-psi theta) for "non_saturating".
    gamma : float
        Strength of the gradient penalty (gamma/2) psi**2, which is R1 and R2 at once here. A parameter of the game.
    target : float, optional
        The penalty is (gamma/2) (abs(psi) - target)**2 instead, as of the WGAN-GP: not smooth at psi = 0, so that the
        origin is no equilibrium any more. A parameter of the game if given.
    clip : float, optional
        After each of its steps the discriminator's weight is put back into [-clip, clip]; a flow slides along the
        bound. A parameter of the game if given.
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
    "non_saturating" it falls like 8/t. With clipping, orbits of the WGAN that reach the bound end on the circle of
    radius `clip`; with a target, on the cycle of :func:`gan_bifurcation.models.dirac_theory.gradient_penalty_cycle`.

    References
    ----------
    Mescheder et al. 2018, section 2 and 4.

    Examples
    --------
    >>> dirac_gan(gamma=0.3).vector_field()
    {'psi': -gamma*psi + theta*Sigmoid(-psi*theta), 'theta': -psi*Sigmoid(-psi*theta)}
    """
    if variant not in SLOPES:
        raise unknown_name("variant of dirac_gan", str(variant), SLOPES)
    for name, value, smallest in (("standard deviation sigma", sigma, 0.0), ("penalty's target", target, 0.0)):
        if value is not None and not value >= smallest:
            raise MisuseError(f"dirac_gan needs a {name} >= 0, but got {value!r}.")
    if clip is not None and not clip > 0:
        raise MisuseError(f"dirac_gan clips the weight to a bound clip > 0, but got {clip!r}.")
    psi, theta = symbol("psi"), symbol("theta")
    optional = {"target": target, "clip": clip, "sigma": sigma}
    parameters = {"gamma": gamma} | {name: value for name, value in optional.items() if value is not None}
    expectation: Callable[[sympy.Expr], sympy.Expr] = _unchanged
    noise: sympy.Expr = sympy.S.Zero
    if sigma is not None:
        table = gauss_hermite("epsilon", quadrature_order)
        noise = symbol("sigma") * table.columns[0]

        def expectation(body: sympy.Expr) -> sympy.Expr:
            return Mean(body, table)

    f = _identity if variant == "wgan" else LogSigmoid
    fake = f(psi * (theta + noise))
    value = expectation(fake + f(-psi * noise))
    against = Softplus(psi * (theta + noise)) if variant == "non_saturating" else fake
    steepness = psi if target is None else sympy.Abs(psi) - symbol("target")
    return Game(
        "dirac_gan",
        Player(("psi",), -value + symbol("gamma") / 2 * steepness**2, "eta_d"),
        Player(("theta",), expectation(against), "eta_g"),
        parameters,
        symmetries=(_half_turn("psi", "theta"),),
        equilibria=(_origin("psi", "theta"),) if target is None else (),
        paper="mescheder2018",
        description=f"Dirac-GAN ({variant.replace('_', '-')}), one weight against one point.",
        why_not_smooth="" if target is None else "The penalty's slope jumps where the weight psi changes its sign.",
        projection={} if clip is None else {"psi": ("-clip", "clip")},
    )


def bilinear(*, strength: float = 1.0, dimension: int = 1) -> Game:
    """The bilinear game: theta descends strength * <theta, psi>, psi ascends it.

    Parameters
    ----------
    strength : float
        A parameter of the game.
    dimension : int
        Of each player's vector. All its planes turn alike.

    Returns
    -------
    Game
        States ``psi`` (discriminator) and ``theta`` (generator), or ``psi1``, ``psi2``, ... in more dimensions.

    References
    ----------
    Gidel et al. 2019, section 4.

    Examples
    --------
    >>> bilinear().vector_field()
    {'psi': strength*theta, 'theta': -psi*strength}
    >>> bilinear(dimension=2).states
    ('psi1', 'psi2', 'theta1', 'theta2')
    """
    if isinstance(dimension, bool) or not isinstance(dimension, int) or not 1 <= dimension <= _MOST_DIMENSIONS:
        raise MisuseError(f"The dimension is a whole number from 1 to {_MOST_DIMENSIONS}, but got {dimension!r}.")
    numbers = [""] if dimension == 1 else [str(i + 1) for i in range(dimension)]
    psi, theta = tuple(f"psi{i}" for i in numbers), tuple(f"theta{i}" for i in numbers)
    product = sympy.Add(*(symbol(a) * symbol(b) for a, b in zip(psi, theta, strict=True)))
    value = symbol("strength") * product
    return Game(
        "bilinear",
        Player(psi, -value, "eta_d"),
        Player(theta, value, "eta_g"),
        {"strength": strength},
        symmetries=(_half_turn(*psi, *theta),),
        equilibria=(_origin(*psi, *theta),),
        paper="gidel2019",
        description="The bilinear game: a saddle without curvature.",
    )


def _half_turn(*states: str) -> Symmetry:
    return Symmetry("half turn", {state: (-1, state) for state in states})


def _origin(*states: str) -> Equilibrium:
    return Equilibrium("origin", dict.fromkeys(states, sympy.S.Zero))


def _identity(x: sympy.Expr) -> sympy.Expr:
    return x


def _unchanged(body: sympy.Expr) -> sympy.Expr:
    return body

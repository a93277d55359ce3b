"""The linear-quadratic GAN: a quadratic discriminator w x**2 against a linear generator a z.

Nagarajan and Kolter, "Gradient descent GAN optimization is locally stable" (2017).
"""

import cmath
import math
from typing import Final, Literal

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import LogSigmoid, Mean, derivative, gauss_hermite, gauss_legendre, symbol
from gan_bifurcation.facts import Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player

__all__ = ["critical_norm_penalty", "flow_eigenvalues", "lq_gan", "wgan_invariant"]

Variant = Literal["minimax", "wgan"]
Distribution = Literal["uniform", "gaussian"]

# E x**2 and E x**4 of the uniform distribution on [-1, 1] and of the standard normal one.
_MOMENTS: Final = {"uniform": (sympy.Rational(1, 3), sympy.Rational(1, 5)), "gaussian": (sympy.S.One, sympy.Integer(3))}
_VARIANTS: Final = ("minimax", "wgan")


def lq_gan(
    *,
    variant: Variant = "minimax",
    distribution: Distribution = "uniform",
    norm_penalty: float | None = None,
    quadrature_order: int = 20,
) -> Game:
    """The discriminator is w x**2, the generator a z, with x and z of the same distribution.

    Parameters
    ----------
    variant : "minimax" or "wgan"
        The discriminator ascends V = E f(w x**2) + E f(-w (a z)**2), the generator descends it, with
        f(t) = -log(1 + exp(-t)), or f(t) = t for "wgan".
    distribution : "uniform" or "gaussian"
        On [-1, 1], or standard normal.
    norm_penalty : float, optional
        The generator also descends norm_penalty * (dV/dw)**2, the regulariser of the paper. A parameter if given.
    quadrature_order : int
        Nodes of Gauss's rule for "minimax"; the expectations of "wgan" are exact.

    Returns
    -------
    Game
        States ``w`` (discriminator) and ``a`` (generator).

    References
    ----------
    Nagarajan and Kolter 2017.

    Examples
    --------
    >>> lq_gan(variant="wgan").vector_field()
    {'w': 1/3 - a**2/3, 'a': 2*a*w/3}
    """
    if variant not in _VARIANTS:
        raise unknown_name("variant of lq_gan", str(variant), _VARIANTS)
    if distribution not in _MOMENTS:
        raise unknown_name("distribution of lq_gan", str(distribution), _MOMENTS)
    w, a = symbol("w"), symbol("a")
    if variant == "wgan":
        value = w * (1 - a**2) * _MOMENTS[distribution][0]
    else:
        table = (gauss_legendre if distribution == "uniform" else gauss_hermite)("z", quadrature_order)
        (z,) = table.columns
        value = Mean(LogSigmoid(w * z**2) + LogSigmoid(-w * (a * z) ** 2), table)
    cost, parameters = value, {}
    if norm_penalty is not None:
        cost = value + symbol("norm_penalty") * derivative(value, w) ** 2
        parameters = {"norm_penalty": norm_penalty}
    return Game(
        "lq_gan",
        Player(("w",), -value, "eta_d"),
        Player(("a",), cost, "eta_g"),
        parameters,
        symmetries=(Symmetry("mirror", {"a": (-1, "a")}),),
        equilibria=tuple(
            Equilibrium(name, {"w": sympy.S.Zero, "a": sympy.Integer(sign)})
            for name, sign in (("right", 1), ("mirrored", -1))
        ),
        paper="nagarajan2017",
        description=f"Quadratic discriminator against a linear generator ({variant}, {distribution}).",
    )


def flow_eigenvalues(
    *, variant: Variant = "minimax", distribution: Distribution = "uniform", norm_penalty: float = 0.0
) -> tuple[complex, complex]:
    """Eigenvalues of the flow at (w, a) = (0, 1), at equal rates 1.

    >>> flow_eigenvalues(variant="wgan", norm_penalty=0.5)[0]
    (-0.22222222+0.62853936j)
    """
    second, fourth = (float(moment) for moment in _MOMENTS[distribution])
    slope, curvature = (1.0, 0.0) if variant == "wgan" else (0.5, -0.25)
    # The Jacobian in (w, a) is [[2 f'' E x**4, -2 f' E x**2], [2 f' E x**2 + ..., -8 penalty (f' E x**2)**2]].
    b = 2.0 * slope * second
    dww, daa = 2.0 * curvature * fourth, -2.0 * norm_penalty * b**2
    # The penalty also turns dV/dw by the discriminator's own curvature.
    daw = b + 2.0 * norm_penalty * b * dww
    trace, determinant = dww + daa, dww * daa + b * daw
    root = cmath.sqrt(trace**2 / 4.0 - determinant)
    return trace / 2.0 + root, trace / 2.0 - root


def critical_norm_penalty(*, distribution: Distribution = "uniform") -> float:
    """The norm penalty of the "wgan" variant at which its flow stops turning: 1/(2 E x**2).

    >>> critical_norm_penalty()
    1.5
    """
    if distribution not in _MOMENTS:
        raise unknown_name("distribution of lq_gan", str(distribution), _MOMENTS)
    return float(1 / (2 * _MOMENTS[distribution][0]))


def wgan_invariant(*, w: float, a: float) -> float:
    """What the flow of the "wgan" variant conserves, at equal rates: w**2 + a**2/2 - log(a), for a > 0.

    >>> wgan_invariant(w=0.0, a=1.0)
    0.5
    """
    if not a > 0:
        raise MisuseError(f"The invariant is that of the half-plane a > 0, but got a = {a!r}; mirror the state.")
    return w**2 + a**2 / 2 - math.log(a)

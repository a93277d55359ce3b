"""The linear-quadratic GAN: a quadratic discriminator w x**2 against a linear generator a z.

Nagarajan and Kolter, "Gradient descent GAN optimization is locally stable" (2017).
"""

import math
from collections.abc import Callable
from typing import Literal

import sympy

from gan_bifurcation.errors import unknown_name
from gan_bifurcation.expressions import LogSigmoid, Mean, gauss_legendre, symbol
from gan_bifurcation.facts import Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player

__all__ = ["lq_gan", "wgan_invariant"]


def lq_gan(*, variant: Literal["minimax", "wgan"] = "minimax", quadrature_order: int = 20) -> Game:
    """The discriminator is w x**2, the generator a z, with x and z uniform on [-1, 1].

    Parameters
    ----------
    variant : "minimax" or "wgan"
        The discriminator ascends E f(w x**2) + E f(-w (a z)**2), the generator descends it, with
        f(t) = -log(1 + exp(-t)), or f(t) = t for "wgan".
    quadrature_order : int
        Nodes of Gauss and Legendre's rule for "minimax"; the expectations of "wgan" are exact.

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
    w, a = symbol("w"), symbol("a")
    values: dict[str, Callable[[], sympy.Expr]] = {
        "minimax": lambda: _minimax(w, a, quadrature_order),
        "wgan": lambda: w * (1 - a**2) / 3,  # E x**2 = E z**2 = 1/3
    }
    if variant not in values:
        raise unknown_name("variant of lq_gan", str(variant), values)
    value = values[variant]()
    return Game(
        "lq_gan",
        Player(("w",), -value, "eta_d"),
        Player(("a",), value, "eta_g"),
        symmetries=(Symmetry("mirror", {"a": (-1, "a")}),),
        equilibria=tuple(
            Equilibrium(name, {"w": sympy.S.Zero, "a": sympy.Integer(sign)})
            for name, sign in (("right", 1), ("mirrored", -1))
        ),
        paper="nagarajan2017",
        description=f"Quadratic discriminator against a linear generator ({variant}).",
    )


def wgan_invariant(*, w: float, a: float) -> float:
    """What the flow of the "wgan" variant conserves, at equal rates: w**2 + a**2/2 - log(a), for a > 0.

    >>> wgan_invariant(w=0.0, a=1.0)
    0.5
    """
    return w**2 + a**2 / 2 - math.log(a)


def _minimax(w: sympy.Symbol, a: sympy.Symbol, order: int) -> sympy.Expr:
    table = gauss_legendre("z", order)
    (z,) = table.columns
    return Mean(LogSigmoid(w * z**2) + LogSigmoid(-w * (a * z) ** 2), table)

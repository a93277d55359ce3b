"""What the linear theory needs of a GAN's loss: three constants, derived from its link functions and never typed in.

The discriminator D ascends E phi1(D(real)) + E phi2(D(fake)); the generator descends E phi_g(D(fake)), phi2 by default.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sympy

from gan_bifurcation.errors import MisuseError, quoted, unknown_name
from gan_bifurcation.expressions import LogSigmoid, derivative, symbol

__all__ = ["LOSSES", "Links", "LossConstants", "f_divergence", "linearised", "loss_constants", "relativistic"]

T: Final = symbol("t")


@dataclass(frozen=True)
class Links:
    """The link functions of a loss, expressions in the discriminator's output ``t``.

    Attributes
    ----------
    real, fake : Expr
        What the discriminator ascends on real and on generated points.
    generator : Expr or None
        What the generator descends; None if it descends `fake`.
    level : Expr or None
        The discriminator's value at the equilibrium where any is one; None if it follows.
    """

    real: sympy.Expr
    fake: sympy.Expr
    generator: sympy.Expr | None = None
    level: sympy.Expr | None = None

    @property
    def descended(self) -> sympy.Expr:
        """What the generator descends."""
        return self.fake if self.generator is None else self.generator


@dataclass(frozen=True)
class LossConstants:
    """The constants of the second-order expansion about the equilibrium, exact.

    Attributes
    ----------
    a : Expr
        The coupling; if the players have different losses, the geometric mean of their two couplings.
    b : Expr
        The curvature of the discriminator's objective, which damps.
    level : Expr or None
        The discriminator's constant value there; None if every value is an equilibrium.
    """

    a: sympy.Expr
    b: sympy.Expr
    level: sympy.Expr | None


LOSSES: Final[Mapping[str, Links]] = {
    "minimax": Links(LogSigmoid(T), LogSigmoid(-T)),
    "non_saturating": Links(LogSigmoid(T), LogSigmoid(-T), -LogSigmoid(T)),
    "wgan": Links(T, -T, level=sympy.S.Zero),
    "lsgan": Links(-((T - 1) ** 2) / 2, -(T**2) / 2, (T - 1) ** 2 / 2),
    "hinge": Links(sympy.Min(0, T - 1), sympy.Min(0, -1 - T), -T, level=sympy.S.Zero),
}
# Convex functions of the ratio u of densities, f(1) = 0.
_U: Final = symbol("u")
_DIVERGENCES: Final[Mapping[str, sympy.Expr]] = {
    "kl": _U * sympy.log(_U),
    "reverse_kl": -sympy.log(_U),
    "pearson": (_U - 1) ** 2,
    "squared_hellinger": (sympy.sqrt(_U) - 1) ** 2,
    "jensen_shannon": _U * sympy.log(_U) - (_U + 1) * sympy.log((_U + 1) / 2),
}


def loss_constants(loss: str) -> LossConstants:
    """The constants of a loss by its name: one of `LOSSES`, a divergence of an f-GAN, or "relativistic".

    >>> loss_constants("minimax")
    LossConstants(a=1/2, b=1/2, level=0)
    >>> loss_constants("lsgan")
    LossConstants(a=1/2, b=2, level=1/2)
    >>> loss_constants("wgan")
    LossConstants(a=1, b=0, level=None)
    """
    if loss in LOSSES:
        return linearised(LOSSES[loss])
    if loss in _DIVERGENCES:
        return f_divergence(_DIVERGENCES[loss], _U)
    if loss == "relativistic":
        return relativistic(LogSigmoid(T), T)
    raise unknown_name("loss", str(loss), [*LOSSES, *_DIVERGENCES, "relativistic"])


@functools.cache
def linearised(links: Links) -> LossConstants:
    """The constants a = phi1'(c) and b = -(phi1''(c) + phi2''(c)) at the level c where phi1' + phi2' = 0.

    Parameters
    ----------
    links : Links

    Raises
    ------
    MisuseError
        If no level is an equilibrium, or the discriminator does not ascend to it, or the generator is not driven by it.

    Examples
    --------
    >>> linearised(Links(-((T - 1) ** 2), -((T + 1) ** 2)))
    LossConstants(a=2, b=4, level=0)
    """
    slope = derivative(links.real, T) + derivative(links.fake, T)
    level = _level(slope) if links.level is None else links.level
    coupling = _at(derivative(links.real, T), level)
    other = -_at(derivative(links.descended, T), level)
    curvature = -_at(derivative(slope, T), level)
    if _at(slope, level) != 0:
        raise MisuseError(f"The discriminator's value {level} is no equilibrium: phi1' + phi2' is {_at(slope, level)}.")
    if not curvature >= 0 or not coupling * other > 0:
        raise MisuseError(
            f"The linear theory needs couplings of one sign and a curvature b >= 0, but got {coupling}, {other} and "
            f"{curvature}: check the signs of the link functions."
        )
    a = sympy.sqrt(coupling * other)
    # A level that was given, and not found, is one of many.
    return LossConstants(a, curvature, None if _flat(slope) else level)


def f_divergence(f: sympy.Expr, u: sympy.Symbol) -> LossConstants:
    """The constants of an f-GAN: the discriminator is the variational function, phi1 = t and phi2 = -f*(t).

    Notes
    -----
    The conjugate f* has the slope (f')^(-1), so that at c = f'(1) it has slope 1 and curvature 1/f''(1).

    Examples
    --------
    >>> u = symbol("u")
    >>> f_divergence(u * sympy.log(u), u)
    LossConstants(a=1, b=1, level=1)
    """
    curvature = sympy.nsimplify(sympy.diff(f, u, 2).subs(u, 1))
    if not curvature > 0:
        raise MisuseError(f"An f-GAN needs a convex f with f''(1) > 0, but got {curvature}.")
    return LossConstants(sympy.S.One, 1 / curvature, sympy.simplify(sympy.diff(f, u).subs(u, 1)))


def relativistic(f: sympy.Expr, t: sympy.Symbol) -> LossConstants:
    """The constants of relativistic pairing, E f(D(fake) - D(real)), on functions of mean zero.

    >>> relativistic(LogSigmoid(T), T)
    LossConstants(a=1/2, b=1/2, level=None)
    """
    # E (phi(y) - phi(x))**2 = 2 E phi**2 for independent x, y and phi of mean zero: b is twice -f''(0).
    first, second = _at(derivative(f, t), sympy.S.Zero, t), _at(derivative(derivative(f, t), t), sympy.S.Zero, t)
    return LossConstants(abs(first), -2 * second, None)


def as_floats(constants: LossConstants) -> tuple[float, float, float]:
    """a, b and the level (nan if there is none) as numbers."""
    return float(constants.a), float(constants.b), math.nan if constants.level is None else float(constants.level)


def _level(slope: sympy.Expr) -> sympy.Expr:
    if _flat(slope):
        raise MisuseError("Every value of the discriminator is an equilibrium of this loss: give a 'level', such as 0.")
    found = sympy.solve(sympy.together(slope.rewrite(sympy.exp)), T)
    real = [root for root in found if root.is_real]
    if len(real) != 1:
        raise MisuseError(
            f"The loss has {len(real)} equilibrium values of the discriminator in {quoted(str(slope))} = 0, expected "
            f"one: give the 'level'."
        )
    return real[0]


def _flat(slope: sympy.Expr) -> bool:
    return not slope.has(T) or not sympy.simplify(slope).has(T)


def _at(expression: sympy.Expr, level: sympy.Expr, t: sympy.Symbol = T) -> sympy.Expr:
    return sympy.nsimplify(sympy.simplify(expression.subs(t, level)))

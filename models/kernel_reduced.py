"""One generated point near one true point: the cubic reduction of the kernel GAN and the simpler models it extends.

References
----------
Becker, Pandit, Rangan, Fletcher: GAN Training with Kernel Discriminators: What Parameters Control Convergence Rates?
IEEE Transactions on Signal Processing 73 (2025) 433-445 (linear and quadratic single-point models). The cubic reduction
was derived here from the Taylor features and is tested against them.
"""

from typing import Final, Literal

import sympy

from gan_bifurcation.errors import unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import DomainBound, Equilibrium, Symmetry
from gan_bifurcation.game import Game
from gan_bifurcation.models.kernel_profiles import positive_numbers
from gan_bifurcation.system import System

__all__ = ["averaged_single_point", "kernel_gan_reduced", "single_point_gan"]

_SMALLEST_LAM: Final = 1e-12


def kernel_gan_reduced(
    *, sigma: float = 1.0, lam: float = 0.5, p1: float = 1.0, q1: float = 0.8, cubic: bool = True
) -> Game:
    """The kernel GAN of one generated point, exact to third order in its distance y = x/sigma from the true point.

    The smallest system with the Hopf, Neimark-Sacker and flip coefficients of the full one.

    Parameters
    ----------
    sigma, lam, p1, q1 : float
        As of :func:`gan_bifurcation.models.kernel_gan`.
    cubic : bool
        False leaves out the three cubic terms: the quadratic single-point model in other coordinates,
        b = w1/sigma and C = ((p1 - q1)/lam + v)/sigma^2.

    Returns
    -------
    Game
        States ``w1`` (slope of the discriminator), ``v`` (its curvature less that at rest), ``y``.

    Notes
    -----
    From f = sum of w_m phi_m in Taylor features, with v = w_0 - (p - q)/lam - sqrt(2) w_2 and terms above the third
    order dropped::

        w1' = -lam w1 - q y + (q/2) y^3
        v'  = -lam v + (3/2) q y^2
        y'  = (mu q/sigma^2) [ w1 - ((p - q)/lam + v) y - (3/2) w1 y^2 + ((p - q)/(2 lam)) y^3 ]

    Examples
    --------
    >>> kernel_gan_reduced(p1=1.0, q1=1.0).vector_field()["v"]
    -lam*v + 3*q1*y**2/2
    """
    w1, v, y, s, regularisation, p, q = (symbol(n) for n in ("w1", "v", "y", "sigma", "lam", "p1", "q1"))
    third = sympy.Integer(int(cubic))
    half = sympy.Rational(1, 2)
    at_rest = (p - q) / regularisation
    gradient = w1 - (at_rest + v) * y - third * 3 * half * w1 * y**2 + third * half * at_rest * y**3
    bound = DomainBound("2 - y**2", "Beyond sqrt(2) widths the truncated kernel pulls the wrong way.")
    return Game.from_field(
        "kernel_gan_reduced",
        discriminator={
            "w1": -regularisation * w1 - q * y + third * half * q * y**3,
            "v": -regularisation * v + 3 * half * q * y**2,
        },
        generator={"y": q / s**2 * gradient},
        parameters=_checked(sigma=sigma, lam=lam, p1=p1, q1=q1),
        symmetries=(Symmetry("reflection", {"w1": (-1, "w1"), "y": (-1, "y")}),),
        domain=(bound,) if cubic else (),
        equilibria=(_origin(("w1", "v", "y"), "lam"),),
        paper="becker2023",
        description="A kernel GAN of one generated point, exact to third order about the true point.",
    )


def single_point_gan(
    *, form: Literal["linear", "quadratic"] = "quadratic", sigma: float = 1.0, lam: float = 0.1
) -> Game:
    """The authors' single-point comparison models: a discriminator with slope b and, if quadratic, curvature c.

    Parameters
    ----------
    form : "linear" or "quadratic"
    sigma, lam : float

    Returns
    -------
    Game
        States ``b`` (and ``c``) of the discriminator and ``x``; all masses are 1.

    Notes
    -----
    b' = -lam b - x/sigma^2, x' = mu (b - c x), c' = -lam c + (3/2) x^2/sigma^4.

    Examples
    --------
    >>> single_point_gan(form="linear").vector_field()
    {'b': -b*lam - x/sigma**2, 'x': b}
    """
    if form not in ("linear", "quadratic"):
        raise unknown_name("form of single_point_gan", str(form), ("linear", "quadratic"))
    b, c, x, s, regularisation = (symbol(n) for n in ("b", "c", "x", "sigma", "lam"))
    discriminator = {"b": -regularisation * b - x / s**2}
    slope = b
    if form == "quadratic":
        discriminator["c"] = -regularisation * c + sympy.Rational(3, 2) * x**2 / s**4
        slope = b - c * x
    return Game.from_field(
        "single_point_gan",
        discriminator=discriminator,
        generator={"x": slope},
        parameters=_checked(sigma=sigma, lam=lam),
        symmetries=(Symmetry("reflection", {"b": (-1, "b"), "x": (-1, "x")}),),
        equilibria=(_origin((*discriminator, "x"), ""),),
        paper="becker2025",
        description=f"The {form} model of one generated point near one true point.",
    )


def averaged_single_point(*, sigma: float = 1.0, lam: float = 0.01, eta_d: float = 1.0, eta_g: float = 1.0) -> System:
    """The quadratic single-point model averaged over its fast rotation: how the mean square z of x decays.

    Parameters
    ----------
    sigma, lam, eta_d, eta_g : float
        Learning rates multiply velocities.

    Returns
    -------
    System
        A flow with states ``c`` and ``z``; z starts at x0^2/2 for a point that starts at rest at x0.

    Notes
    -----
    c' = eta_d (-lam c + (3/2) z/sigma^4), z' = -(eta_d lam + eta_g c) z: the amplitude's rate is half the trace of the
    rotating pair, the rate of its square the whole trace. It holds for eta_d lam small against the frequency sqrt(eta_d
    eta_g)/sigma.

    Examples
    --------
    >>> averaged_single_point().rhs([0.0, 1.0]).round(12).tolist()
    [1.5, -0.01]
    """
    values = _checked(sigma=sigma, lam=lam)
    values |= {name: positive_numbers(name, [rate])[0] for name, rate in (("eta_d", eta_d), ("eta_g", eta_g))}
    equations = {"c": "eta_d*(-lam*c + 3/2*z/sigma**4)", "z": "-(eta_d*lam + eta_g*c)*z"}
    return System.from_equations("flow", equations, parameters=values, name="averaged_single_point")


def _checked(**values: float) -> dict[str, float]:
    return {name: positive_numbers(name, [value], zero=name != "sigma")[0] for name, value in values.items()}


def _origin(states: tuple[str, ...], needs_lam: str) -> Equilibrium:
    condition = f"{needs_lam} - {_SMALLEST_LAM!r}" if needs_lam else ""
    return Equilibrium("true point", dict.fromkeys(states, sympy.S.Zero), condition)

"""Torus GAN: a generator and a discriminator of one angle each, whose objective is periodic in both.

References
----------
Gonzalez-Prieto, Mozo, Talavera, Gomez-Canaval: Dynamics of Fourier Modes in Torus Generative Adversarial Networks,
Mathematics 9 (2021) 325.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, Literal

import numpy as np
import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import LogSigmoid, Mean, NodeTable, symbol
from gan_bifurcation.facts import DomainBound, Equilibrium, checked_parameters
from gan_bifurcation.game import Game, Player
from gan_bifurcation.models.torus_fourier import Pair, fourier_coefficients, fourier_game

__all__ = ["torus_gan"]

Objective = Literal["gan", "wgan"]
Discriminator = Literal["slope", "wave"]

PAPER: Final = "gonzalez2021"
# Panels of the quadrature against exp(-y): short where the logistic function bends, to where exp(-y) is nothing.
_PANELS: Final = (0.0, 1.5, 5.0, 12.0, 40.0)
_HALF: Final = sympy.pi / 2


def torus_gan(
    *,
    objective: Objective = "gan",
    discriminator: Discriminator = "slope",
    kappa: float = 0.25,
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
    order: int | None = None,
    quadrature_order: int = 16,
    cell: bool = False,
) -> Game:
    """A generator of exponential variables that must find the mean of an exponential distribution.

    The true variable x is exponential with mean mu0. The generator makes -s log(z) of a uniform z, exponential with
    mean s = sc + sa sin(theta). The paper's concrete generator, discriminator and truncation are not known: this is an
    example of our own that shows what the paper claims.

    Parameters
    ----------
    objective : "gan" or "wgan"
        The value is E f(-D(x)) + E f(D(s e)) with f(y) = -log(1 + exp(-y)), by quadrature; or f(y) = y, in closed form.
        The discriminator ascends it, the generator descends it.
    discriminator : "slope" or "wave"
        D(x) = kappa sin(omega) x, or kappa sin(x + omega), which comes with "wgan" only.
    kappa : float
        Strength of the discriminator.
    mu0, sc, sa : float
        True mean; middle and half width of the means that the generator can make (0 < sa < sc).
    order : int, optional
        Keep the Fourier modes (m, n) of the value with m and n up to this order. Their coefficients are numbers,
        computed at the parameters given here: the game then has no parameters, and to change one is to make another
        game. By default the value itself, whose kappa, mu0, sc and sa are parameters of the game.
    quadrature_order : int
        Nodes on each of four panels for "gan"; 16 give every derivative to rounding while kappa times the largest mean
        is below 4.
    cell : bool
        Bound the domain to |theta|, |omega| < pi/2, for "slope": the flow crosses none of these lines. Steps that do,
        and most orbits that wind round the torus, then leave the domain; without bounds, verdicts take an orbit that
        winds without coming back for one that diverges, because its angles grow.

    Returns
    -------
    Game
        States ``omega`` (discriminator) and ``theta`` (generator). They are angles, and orbits are kept on the cover:
        an orbit that winds round the torus has angles that grow, and places that differ by 2 pi are the same.

    Raises
    ------
    MisuseError
        If a number is out of range, or there is no such pair of objective and discriminator.

    Notes
    -----
    With "slope" the four correct equilibria are s = mu0 and sin(omega) = 0, with the eigenvalues of
    :func:`gan_bifurcation.models.torus_theory.eigenvalues`; four more lie in the corners cos(theta) = cos(omega) = 0.
    With "gan" the odd part of the value in omega is that of "wgan", which conserves; all contraction comes from the
    even part.

    References
    ----------
    Gonzalez-Prieto et al. 2021.

    Examples
    --------
    >>> torus_gan(objective="wgan").vector_field()["theta"]
    -kappa*sa*sin(omega)*cos(theta)
    >>> torus_gan(order=2).parameters
    {}
    """
    values = checked_parameters({"kappa": kappa, "mu0": mu0, "sc": sc, "sa": sa}, "the model 'torus_gan'")
    if not 0 < values["sa"] < values["sc"]:
        raise MisuseError(f"torus_gan makes means sc + sa sin(theta), so 0 < sa < sc, but got sa={sa!r}, sc={sc!r}.")
    for name in ("kappa", "mu0"):
        if not values[name] > 0:
            raise MisuseError(f"torus_gan needs {name} > 0, but got {values[name]!r}.")
    if not isinstance(quadrature_order, int) or isinstance(quadrature_order, bool) or not 4 <= quadrature_order <= 200:
        raise MisuseError(f"torus_gan needs a quadrature_order from 4 to 200, but got {quadrature_order!r}.")
    forms: dict[tuple[str, str], Callable[[], sympy.Expr]] = {
        ("gan", "slope"): lambda: _gan_slope(quadrature_order),
        ("wgan", "slope"): _wgan_slope,
        ("wgan", "wave"): _wgan_wave,
    }
    if objective not in ("gan", "wgan"):
        raise unknown_name("objective of torus_gan", str(objective), ("gan", "wgan"))
    if discriminator not in ("slope", "wave"):
        raise unknown_name("discriminator of torus_gan", str(discriminator), ("slope", "wave"))
    if (objective, discriminator) not in forms:
        raise MisuseError("torus_gan has the discriminator 'wave' with objective='wgan' only; give that, or 'slope'.")
    if cell and discriminator != "slope":
        raise MisuseError("torus_gan has cells with the discriminator 'slope' only; leave 'cell' out.")
    domain = _CELL if cell else ()
    value = forms[objective, discriminator]()
    exact = Game(
        "torus_gan",
        Player(("omega",), -value, "eta_d"),
        Player(("theta",), value, "eta_g"),
        values,
        domain=domain,
        equilibria=_correct(discriminator) + (_CORNERS if discriminator == "slope" else ()),
        periods={"omega": 2.0 * math.pi, "theta": 2.0 * math.pi},
        paper=PAPER,
        description=f"An angle of a generator of exponentials against an angle ({objective}, {discriminator}).",
    )
    if order is None:
        return exact
    return fourier_game(
        fourier_coefficients(exact),
        order=order,
        name="torus_gan",
        near=_numbers(exact, values),
        domain=domain,
        paper=PAPER,
        description=f"The Fourier modes up to order {order} of the torus GAN ({objective}, {discriminator}) "
        f"at {', '.join(f'{name} = {number:g}' for name, number in values.items())}.",
    )


def exponential_table(column: str, nodes: int = 16) -> NodeTable:
    """The standard exponential distribution by Gauss and Legendre's rule on panels.

    >>> table = exponential_table("e")
    >>> bool(abs(table.weights @ table.nodes[:, 0] ** 3 - 6) < 1e-12)
    True
    """
    unit, weights = np.polynomial.legendre.leggauss(nodes)
    low, high = np.array(_PANELS[:-1])[:, None], np.array(_PANELS[1:])[:, None]
    y = (low + (high - low) * (unit + 1.0) / 2.0).ravel()
    w = ((high - low) / 2.0 * weights).ravel() * np.exp(-y)
    return NodeTable(f"exponential({nodes} on {len(low)} panels)", (symbol(column),), y[:, None], w)


def _symbols() -> tuple[sympy.Symbol, ...]:
    return tuple(map(symbol, ("kappa", "mu0", "sc", "sa", "theta", "omega")))


def _gan_slope(nodes: int) -> sympy.Expr:
    kappa, mu0, sc, sa, theta, omega = _symbols()
    table = exponential_table("e", nodes)
    slope = kappa * sympy.sin(omega) * table.columns[0]
    return Mean(LogSigmoid(-slope * mu0) + LogSigmoid(slope * (sc + sa * sympy.sin(theta))), table)


def _wgan_slope() -> sympy.Expr:
    kappa, mu0, sc, sa, theta, omega = _symbols()
    return kappa * sympy.sin(omega) * (sc + sa * sympy.sin(theta) - mu0)


def _wgan_wave() -> sympy.Expr:
    kappa, mu0, sc, sa, theta, omega = _symbols()

    def mean_of_wave(mean: sympy.Expr) -> sympy.Expr:
        # E exp(i x) of an exponential variable x is 1/(1 - i mean).
        return (mean * sympy.cos(omega) + sympy.sin(omega)) / (1 + mean**2)

    return kappa * (mean_of_wave(sc + sa * sympy.sin(theta)) - mean_of_wave(mu0))


def _correct(discriminator: str) -> tuple[Equilibrium, ...]:
    """Where the generator makes the true mean."""
    mu0, sc, sa = map(symbol, ("mu0", "sc", "sa"))
    rising = sympy.asin((mu0 - sc) / sa)
    omega = sympy.S.Zero if discriminator == "slope" else -_HALF - 2 * sympy.atan(mu0)
    other = omega + sympy.pi
    ends = ("", ", opposite discriminator") if discriminator == "slope" else ("", ", repelling")
    return tuple(
        Equilibrium(f"true mean, {word}{end}", {"omega": om, "theta": th}, "sa - abs(mu0 - sc)")
        for om, end in zip((omega, other), ends, strict=True)
        for th, word in ((rising, "rising"), (sympy.pi - rising, "falling"))
    )


_CORNERS: Final = tuple(
    Equilibrium(f"corner {word} mean, discriminator {side}", {"omega": om * _HALF, "theta": th * _HALF})
    for th, word in ((1, "largest"), (-1, "smallest"))
    for om, side in ((1, "up"), (-1, "down"))
)

# A little inside, so that the corners themselves do not count.
_CELL: Final = tuple(
    DomainBound(f"2.4674 - {name}**2", f"{name} comes to a line cos({name}) = 0, which no orbit of the flow crosses")
    for name in ("theta", "omega")
)


def _numbers(game: Game, values: Mapping[str, float]) -> tuple[tuple[str, Pair], ...]:
    """The known equilibria of a game at parameter values, as (name, (theta, omega))."""
    at = {symbol(name): value for name, value in values.items()}
    return tuple(
        (known.name, (float(known.state["theta"].xreplace(at)), float(known.state["omega"].xreplace(at))))
        for known in game.equilibria
        if known.holds(values)
    )

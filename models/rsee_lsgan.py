"""The R/S/E/E least-squares GAN: Rayleigh latent, square-law generator, exponential data, error-function discriminator.

Pulford and Kondrashov, "Convergence and Optimality Analysis of Low-Dimensional Generative Adversarial Networks Using
Error Function Integrals" (2021). With z from a Rayleigh distribution the generator g z**2 + h has an exponential one,
shifted by h; the discriminator is (1 + erf(a x + b))/2. It ascends E D(x)**2 + E (1 - D(G(z)))**2, which the generator
descends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import sympy
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import Mean, NodeTable, Sigmoid, Softplus, sample_table, symbol
from gan_bifurcation.facts import DomainBound
from gan_bifurcation.game import Game, Player

__all__ = ["CASES", "LARGEST_K", "Case", "draws", "half_line", "half_line_start", "rsee_lsgan", "rsee_start"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A run of the paper.

    Attributes
    ----------
    variant : "erf" or "logistic"
    c : float
        Rate of the exponential data; their mean is 1/c.
    start : mapping of str to float
        Where training starts.
    rate : float
        Learning rate of both players.
    updates : int
    """

    variant: str
    c: float
    start: Mapping[str, float]
    rate: float
    updates: int


def _case(variant: str, c: float, start: tuple[float, ...], rate: float, updates: int) -> Case:
    return Case(variant, c, MappingProxyType(dict(zip("abgh", start, strict=True))), rate, updates)


# 250 stored points are 249 updates (cases A and B); the logistic cases are those of the authors' follow-up.
CASES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        "A": _case("erf", 0.5, (2.2, -3.0, 1.5, -2.0), 0.4, 249),
        "B": _case("erf", 4.04, (1.21, -1.0, 0.35, -4.0), 0.4, 249),
        "1": _case("logistic", 0.5, (0.7, -1.5, 1.9, 1.1), 0.1, 149),
        "2": _case("logistic", 0.3, (1.5, 1.0, 0.9, -1.5), 0.1, 284),
        "3": _case("logistic", 1.1, (1.9, 0.2, 1.4, -1.0), 0.1, 184),
        "4": _case("logistic", 1.1, (1.9, 0.2, 1.4, -0.9), 0.1, 499),
    }
)

# The quadrature is exact to 1e-13 for k1 = c/(2a) and k2 = 1/(2ag) up to this.
LARGEST_K: Final = 25.0
# The half line beyond half_line_start: panels that begin narrow, for the boundary layer exp(-2kt) of a large k.
_PANELS: Final = (0.0, 0.4, 1.2, 3.0, 6.0, 9.0, 12.0, 14.5)
_ORDER: Final = 16
_AHEAD: Final = 7.5
_SHARP: Final = 12
# Panels for expectations over the unit exponential distribution itself.
_LOGISTIC_PANELS: Final = (*np.arange(0.0, 8.0, 0.5), *np.arange(8.0, 41.0, 1.0))
_MOST_SAMPLES: Final = 100_000


def rsee_lsgan(
    *,
    case: str = "A",
    c: float | None = None,
    moving: str | Sequence[str] = "bh",
    samples: int | None = None,
    seed: int = 0,
    losses: bool = False,
) -> Game:
    """The R/S/E/E least-squares GAN, with exact expectations or on a fixed sample.

    Parameters
    ----------
    case : "A", "B", or "1" to "4"
        The paper's run whose values the parameters have; "1" to "4" are those of the follow-up, whose discriminator is
        the logistic 1/(1 + a exp(-b x)).
    c : float, optional
        Rate of the exponential data, that of the case by default. A parameter of the game.
    moving : str or sequence of str
        Which of a, b (discriminator) and g, h (generator) are states: "bh" and all four, "abgh", in the paper. The
        others are parameters, with the values at which the case starts.
    samples : int, optional
        Train on this many data and as many latent points, drawn once: the paper's stochastic gradient. Without it the
        expectations are exact.
    seed : int
        Of the sample.
    losses : bool
        Give the exact game as losses instead of its gradient in closed form: the same to 1e-13 and twice as slow, but
        what a rule needs that propagates back through steps.

    Returns
    -------
    Game

    Notes
    -----
    With k1 = c/(2a), k2 = 1/(2ag) and eta = a h + b the value is, after integration by parts,
    erfc(-b)**2/4 + 2 A(b, k1) + erfc(eta)**2/4 - 2 B(eta, k2), with
    A(b, k) = 1/(2 sqrt(pi)) int_0^oo erfc(-b - t) exp(-(b + t)**2 - 2kt) dt and B the same with erfc(b + t). The nodes
    in t start where the integrand does (see `half_line_start`), so b and eta may have any value; cost and gradient are
    exact to 1e-13 inside the domain k1, k2 <= 25.

    No critical point exists: the derivatives by g and h are negative everywhere, so training has no equilibrium. It
    ends on a plateau, where it moves ever more slowly.

    References
    ----------
    Pulford and Kondrashov 2021.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> steps = gb.system(rsee_lsgan(case="A"), gb.Simultaneous(), eta_d=0.4, eta_g=0.4)
    >>> gb.simulate(steps, rsee_start(case="A"), steps=249).final_state
    {'b': 1.6028697571, 'h': 1.4333417959}
    """
    chosen = _chosen(case)
    players = _players(moving)
    value = _positive(chosen.c if c is None else c, "the rate c of its data")
    names = {name: symbol(name) for name in "abgh"}
    rate = symbol("c")
    frozen = {name: chosen.start[name] for name in "abgh" if name not in (*players[0], *players[1])}
    how = "exact expectations" if samples is None else f"a sample of {samples} + {samples}"
    facts: dict[str, Any] = {
        "domain": _DOMAINS[chosen.variant],
        "paper": "pulford2021",
        "description": f"Exponential data, square-law generator, {chosen.variant} discriminator, least squares; {how}.",
    }
    parameters = {"c": value, **frozen}
    if samples is None and chosen.variant == "erf" and not losses:
        field = _exact_field(names, rate)
        by_player = [{name: field[name] for name in player} for player in players]
        return Game.from_field(
            "rsee_lsgan", discriminator=by_player[0], generator=by_player[1], parameters=parameters, **facts
        )
    if samples is None and chosen.variant == "erf":
        loss = _exact_value(names, rate)
    elif samples is None:
        table = unit_exponential("s")
        loss = _expectations(names, rate, chosen.variant, table, table)
    else:
        data, latent = draws(samples, seed)
        loss = _expectations(names, rate, chosen.variant, sample_table("e", data), sample_table("s", latent))
    return Game(
        "rsee_lsgan", Player(players[0], -loss, "eta_d"), Player(players[1], loss, "eta_g"), parameters, **facts
    )  # fmt: skip


def rsee_start(*, case: str = "A", moving: str | Sequence[str] = "bh") -> dict[str, float]:
    """Where a case starts, for the states that move.

    >>> rsee_start(case="B")
    {'b': -1.0, 'h': -4.0}
    """
    start = _chosen(case).start
    return {name: start[name] for player in _players(moving) for name in player}


def draws(samples: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Unit exponential numbers: c x of the data and z**2 of the latent points.

    >>> [round(float(values.mean()), 1) for values in draws(1000, 0)]
    [1.0, 1.0]
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or not 2 <= samples <= _MOST_SAMPLES:
        raise MisuseError(
            f"A sample of rsee_lsgan has a whole number of points from 2 to {_MOST_SAMPLES}, got {samples!r}."
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise MisuseError(f"The seed of a sample is a whole number from 0 on, got {seed!r}.")
    data, latent = np.random.default_rng(seed).standard_exponential((2, samples))
    return data, latent


def half_line() -> NodeTable:
    """Nodes and weights for the integrals A and B, in the distance t from `half_line_start`."""
    return _composite("half_line", "t", _PANELS)


def half_line_start(b: sympy.Expr) -> sympy.Expr:
    """Where the integrands of A(b, k) and B(b, k) begin to matter: 0, or 7.5 before their maximum at t = -b.

    A smooth bend, so that the derivative of the quadrature is that of the integral.
    """
    return Softplus(-_SHARP * (b + _AHEAD)) / _SHARP


def unit_exponential(column: str) -> NodeTable:
    """The unit exponential distribution, for integrands that are analytic within 0.4 of the half line."""
    table = _composite("unit_exponential", column, _LOGISTIC_PANELS)
    weights = table.weights * np.exp(-table.nodes[:, 0])
    return NodeTable(table.name, table.columns, table.nodes, weights / weights.sum())


_DOMAINS: Final = {
    "erf": (
        DomainBound("50*a - c", "The discriminator is too flat: its slope a is below c/50, or not positive any more."),
        DomainBound("50*a*g - 1", "The generator's scale g is below 1/(50 a), or not positive any more."),
    ),
    "logistic": (
        DomainBound("a", "The discriminator's a is not positive any more, which its logistic form needs."),
        DomainBound("g", "The generator's scale g is not positive any more."),
    ),
}


def _composite(name: str, column: str, panels: tuple[float, ...]) -> NodeTable:
    nodes, weights = np.polynomial.legendre.leggauss(_ORDER)
    edges = np.array(panels, dtype=float)
    half = 0.5 * np.diff(edges)[:, None]
    return NodeTable(
        name, (symbol(column),), (edges[:-1, None] + half * (nodes + 1.0)).ravel()[:, None], (half * weights).ravel()
    )


def _twice(shift: sympy.Expr, two_k: sympy.Expr, sign: int) -> tuple[sympy.Expr, sympy.Expr]:
    """2A and 2 A1 (sign -1), or 2B and 2 B1 (sign 1), as one loop over the nodes."""
    table = half_line()
    distance = table.columns[0] + half_line_start(shift)
    u = shift + distance
    body = sympy.erfc(sign * u) * sympy.exp(-(u**2) - two_k * distance)
    return Mean(body, table) / sympy.sqrt(sympy.pi), Mean(body * distance, table) / sympy.sqrt(sympy.pi)


def _exact_value(names: Mapping[str, sympy.Symbol], c: sympy.Symbol) -> sympy.Expr:
    a, b, g, h = (names[name] for name in "abgh")
    eta = a * h + b
    data = sympy.erfc(-b) ** 2 / 4 + _twice(b, c / a, -1)[0]
    return data + sympy.erfc(eta) ** 2 / 4 - _twice(eta, 1 / (a * g), 1)[0]


def _exact_field(names: Mapping[str, sympy.Symbol], c: sympy.Symbol) -> dict[str, sympy.Expr]:
    """The directions of a and b (up the value) and of g and h (down), by the four integrals A, A1, B, B1."""
    a, b, g, h = (names[name] for name in "abgh")
    data, data_moment = _twice(b, c / a, -1)
    made, made_moment = _twice(a * h + b, 1 / (a * g), 1)
    by_shift = -made / (a * g)  # of the generated points' part, by eta = a h + b
    by_scale = -made_moment / (a**2 * g)
    return {
        "a": c / a**2 * data_moment + by_scale + h * by_shift,
        "b": c / a * data + by_shift,
        "g": -a / g * by_scale,
        "h": -a * by_shift,
    }


def _expectations(
    names: Mapping[str, sympy.Symbol], c: sympy.Symbol, variant: str, data: NodeTable, latent: NodeTable
) -> sympy.Expr:
    """E D(x)**2 + E (1 - D(G))**2, over tables of c x and of z**2."""
    a, b, g, h = (names[name] for name in "abgh")
    x, made = data.columns[0] / c, g * latent.columns[0] + h
    if variant == "erf":
        true, false = sympy.erfc(-(a * x + b)) / 2, sympy.erfc(a * made + b) / 2
    else:
        true, false = Sigmoid(b * x - sympy.log(a)), Sigmoid(sympy.log(a) - b * made)
    return Mean(true**2, data) + Mean(false**2, latent)


def _chosen(case: str) -> Case:
    if case not in CASES:
        raise unknown_name("case of rsee_lsgan", str(case), CASES)
    return CASES[case]


def _players(moving: str | Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    wanted = [str(name) for name in moving]
    for name in wanted:
        if name not in ("a", "b", "g", "h"):
            raise unknown_name("state of rsee_lsgan", str(name), ["a", "b", "g", "h"])
    discriminator, generator = (tuple(name for name in group if name in wanted) for group in ("ab", "gh"))
    if not discriminator or not generator:
        raise MisuseError(
            f"Both players of rsee_lsgan move: give one or both of 'a', 'b' and of 'g', 'h', but got {wanted!r}."
        )
    return discriminator, generator


def _positive(value: float, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1e6:
        raise MisuseError(f"rsee_lsgan needs {what} to be positive and below 1e6, but got {value!r}.")
    return float(value)

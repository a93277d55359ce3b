"""Mixtures of two Gaussians against discriminators that are 1 on intervals: losses in closed form.

Li, Madry, Peebles, Schmidt, "On the Limitations of First-Order Approximation in GAN Dynamics" (2018).
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import DomainBound, Ending, Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player
from gan_bifurcation.models.mixture_theory import slice_crossing, symmetric_end

__all__ = ["interval_gan", "mixture_gan", "symmetric_mixture_gan"]

Ordering = Literal["none", "width", "order"]
Interval = tuple[sympy.Expr, sympy.Expr]

_PAPER: Final = "li2018"
_ORDERINGS: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "none": (),
    "width": (("l1", "r1", "first interval"), ("l2", "r2", "second interval")),
    "order": (
        ("l1", "r1", "first interval"),
        ("r1", "l2", "gap between the intervals"),
        ("l2", "r2", "second interval"),
    ),
}
# Generated means nearer to each other than this part of the true ones' distance are one mode.
_ONE_MODE: Final = Ending("abs(true2 - true1)/100 - abs(mu2 - mu1)", "mode collapse")
# How far the generated means are from the true ones, in whatever order, beyond what is as good as there.
_AWAY: Final = "abs(mu1 + mu2 - true1 - true2) + abs(abs(mu2 - mu1) - abs(true2 - true1)) - 0.1"
_CLOSED: Final = "discriminator collapse"
_DISCRIMINATORS: Final = ("interval", "projected", "window", "half_line")
# No density is a number that far out: a half-width that grows for ever has said all it can.
_WIDEST: Final = "100"


def mixture_gan(
    *,
    true_means: Sequence[float] = (-0.5, 0.5),
    ordering: Ordering = "none",
    coordinates: Literal["ends", "widths"] = "ends",
) -> Game:
    """Two Gaussians of unit variance against the true two, and a discriminator that is 1 on two intervals.

    Parameters
    ----------
    true_means : pair of float
        Parameters ``true1`` and ``true2`` of the game.
    ordering : "none", "width" or "order"
        What the end points must keep: nothing, l <= r in each interval, or l1 <= r1 <= l2 <= r2. As the domain of the
        game: a run that leaves it stops and says what closed. How training goes on from there, a bound that depends on
        other states cannot say; :func:`gan_bifurcation.models.mixture_runs.simulate_mixture` does it, and for "width"
        the coordinates "widths".
    coordinates : "ends" or "widths"
        With "widths" an interval is [c - w, c + w] and its half-width w is kept from falling below zero, by projection:
        the same dynamics, with the ordering "width" (a crossing pair of end points goes to its middle).

    Returns
    -------
    Game
        States ``l1``, ``r1``, ``l2``, ``r2`` (end points), or ``c1``, ``w1``, ``c2``, ``w2``; ``mu1``, ``mu2``
        (generated means).

    Notes
    -----
    The discriminator ascends, and the generator descends, E_true[D] + E_generated[1 - D]. Wherever the generated means
    are the true ones, equilibria come in a manifold of two dimensions; see :func:`gan_bifurcation.transverse_spectrum`.

    References
    ----------
    Li et al. 2018, section 2.

    Examples
    --------
    >>> game = mixture_gan()
    >>> game.discriminator.states, game.generator.states
    (('l1', 'r1', 'l2', 'r2'), ('mu1', 'mu2'))
    """
    first, second = _pair("true_means", true_means)
    if ordering not in _ORDERINGS:
        raise unknown_name("ordering of mixture_gan", str(ordering), _ORDERINGS)
    if coordinates not in ("ends", "widths"):
        raise unknown_name("coordinates of mixture_gan", str(coordinates), ("ends", "widths"))
    true1, true2 = symbol("true1"), symbol("true2")
    if coordinates == "widths":
        if ordering == "order":
            raise MisuseError(
                "mixture_gan in the coordinates 'widths' keeps the ordering 'width'; for 'order' take the coordinates "
                "'ends'."
            )
        return _widths(first, second)
    value = _value(
        [(symbol("l1"), symbol("r1")), (symbol("l2"), symbol("r2"))],
        [true1, true2],
        [symbol("mu1"), symbol("mu2")],
    )
    collapsed = {"l1": true1, "r1": true1, "l2": true2, "r2": true2, "mu1": true1, "mu2": true2}
    return Game(
        "mixture_gan",
        Player(("l1", "r1", "l2", "r2"), -value, "eta_d"),
        Player(("mu1", "mu2"), value, "eta_g"),
        {"true1": first, "true2": second},
        symmetries=(
            Symmetry("exchange of generated means", {"mu1": (1, "mu2"), "mu2": (1, "mu1")}),
            Symmetry("exchange of intervals", {"l1": (1, "l2"), "l2": (1, "l1"), "r1": (1, "r2"), "r2": (1, "r1")}),
        )
        if ordering != "order"
        else (Symmetry("exchange of generated means", {"mu1": (1, "mu2"), "mu2": (1, "mu1")}),),
        domain=_closed(_ORDERINGS[ordering]),
        equilibria=(Equilibrium("truth, intervals closed", collapsed),),
        endings=(_ONE_MODE,),
        paper=_PAPER,
        description="Two generated Gaussians against two true ones; the discriminator is 1 on two intervals.",
    )


def _widths(first: float, second: float) -> Game:
    true1, true2, c1, w1, c2, w2 = (symbol(name) for name in ("true1", "true2", "c1", "w1", "c2", "w2"))
    value = _value([(c1 - w1, c1 + w1), (c2 - w2, c2 + w2)], [true1, true2], [symbol("mu1"), symbol("mu2")])
    closed = {"c1": true1, "w1": sympy.S.Zero, "c2": true2, "w2": sympy.S.Zero, "mu1": true1, "mu2": true2}
    return Game(
        "mixture_gan",
        # Half of the gain: a centre moves at the mean of its end points' velocities, a half-width at half of the
        # difference.
        Player(("c1", "w1", "c2", "w2"), -value / 2, "eta_d"),
        Player(("mu1", "mu2"), value, "eta_g"),
        {"true1": first, "true2": second},
        symmetries=(
            Symmetry("exchange of generated means", {"mu1": (1, "mu2"), "mu2": (1, "mu1")}),
            Symmetry("exchange of intervals", {"c1": (1, "c2"), "c2": (1, "c1"), "w1": (1, "w2"), "w2": (1, "w1")}),
        ),
        equilibria=(Equilibrium("truth, intervals closed", closed),),
        endings=(_ONE_MODE, Ending(f"minimum(1e-9 - w1 - w2, {_AWAY})", _CLOSED)),
        projection={"w1": ("0", _WIDEST), "w2": ("0", _WIDEST)},
        why_not_smooth="half-widths are kept from falling below zero",
        paper=_PAPER,
        description="Two generated Gaussians against two true ones; two intervals that stay closed once they are.",
    )


def symmetric_mixture_gan(*, separation: float = 0.5, ordering: Ordering = "none") -> Game:
    """The symmetric slice of `mixture_gan`: true means -m and m, generated -u and u, intervals [-b, -a] and [a, b].

    Parameters
    ----------
    separation : float
        Half the distance of the true means: the parameter ``m``.
    ordering : "none", "width" or "order"
        Whether a <= b, and for "order" also 0 <= a, is the domain of the game.

    Returns
    -------
    Game
        States ``a``, ``b`` and ``u``: exactly the first-order dynamics of `mixture_gan` in this subspace.

    Examples
    --------
    >>> symmetric_mixture_gan().parameters
    {'m': 0.5}
    """
    if not separation > 0:
        raise MisuseError(f"symmetric_mixture_gan needs a separation > 0, but got {separation!r}.")
    if ordering not in _ORDERINGS:
        raise unknown_name("ordering of symmetric_mixture_gan", str(ordering), _ORDERINGS)
    m, u, a, b = symbol("m"), symbol("u"), symbol("a"), symbol("b")
    # Half of the loss: each of the three states moves two of the six, and these move at their own rate.
    half = _value([(-b, -a), (a, b)], [-m, m], [-u, u]) / 2
    pairs = {"none": (), "width": (("a", "b", "interval"),), "order": (("a", "b", "interval"),)}[ordering]
    top = slice_crossing(separation, separation)
    at = {"a": sympy.Float(0.6 * top), "b": sympy.Float(symmetric_end(0.6 * top, separation)), "u": m}
    inner = (DomainBound("a", "the two intervals meet: they are one"),) if ordering == "order" else ()
    return Game(
        "symmetric_mixture_gan",
        Player(("a", "b"), -half, "eta_d"),
        Player(("u",), half, "eta_g"),
        {"m": separation},
        domain=_closed(pairs) + inner,
        # One of a line of them, which has no closed form in m: known at the separation asked for only.
        equilibria=(Equilibrium("truth, one of a line", at, f"-(m - {float(separation)!r})**2"),),
        paper=_PAPER,
        description="Two Gaussians at -u and u against true ones at -m and m, intervals [-b, -a] and [a, b].",
    )


def interval_gan(
    *,
    discriminator: Literal["interval", "projected", "window", "half_line"] = "interval",
    true_mean: float = 0.0,
    half_width: float = 1.0,
) -> Game:
    """One Gaussian of unit variance against a true one, and a discriminator that is 1 on one interval.

    Parameters
    ----------
    discriminator : "interval", "projected", "window" or "half_line"
        An interval [l, r]; an interval [c - w, c + w] whose half-width is kept from falling below zero by projection;
        an interval [c - s, c + s] whose half-width is held, a parameter; or all x <= r.
    true_mean : float
        The parameter ``true``.
    half_width : float
        The parameter ``s`` of a window; of an interval, that of its known equilibrium, one of a line.

    Returns
    -------
    Game
        States ``l``, ``r``, or ``c``, ``w``, or ``c``, or ``r``; and ``mu``.

    Notes
    -----
    Equilibria of the interval are a line (any half-width); a window is the dynamics across it: the end points move as
    one, at the mean of their two velocities, and the spectrum is the interval's without its zero. A half line has no
    equilibrium: the generated mean runs away from it for ever.

    Examples
    --------
    >>> interval_gan(discriminator="window").vector_field()["c"].free_symbols >= {symbol("s")}
    True
    """
    if discriminator not in _DISCRIMINATORS:
        raise unknown_name("discriminator of interval_gan", str(discriminator), _DISCRIMINATORS)
    if not half_width > 0:
        raise MisuseError(f"interval_gan needs a half-width > 0, but got {half_width!r}.")
    true, mu, l, r, c, s = (symbol(name) for name in ("true", "mu", "l", "r", "c", "s"))  # noqa: E741
    parameters = {"true": true_mean}
    domain: tuple[DomainBound, ...] = ()
    endings: tuple[Ending, ...] = ()
    projection: dict[str, tuple[str, str]] = {}
    moves: tuple[str, ...]
    equilibria: tuple[Equilibrium, ...]
    if discriminator == "interval":
        value = _value([(l, r)], [true], [mu])
        moves, gain = ("l", "r"), value
        domain = _closed((("l", "r", "interval"),))
        at = {"l": true - half_width, "r": true + half_width, "mu": true}
        equilibria = (Equilibrium(f"truth, half-width {half_width:g}", at),)
    elif discriminator == "projected":
        w = symbol("w")
        value = _value([(c - w, c + w)], [true], [mu])
        moves, gain, projection = ("c", "w"), value / 2, {"w": ("0", _WIDEST)}
        endings = (Ending("minimum(1e-9 - w, abs(mu - true) - 0.1)", _CLOSED),)
        # None is listed: along a line of them a branch over a parameter is not one curve, and a regime map is told by
        # runs.
        equilibria = ()
    elif discriminator == "window":
        value = _value([(c - s, c + s)], [true], [mu])
        moves, gain = ("c",), value / 2
        parameters["s"] = half_width
        equilibria = (Equilibrium("truth", {"c": true, "mu": true}),)
    else:
        value = _value([(None, r)], [true], [mu])
        moves, gain, equilibria = ("r",), value, ()
    return Game(
        "interval_gan",
        Player(moves, -gain, "eta_d"),
        Player(("mu",), value, "eta_g"),
        parameters,
        domain=domain,
        equilibria=equilibria,
        endings=endings,
        projection=projection,
        why_not_smooth="the half-width is kept from falling below zero" if projection else "",
        paper=_PAPER,
        description=f"One Gaussian against a true one; the discriminator is 1 on {_WORDS[discriminator]}.",
    )


_WORDS: Final = {
    "interval": "an interval",
    "projected": "an interval that stays closed once it is",
    "window": "a window of held width",
    "half_line": "a half line",
}


def _value(
    intervals: Sequence[tuple[sympy.Expr | None, sympy.Expr]], true: Sequence[sympy.Expr], mu: Sequence[sympy.Expr]
) -> sympy.Expr:
    """E_true[D] + E_generated[1 - D]."""

    def mass(x: sympy.Expr | None, means: Sequence[sympy.Expr]) -> sympy.Expr:
        # Twice the distribution function minus one: the ones cancel, but at minus infinity.
        if x is None:
            return -sympy.S.One
        return sympy.Add(*(sympy.erf((x - mean) / sympy.sqrt(2)) for mean in means)) / len(means)

    return 1 + sympy.Add(*(mass(r, true) - mass(l, true) - mass(r, mu) + mass(l, mu) for l, r in intervals)) / 2  # noqa: E741


def _closed(pairs: Sequence[tuple[str, str, str]]) -> tuple[DomainBound, ...]:
    return tuple(DomainBound(f"{high} - {low}", f"the {what} has closed") for low, high, what in pairs)


def _pair(name: str, values: Sequence[float]) -> tuple[float, float]:
    if isinstance(values, str) or len(values) != 2:
        raise MisuseError(f"'{name}' must be two numbers, but got {values!r}.")
    return float(values[0]), float(values[1])

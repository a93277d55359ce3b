"""GANs in function space: one mode of the linear theory, and a nonlinear GAN on the line that agrees with it.

References
----------
Khrulkov, Babenko, Oseledets: Functional Space Analysis of Local GAN Convergence (ICML 2021), arXiv 2102.04448.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import Mean, NodeTable, symbol
from gan_bifurcation.facts import DomainBound, Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player
from gan_bifurcation.models.dispersion import Dispersion
from gan_bifurcation.models.gan_losses import LOSSES, T, linearised
from gan_bifurcation.models.settings import whole_number
from gan_bifurcation.models.weighted_laplacian import hermite_functions
from gan_bifurcation.rules import Rule, system
from gan_bifurcation.system import System

__all__ = ["functional_gan", "functional_mode", "functional_theory", "mode_multipliers", "mode_spectra"]

_ORIGIN: Final = Equilibrium("origin", {"phi": sympy.S.Zero, "y": sympy.S.Zero})
_LOSSES: Final = ("minimax", "non_saturating", "wgan", "lsgan")
_MOST_MODES: Final = 12
_FEWEST_NODES: Final = 20
_MOST_NODES: Final = 150
# Displacements beyond this many standard deviations have left the local theory for good.
_FAR: Final = 10.0


def functional_mode(*, xi: float = 1.0, a: float = 0.5, b: float = 0.5, gamma: float = 0.0) -> Game:
    """One mode of a GAN near its equilibrium: the dispersion relation as a game with linear-quadratic losses.

    Parameters
    ----------
    xi : float
        The mode: an eigenvalue of the weighted Laplacian of the data.
    a, b : float
        Coupling and curvature of the loss (see `gan_bifurcation.models.gan_losses`); by default the minimax GAN's.
    gamma : float
        Zero-centred gradient penalty.

    Returns
    -------
    Game
        States ``phi``, the discriminator's deviation, and ``y``, the generator's displacement times sqrt(xi).

    Notes
    -----
    It is the R1 Dirac-GAN linearised, with f'(0) = a sqrt(xi) and the penalty b + gamma xi.

    References
    ----------
    Khrulkov et al. 2021.

    Examples
    --------
    >>> functional_mode().vector_field()
    {'phi': -a*sqrt(xi)*y - phi*(b + gamma*xi), 'y': a*phi*sqrt(xi)}
    """
    for name, value, smallest in (("xi", xi, "positive"), ("a", a, "positive"), ("b", b, ""), ("gamma", gamma, "")):
        if not (math.isfinite(value) and (value > 0 or (value == 0 and not smallest))):
            raise MisuseError(f"A mode needs '{name}' {smallest or 'of 0 or more'}, but got {value!r}.")
    phi, y = symbol("phi"), symbol("y")
    slope = symbol("a") * sympy.sqrt(symbol("xi"))
    damping = symbol("b") + symbol("gamma") * symbol("xi")
    return Game(
        "functional_mode",
        Player(("phi",), damping * phi**2 / 2 + slope * phi * y, "eta_d"),
        Player(("y",), -slope * phi * y, "eta_g"),
        {"xi": xi, "a": a, "b": b, "gamma": gamma},
        symmetries=(Symmetry("half turn", {"phi": (-1, "phi"), "y": (-1, "y")}),),
        equilibria=(_ORIGIN,),
        paper="khrulkov2021",
        description="One mode xi of the weighted Laplacian of the data: a damped wave of discriminator and generator.",
    )


def mode_multipliers(
    rule: Rule | str | Mapping[str, object], xi: ArrayLike, dispersion: Dispersion, **settings: float
) -> NDArray[np.complex128]:
    """The dispersion relation of any rule of this package: eigenvalues or multipliers of each mode, shape (modes, n).

    Parameters
    ----------
    rule : Rule, str or mapping
        A value, or its words in a study file.
    xi : array (modes,)
    dispersion : Dispersion
        Constants and rates.
    **settings : float
        Parameters of the rule itself, such as a momentum.

    Examples
    --------
    >>> from gan_bifurcation.rules import Alternating
    >>> waves = Dispersion(eta_d=0.5, eta_g=0.5)
    >>> np.abs(mode_multipliers(Alternating(), [1.0, 4.0], waves)).round(12).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    return mode_spectra(system(functional_mode(), rule), xi, dispersion, **settings)


def mode_spectra(made: System, xi: ArrayLike, dispersion: Dispersion, **settings: float) -> NDArray[np.complex128]:
    """The same of `functional_mode` under a rule, for many constants of one system."""
    values = {name: getattr(dispersion, name) for name in ("a", "b", "gamma", "eta_d", "eta_g")} | settings
    found = []
    for mode in np.atleast_1d(np.asarray(xi, dtype=float)).tolist():
        at = made.with_parameters(xi=mode, **values)
        found.append(np.linalg.eigvals(at.jacobian(at.equilibrium_guess())[:, : at.n]))
    return np.array(found)


def functional_gan(
    *,
    loss: str = "minimax",
    modes: int = 4,
    gamma: float = 0.0,
    constant: bool = True,
    nodes: int = 80,
) -> Game:
    """A nonlinear GAN for the standard normal distribution: discriminator and generator as sums of Hermite polynomials.

    The discriminator is D = sum of d_k h_k, the generator moves x to x + sum of y_k h_(k-1)(x), which is
    x + sum of u_k h_k'(x) with y_k = sqrt(k) u_k. Expectations are taken by Gauss and Hermite's rule.

    Parameters
    ----------
    loss : "minimax", "non_saturating", "wgan" or "lsgan"
    modes : int
        The largest degree K of the discriminator.
    gamma : float
        R1 penalty, gamma/2 E D'(x)**2 over the data. A parameter of the game.
    constant : bool
        Whether the discriminator has the constant d0. With "wgan" nothing depends on it: every value of d0 is an
        equilibrium, a line of them, with an eigenvalue 0 (a multiplier 1) for every value of the parameters. Leave it
        out to see the stability of all else.
    nodes : int
        Of the quadrature rule.

    Returns
    -------
    Game
        States ``d0``, ..., ``dK`` (discriminator) and ``y1``, ..., ``yK`` (generator). Known equilibria: the generator
        is the identity, and (from two modes on) the mirror image x -> -x, which generates the same distribution.

    Notes
    -----
    Its linearisation at the identity is the dispersion relation with xi_k = k, exactly, as long as the rule is exact
    for polynomials of degree 2K: see `functional_theory`.

    References
    ----------
    Khrulkov et al. 2021.

    Examples
    --------
    >>> game = functional_gan(loss="wgan", modes=2, gamma=0.5)
    >>> game.discriminator.states, game.generator.states
    (('d0', 'd1', 'd2'), ('y1', 'y2'))
    """
    if loss not in _LOSSES:
        raise unknown_name("loss of functional_gan", str(loss), _LOSSES)
    whole_number("modes", modes, 1, _MOST_MODES)
    whole_number("nodes", nodes, max(_FEWEST_NODES, 2 * modes + 2), _MOST_NODES)
    if not (math.isfinite(gamma) and gamma >= 0):
        raise MisuseError(f"'gamma' must be 0 or more, but got {gamma!r}.")
    links = LOSSES[loss]
    level = linearised(links).level
    first = 0 if constant else 1
    d = {k: symbol(f"d{k}") for k in range(first, modes + 1)}
    y = {k: symbol(f"y{k}") for k in range(1, modes + 1)}
    table = _table(modes, nodes)
    h = table.columns[1:]
    moved = table.columns[0] + sum(y[k] * h[k - 1] for k in y)
    # Without its constant the discriminator still stands at the level of the equilibrium.
    offset = sympy.S.Zero if constant or level is None else level
    real = offset + sum(d[k] * h[k] for k in d)
    fake = offset + _hermite_sum(d, moved)
    # (h_k')**2 has the mean k, and different h_k' are orthogonal.
    penalty = symbol("gamma") / 2 * sum(k * d[k] ** 2 for k in d if k)
    value = Mean(links.real.xreplace({T: real}) + links.fake.xreplace({T: fake}), table)
    return Game(
        "functional_gan",
        Player(tuple(s.name for s in d.values()), penalty - value, "eta_d"),
        Player(tuple(s.name for s in y.values()), Mean(links.descended.xreplace({T: fake}), table), "eta_g"),
        {"gamma": gamma},
        symmetries=(
            Symmetry(
                "reflection",
                {f"{letter}{k}": (-1, f"{letter}{k}") for letter in "dy" for k in range(1, modes + 1) if k % 2},
            ),
        ),
        domain=(
            DomainBound(
                f"{_FAR**2!r} - ({' + '.join(f'{s.name}**2' for s in y.values())})",
                "The generator moved the points by more than ten standard deviations.",
            ),
        ),
        equilibria=_equilibria(modes, d, y, level),
        paper="khrulkov2021",
        description=f"A GAN on the line in {modes} Hermite polynomials ({loss.replace('_', '-')}).",
    )


def functional_theory(
    *, loss: str = "minimax", modes: int = 4, gamma: float = 0.0, eta_d: float = 1.0, eta_g: float = 1.0
) -> NDArray[np.complex128]:
    """Eigenvalues of the flow of `functional_gan` at the identity by the linear theory: the constant's first.

    >>> functional_theory(loss="wgan", modes=1).tolist()
    [0j, 1j, (-0-1j)]
    """
    if loss not in _LOSSES:
        raise unknown_name("loss of functional_gan", str(loss), _LOSSES)
    made = Dispersion.of_loss(loss, gamma=gamma, eta_d=eta_d, eta_g=eta_g)
    return np.concatenate([[complex(0.0 - eta_d * made.b)], made.eigenvalues(np.arange(1.0, modes + 1)).ravel()])


def _table(modes: int, nodes: int) -> NodeTable:
    """Nodes x of the normal distribution with h_0, ..., h_K there, so that none of these is evaluated in training."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    columns = ("x", *(f"h{k}" for k in range(modes + 1)))
    return NodeTable(
        f"normal({nodes})",
        tuple(symbol(name) for name in columns),
        np.column_stack([x, hermite_functions(x, modes)]),
        w / w.sum(),
    )


def _hermite_sum(coefficients: dict[int, Any], z: sympy.Expr) -> sympy.Expr:
    """The sum of c_k He_k(z)/sqrt(k!), as powers of z nested by Horner's rule."""
    powers = dict.fromkeys(range(max(coefficients) + 1), sympy.S.Zero)
    for k, c in coefficients.items():
        unit = np.zeros(k + 1)
        unit[k] = 1.0
        for i, factor in enumerate(np.polynomial.hermite_e.herme2poly(unit).tolist()):
            powers[i] += sympy.Float(factor / math.sqrt(math.factorial(k))) * c if factor else 0
    total: sympy.Expr = sympy.S.Zero
    for i in sorted(powers, reverse=True):
        total = total * z + powers[i]
    return total


def _equilibria(
    modes: int, d: dict[int, sympy.Symbol], y: dict[int, sympy.Symbol], level: sympy.Expr | None
) -> tuple[Equilibrium, ...]:
    rest = {s.name: sympy.S.Zero for s in (*d.values(), *y.values())}
    if "d0" in rest and level is not None:
        rest["d0"] = level
    known = [Equilibrium("identity", rest)]
    if modes > 1:
        known.append(Equilibrium("mirror image", {**rest, "y2": sympy.Integer(-2)}))
    return tuple(known)

"""Update rules on the bilinear game: closed forms of which steps converge, and tables of what the rules cost.

All with A = eta * strength, both learning rates equal. The closed forms are those of the papers named at each rule, of
Zhang and Yu, "Convergence of gradient methods on bilinear zero-sum games" (2020), or follow from the characteristic
polynomial.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gan_bifurcation.costs import training_cost
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.game import Game
from gan_bifurcation.models.dirac_gan import bilinear, dirac_gan
from gan_bifurcation.rules import rule_from_table, system
from gan_bifurcation.system import System
from gan_bifurcation.tables import Table

__all__ = ["CASES", "Case", "bilinear_thresholds", "largest_product", "rule_costs", "rule_radii"]

NEVER: Final = 0.0
ALWAYS: Final = math.inf
# Steps are looked for up to this eta; rules that converge for all of them have no best one.
_LARGEST: Final = 4.0
_GRID: Final = 400


@dataclass(frozen=True)
class Case:
    """A rule on the bilinear game of strength 1.

    Attributes
    ----------
    table : mapping
        The rule, as in a study file.
    limit : float
        It converges for 0 < eta < limit: 0 for never, inf for always.
    parameters : mapping of str to float
        Of the rule.
    """

    table: Mapping[str, object]
    limit: float
    parameters: Mapping[str, float]


def _case(rule: str, limit: float, parameters: Mapping[str, float] | None = None, **settings: object) -> Case:
    return Case({"rule": rule, **settings}, limit, parameters or {})


def largest_product(rule: str, *, beta: float = -0.5, strength: float = 0.5, k: int = 1, eta_u: float = 0.5) -> float:
    """The step eta below which a rule converges on the bilinear game of strength 1, in closed form.

    Parameters
    ----------
    rule : "alternating_momentum", "consensus" or "unrolled"
        Those whose limit depends on a parameter.
    beta : float
        Momentum, between -1 and 0.
    strength : float
        Of consensus or symplectic adjustment.
    k : int
        Unrolled steps.
    eta_u : float
        Their rate; counted double with backpropagation.

    Examples
    --------
    >>> largest_product("alternating_momentum", beta=-0.75)
    0.5
    """
    limits: dict[str, Callable[[], float]] = {
        "alternating_momentum": lambda: 2.0 * (1.0 + beta),
        "consensus": lambda: 2.0 * strength / (1.0 + strength**2),
        "unrolled": lambda: k * eta_u,
    }
    if rule not in limits:
        raise unknown_name("rule with a limit that depends on its parameter", rule, limits)
    return limits[rule]()


_ALT: Final = "alternating"
CASES: Final[Mapping[str, Case]] = {
    "simultaneous": _case("simultaneous", NEVER),
    # On the unit circle below A = 2: bounded, and converging nowhere.
    "alternating": _case("alternating", NEVER),
    "extragradient": _case("extragradient", 1.0),
    "extragradient, alternating step": _case("extragradient", 2.0 / math.sqrt(3.0), order=_ALT),
    "extragradient, alternating lookahead": _case("extragradient", 2.0 / math.sqrt(3.0), lookahead=_ALT),
    "extragradient, both alternating": _case("extragradient", 1.0, order=_ALT, lookahead=_ALT),
    "optimistic": _case("optimistic", 1.0 / math.sqrt(3.0)),
    "optimistic, alternating": _case("optimistic", 2.0 / 3.0, order=_ALT),
    "momentum -0.5": _case("momentum", NEVER, {"beta": -0.5}),
    "momentum -0.25, alternating": _case("momentum", 1.5, {"beta": -0.25}, order=_ALT),
    "momentum -0.5, alternating": _case("momentum", 1.0, {"beta": -0.5}, order=_ALT),
    "momentum -0.75, alternating": _case("momentum", 0.5, {"beta": -0.75}, order=_ALT),
    "momentum 0.5, alternating": _case("momentum", NEVER, {"beta": 0.5}, order=_ALT),
    "consensus 0.5": _case("consensus", 0.8, {"consensus": 0.5}),
    "symplectic adjustment 0.5": _case("symplectic_adjustment", 0.8, {"adjustment": 0.5}),
    "competitive": _case("competitive", ALWAYS),
    "implicit": _case("implicit", ALWAYS),
    "unrolled 1": _case("unrolled", 1.0, {"eta_u": 0.5}, k=1),
    "unrolled 3": _case("unrolled", 1.2, {"eta_u": 0.2}, k=3),
    "unrolled 2, no backpropagation": _case("unrolled", 1.0, {"eta_u": 0.5}, k=2, backpropagation=False),
    "Runge-Kutta 2": _case("runge_kutta", NEVER, order=2),
    "Runge-Kutta 3": _case("runge_kutta", math.sqrt(3.0), order=3),
    "Runge-Kutta 4": _case("runge_kutta", 2.0 * math.sqrt(2.0), order=4),
    "Adams-Bashforth 2": _case("adams_bashforth_2", NEVER),
}


def bilinear_thresholds(*, rules: Sequence[str] = ()) -> Table:
    """For each rule on the bilinear game: the limit of its step, in closed form and from multipliers; its best step.

    Parameters
    ----------
    rules : sequence of str
        Names in `CASES`; all by default.

    Returns
    -------
    Table
        Columns ``rule``, ``limit`` (closed form), ``computed`` (where the spectral radius passes 1), ``best_step``,
        ``best_radius``, ``calls`` (gradient calls of both players in one step), ``cost`` (calls until the distance is
        1/e, at the best step). Without a finite best step, ``best_step`` is the largest one that was tried. The same as
        numbers, such as ``best_step_optimistic``.
    """
    return _table(bilinear(), _chosen(rules), with_limits=True)


def rule_costs(*, model: str = "dirac_gan", gamma: float = 0.3, rules: Sequence[str] = ()) -> Table:
    """What each rule costs at its best step, on the Dirac-GAN with R1 penalty or on the bilinear game.

    Parameters
    ----------
    model : "dirac_gan" or "bilinear"
    gamma : float
        Of the penalty.
    rules : sequence of str
        Names in `CASES`; all by default.

    Returns
    -------
    Table
        The columns of `bilinear_thresholds`, without closed forms.
    """
    return _table(_game(model, gamma), _chosen(rules), with_limits=False)


def rule_radii(
    *,
    model: str = "bilinear",
    gamma: float = 0.3,
    rules: Sequence[str] = (),
    largest: float = 2.0,
    points: int = 200,
) -> Table:
    """Spectral radius and cost over the step.

    Parameters
    ----------
    model, gamma, rules
        As in `rule_costs`.
    largest : float
        Up to this step.
    points : int

    Returns
    -------
    Table
        Columns ``rule``, ``step``, ``radius``, ``cost``: gradient calls of both players until the distance is 1/e, not
        a number where the rule does not converge.
    """
    if not 2 <= points <= 10_000 or not 0.0 < largest <= 100.0:
        raise MisuseError(f"rule_radii takes 2 to 10000 points up to a step of 100, got {points} and {largest}.")
    game = _game(model, gamma)
    steps = np.linspace(0.0, largest, points + 1)[1:]
    names, radii, costs = [], [], []
    for name, case in _chosen(rules).items():
        made = _system(game, case)
        radius = np.array([_radius(made, eta) for eta in steps])
        calls = _calls(made)
        names += [name] * points
        radii.append(radius)
        costs.append([-calls / math.log(r) if 0.0 < r < 1.0 - 1e-9 else math.nan for r in radius])
    return Table(
        {
            "rule": np.array(names),
            "step": np.tile(steps, len(radii)),
            "radius": np.concatenate(radii),
            "cost": np.concatenate(costs),
        }
    )


def _game(model: str, gamma: float) -> Game:
    games: dict[str, Callable[[], Game]] = {"dirac_gan": lambda: dirac_gan(gamma=gamma), "bilinear": bilinear}
    if model not in games:
        raise unknown_name("game of rule_costs", model, games)
    return games[model]()


def _calls(made: System) -> float:
    assert made.rule is not None
    assert made.game is not None
    return float(sum(made.rule.assemble(made.game).gradient_calls))


def _chosen(rules: Sequence[str]) -> dict[str, Case]:
    for name in rules:
        if name not in CASES:
            raise unknown_name("rule on the bilinear game", str(name), CASES)
    return {name: CASES[name] for name in rules or CASES}


def _system(game: Game, case: Case) -> System:
    return system(game, rule_from_table(case.table), **case.parameters)


def _radius(made: System, eta: float) -> float:
    guess = made.equilibrium_guess()
    assert guess is not None
    p = made.parameter_vector(eta_d=eta, eta_g=eta)
    return float(np.abs(np.linalg.eigvals(made.jacobian(guess, p)[:, : made.n])).max())


def _table(game: Game, cases: Mapping[str, Case], with_limits: bool) -> Table:
    from scipy.optimize import brentq, minimize_scalar

    def radius(made: System) -> Callable[[float], float]:
        return lambda eta: _radius(made, eta)

    def passes(made: System) -> Callable[[float], float]:
        return lambda eta: _radius(made, eta) - 1.0

    rows: dict[str, list[float]] = {key: [] for key in ("computed", "best_step", "best_radius", "calls", "cost")}
    numbers: dict[str, float] = {}
    steps = np.linspace(0.0, _LARGEST, _GRID + 1)[1:]
    for name, case in cases.items():
        made = _system(game, case)
        radii = np.array([_radius(made, eta) for eta in steps])
        # High orders are neutral to rounding at small steps; alternating steps are so at all of them.
        bounded = radii < 1.0 + 1e-12
        last = len(steps) if bounded.all() else int(np.argmin(bounded))
        row: dict[str, float] = {"computed": NEVER, "best_step": math.nan, "best_radius": math.nan, "cost": math.inf}
        if last and radii[:last].min() < 1.0 - 1e-6:
            row["computed"] = ALWAYS
            if last < len(steps):
                # Not the steps next to it, for the limit itself may be on the grid.
                around = steps[max(last - 2, 0)], steps[min(last + 1, len(steps) - 1)]
                found = brentq(passes(made), *around, xtol=1e-14)
                row["computed"] = float(found)
            k = int(np.argmin(radii[:last]))
            low, high = steps[max(k - 1, 0)], steps[min(k + 1, len(steps) - 1)]
            if k + 1 < len(steps):
                best = minimize_scalar(radius(made), bounds=(low, high), method="bounded", options={"xatol": 1e-9})
                row["best_step"], row["best_radius"] = float(best.x), float(best.fun)
            else:
                row["best_step"], row["best_radius"] = float(steps[k]), float(radii[k])
            at = made.with_parameters(eta_d=row["best_step"], eta_g=row["best_step"])
            row["cost"] = training_cost(at).total
        row["calls"] = _calls(made)
        for key, values in rows.items():
            values.append(row[key])
            numbers[f"{key}_{_word(name)}"] = row[key]
    columns = {"rule": np.array(list(cases))}
    if with_limits:
        columns["limit"] = np.array([case.limit for case in cases.values()])
    columns.update({key: np.array(values) for key, values in rows.items()})
    return Table(columns, numbers={key: value for key, value in numbers.items() if math.isfinite(value)})


def _word(name: str) -> str:
    """A name of a rule as part of a name in an expression: a minus is an m."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower().replace(" -", " m"))

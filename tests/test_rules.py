"""Update rules: every one on small games, and the bilinear game's table of limits found by continuation."""

import importlib.util
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb
from gan_bifurcation.compatibility import compatibility, compatibility_page, standard_rules
from gan_bifurcation.models import bilinear_theory as theory
from gan_bifurcation.rules import RULES, ButcherTable, Rule, rule_from_table, rule_to_table

ALT = "alternating"
MANY: list[Rule] = [
    *(kind() for kind in RULES.values()),
    gb.Alternating(3, "generator"),
    gb.Extragradient(ALT),
    gb.Extragradient(ALT, ALT, "generator"),
    gb.Optimistic(ALT),
    gb.Momentum(ALT, 2, "generator"),
    gb.Adam(ALT, 2, bias_correction=True),
    gb.Consensus(ALT, 3),
    gb.Consensus("flow"),
    gb.SymplecticAdjustment(alignment=True, order=ALT),
    gb.ModifiedFlow(ALT, 2),
    gb.Unrolled(3, backpropagation=False),
    gb.Unrolled(2, True, ALT, 2, "generator"),
    gb.RungeKutta(2),
    gb.RungeKutta(3),
]
GAMES = {
    "bilinear": gb.models.bilinear(),
    "r1": gb.models.dirac_gan(gamma=0.3),
    "noise": gb.models.dirac_gan(variant="non_saturating", sigma=0.7, quadrature_order=5),
    "lq": gb.models.lq_gan(quadrature_order=6),
    "clipped": gb.models.dirac_gan(variant="wgan", clip=1.0),
}


def tied(rule: Rule, game: gb.Game | None = None, **parameters: float) -> gb.System:
    return gb.tie(gb.system(game or GAMES["bilinear"], rule, **parameters), eta_g="eta_d")


def spectrum(rule: Rule, eta: float, **parameters: float) -> np.ndarray:
    made = tied(rule, eta_d=eta, **parameters)
    return np.linalg.eigvals(made.jacobian(np.zeros(made.n))[:, : made.n])


def distance(found: np.ndarray, expected: list[complex]) -> float:
    """Largest distance of two spectra of equal size, each expected value paired with the nearest that is left."""
    left, largest = list(found), 0.0
    for value in expected:
        nearest = int(np.argmin(np.abs(np.array(left) - value)))
        largest = max(largest, abs(left.pop(nearest) - value))
    return math.inf if left else largest


@pytest.mark.parametrize("name", GAMES)
def test_every_rule_on_every_small_game(name: str) -> None:
    # Derivatives against differences, equilibria, memory at rest, symmetries, direction: what `check_rule` holds.
    for rule in MANY:
        if name == "clipped" and isinstance(rule, gb.Implicit):
            with pytest.raises(gb.MisuseError, match="has no derivative where psi is at a bound"):
                gb.check_rule(rule, GAMES[name])
        else:
            gb.check_rule(rule, GAMES[name])


def test_tables_of_rules_read_back_and_have_names() -> None:
    for rule in MANY:
        assert rule_from_table(rule_to_table(rule)) == rule
    with pytest.raises(gb.UnknownNameError, match="optimistic"):
        rule_from_table("optimstic")


def test_spectra_on_the_bilinear_game() -> None:
    # Characteristic polynomials of the table of rules, A = eta; the sheet's figures, not this package's.
    a = 0.3
    both = (1j * a, -1j * a)
    quadratics = {
        gb.Simultaneous(): [[1, -(1 + z)] for z in both],
        gb.Extragradient(): [[1, -(1 + z + z * z)] for z in both],
        gb.Optimistic(): [[1, -(1 + 2 * z), z] for z in both],
        gb.Implicit(): [[1, -1 / (1 - z)] for z in both],
        gb.CompetitiveGradientDescent(): [[1, -1 / (1 - z)] for z in both],
        gb.AdamsBashforth2(): [[1, -(1 + 1.5 * z), z / 2] for z in both],
        gb.RungeKutta(3): [[1, -(1 + z + z**2 / 2 + z**3 / 6)] for z in both],
        gb.RungeKutta(4): [[1, -(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)] for z in both],
        gb.Alternating(): [[1, -(2 - a * a), 1]],
        gb.Alternating(5, "generator"): [[1, -(2 - 5 * a * a), 1]],
    }
    for rule, polynomials in quadratics.items():
        assert distance(spectrum(rule, a), [root for p in polynomials for root in np.roots(p)]) < 1e-10
    for beta in (-0.5, 0.3):
        two = [root for z in both for root in np.roots([1, -(1 + beta + z), beta])]
        assert distance(spectrum(gb.Momentum(), a, beta=beta), two) < 1e-10
        # (mu - 1)^2 (mu - beta)^2 + A^2 mu^3
        four = np.polymul(np.poly([1, 1]), np.poly([beta, beta])) + np.array([0, a * a, 0, 0, 0])
        assert distance(spectrum(gb.Momentum(ALT), a, beta=beta), list(np.roots(four))) < 1e-10
    for rule, extra in ((gb.Consensus(), "consensus"), (gb.SymplecticAdjustment(), "adjustment")):
        assert distance(spectrum(rule, a, **{extra: 0.7}), [1 - a * 0.7 + z for z in both]) < 1e-10
    for k, through in ((1, True), (3, True), (2, False)):
        damping = (2 if through else 1) * k * 0.4 * a
        expected = list(np.roots([1, damping - 2, 1 - damping + a * a]))
        assert distance(spectrum(gb.Unrolled(k, through), a, eta_u=0.4), expected) < 1e-10


def test_growth_of_the_modified_flow() -> None:
    # Simultaneous steps grow by sqrt(1 + A^2) = exp(A^2/2 + ...), alternating ones not at all.
    assert distance(spectrum(gb.ModifiedFlow(), 0.2), [0.02 + 0.2j, 0.02 - 0.2j]) < 1e-10
    assert np.abs(spectrum(gb.ModifiedFlow(ALT), 0.2).real).max() < 1e-15
    assert np.abs(spectrum(gb.ModifiedFlow(ALT, 3, "generator"), 0.2).real).max() < 1e-15


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_the_modified_flow_follows_steps_to_third_order(order: str) -> None:
    # One step and the flow for one unit of time differ by O(eta^3): the slope over eta = 0.1, 0.05 is 3.
    steps = 2 if order == "alternating" else 1
    rule = gb.Alternating(2) if order == "alternating" else gb.Simultaneous()
    start = {"psi": 0.7, "theta": -0.4}
    errors = []
    for eta in (0.1, 0.05):
        one = tied(rule, GAMES["r1"], eta_d=eta)
        flow = tied(gb.ModifiedFlow(order, steps), GAMES["r1"], eta_d=eta)  # type: ignore[arg-type]
        end = gb.simulate(flow, start, duration=1.0).states[-1]
        errors.append(np.linalg.norm(end - one.rhs(one.state_vector(start))))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(3.0, abs=0.15)


@pytest.mark.parametrize("name", theory.CASES)
def test_limits_on_the_bilinear_game_are_found_by_continuation(name: str) -> None:
    # Closed forms of `bilinear_theory` (Zhang and Yu 2020; Gidel et al. 2019; stability functions of Runge and Kutta).
    case = theory.CASES[name]
    made = tied(rule_from_table(case.table), eta_d=0.1, **case.parameters)
    branch = gb.trace(gb.point(made), {"eta_d": (0.1, 3.5)})
    events = [p for p in branch.special_points if p.label in ("NS", "PD", "BP")]
    if case.limit == theory.ALWAYS:
        assert not events
        assert branch.stable.all()
    elif case.limit == theory.NEVER:
        assert not any(0.1 < p.parameters["eta_d"] < 2.0 - 1e-9 for p in events)
        assert (np.abs(branch.spectrum).max(axis=1) > 1 - 1e-9).all()
    else:
        assert events[0].parameters["eta_d"] == pytest.approx(case.limit, abs=1e-8)
        assert branch.stable[0]
        assert not branch.stable[-1]


def test_alternating_steps_are_neutral_below_two() -> None:
    # |mu| = 1 for A < 2; at A = 2 both multipliers meet at -1.
    branch = gb.trace(gb.point(tied(gb.Alternating(), eta_d=0.1)), {"eta_d": (0.1, 3.0)})
    below = branch.parameters[:, 0] < 1.99
    assert np.abs(np.abs(branch.spectrum[below]) - 1).max() < 1e-12
    assert [p.parameters["eta_d"] for p in branch.special_points if p.label == "PD"] == [pytest.approx(2.0, abs=1e-8)]


def test_best_steps_and_costs_on_the_bilinear_game() -> None:
    # Extragradient: rho^2 = 1 - A^2 + A^4 is least at A^2 = 1/2; optimistic: double multiplier (1 + i)/2 at A = 1/2;
    # consensus with gamma = 1/2: rho^2 = (1 - A/2)^2 + A^2 is least at A = 2/5.
    table = theory.bilinear_thresholds(rules=("extragradient", "optimistic", "consensus 0.5", "Runge-Kutta 4"))
    row = {r["rule"]: r for r in table.rows}
    assert row["extragradient"]["best_step"] == pytest.approx(0.5**0.5, abs=1e-6)
    assert row["extragradient"]["best_radius"] == pytest.approx(0.75**0.5, abs=1e-9)
    assert row["optimistic"]["best_step"] == pytest.approx(0.5, abs=1e-6)
    assert row["optimistic"]["best_radius"] == pytest.approx(0.5**0.5, abs=1e-4)
    assert row["consensus 0.5"]["best_step"] == pytest.approx(0.4, abs=1e-6)
    assert row["Runge-Kutta 4"]["computed"] == pytest.approx(8**0.5, abs=1e-9)
    # A cost is calls per step over minus the logarithm of the radius.
    assert row["extragradient"]["cost"] == pytest.approx(-4 / np.log(0.75**0.5), rel=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.85, -0.1))
def test_small_steps_of_negative_momentum(beta: float) -> None:
    # 1 - |mu|^2 = -2 beta A^2/(1 - beta)^3 + O(A^4).
    a = 1e-2
    radius = np.abs(spectrum(gb.Momentum(ALT), a, beta=beta))
    slow = radius[np.argsort(radius)[2:]].max()
    assert 1 - slow**2 == pytest.approx(-2 * beta * a**2 / (1 - beta) ** 3, rel=2e-2)


def test_exact_consensus_runs_away_with_five_discriminator_steps() -> None:
    # The authors' code has a factor 1/2 too much in one term, with which this run converges; the exact one does not.
    rule = gb.Consensus(ALT, 5, "generator")
    made = tied(rule, gb.models.dirac_gan(), eta_d=0.2, consensus=1.0)
    final = gb.simulate(made, {"theta": 1.0, "psi": 1.0}, steps=500).final_state
    assert final["theta"] == pytest.approx(0.44, abs=0.005)
    assert final["psi"] == pytest.approx(10.96, abs=0.005)


def test_consensus_field_of_the_dirac_gan() -> None:
    # v1 = -psi f' - gamma (theta f'^2 + psi (theta^2 + psi^2) f' f''), and v2 alike; by hand, with f' = sigmoid(-t).
    made = gb.system(gb.models.dirac_gan(), gb.Consensus("flow"), consensus=0.8)
    theta, psi = 0.6, -1.1
    slope = 1 / (1 + np.exp(theta * psi))
    curvature = -slope * (1 - slope)
    square = theta**2 + psi**2
    expected = [
        theta * slope - 0.8 * (psi * slope**2 + theta * square * slope * curvature),
        -psi * slope - 0.8 * (theta * slope**2 + psi * square * slope * curvature),
    ]
    assert made.rhs([psi, theta]) == pytest.approx(expected, abs=1e-14)


def test_alignment_turns_the_sign_of_the_adjustment() -> None:
    # Near the equilibrium of the bilinear game <v, J^T v> = 0, so the sign is that of 0.1; with v' = J z for
    # J = [[-3, 1], [-1, 0.5]] the product of the two inner products at z = (1, 2) is computed here by hand.
    psi, theta = gb.symbol("psi"), gb.symbol("theta")
    game = gb.Game.from_field("linear", discriminator={"psi": -3 * psi + theta}, generator={"theta": -psi + theta / 2})
    j = np.array([[-3.0, 1.0], [-1.0, 0.5]])
    for z in (np.array([1.0, 2.0]), np.array([0.3, -4.0])):
        xi, h = -j @ z, -j
        turned, uphill = (h.T - h) @ xi / 2, h.T @ xi
        sign = np.sign((xi @ uphill) * (turned @ uphill) / 2 + 0.1)
        made = gb.system(game, gb.SymplecticAdjustment(alignment=True, order="flow"), adjustment=0.7)
        assert made.rhs(z) == pytest.approx(-(xi + sign * 0.7 * turned), abs=1e-13)


def test_a_parameter_that_the_game_has_already() -> None:
    game = gb.Game.from_strings(
        "taken",
        discriminator={"states": ["psi"], "loss": "-theta*psi + beta/2*psi**2"},
        generator={"states": ["theta"], "loss": "theta*psi"},
        parameters={"beta": 0.3},
    )
    made = gb.system(game, gb.Momentum(), beta_rule=-0.2)
    assert dict(made.parameters) == {"eta_d": 0.1, "eta_g": 0.1, "beta": 0.3, "beta_rule": -0.2}


def test_memory_starts_as_training_does_if_it_is_left_out() -> None:
    # The first optimistic step is a plain one, and the first step of Adam with bias correction is eta long.
    start = {"psi": 1.0, "theta": 0.5}
    made = tied(gb.Optimistic(), eta_d=0.1)
    assert made.rhs(made.state_vector(start))[:2] == pytest.approx([1.05, 0.4], abs=1e-15)
    adam = tied(gb.Adam(bias_correction=True), eta_d=0.1)
    assert adam.rhs(adam.state_vector(start))[:2] == pytest.approx([1.1, 0.4], abs=1e-12)
    with pytest.raises(gb.MisuseError, match="lacks a value for theta"):
        made.state_vector({"psi": 1.0})


def test_adam_against_a_plain_loop() -> None:
    # Kingma and Ba 2015, algorithm 1, with sqrt(v + epsilon^2), in plain NumPy.
    game = gb.models.dirac_gan(gamma=0.3)
    made = gb.system(game, gb.Adam(bias_correction=True), eta_d=0.05, eta_g=0.05)
    field = gb.system(game, gb.Simultaneous(), eta_d=1.0, eta_g=1.0)
    z, m, v = np.array([1.0, 0.5]), np.zeros(2), np.zeros(2)
    for t in range(1, 51):
        g = field.rhs(z) - z
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        z = z + 0.05 * (m / (1 - 0.9**t)) / np.sqrt(v / (1 - 0.999**t) + 1e-16)
    final = gb.simulate(made, {"psi": 1.0, "theta": 0.5}, steps=50).final_state
    assert (final["psi"], final["theta"]) == pytest.approx(tuple(z), abs=1e-10)


def test_backpropagation_is_the_derivative_of_the_unrolled_loss() -> None:
    # Central differences of the generator's loss after three steps of the discriminator, in plain floats.
    game = gb.models.dirac_gan(gamma=0.4)
    made = gb.system(game, gb.Unrolled(3), eta_g=1.0, eta_u=0.3)

    def loss(theta: float) -> float:
        psi = 0.8
        for _ in range(3):
            psi += 0.3 * (theta / (1 + np.exp(theta * psi)) - 0.4 * psi)
        return float(-np.log1p(np.exp(-theta * psi)))

    slope = (loss(0.5 + 1e-5) - loss(0.5 - 1e-5)) / 2e-5
    assert made.rhs([0.8, 0.5])[1] - 0.5 == pytest.approx(-slope, abs=1e-9)


def test_butcher_tables_check_themselves() -> None:
    with pytest.raises(gb.MisuseError, match="condition of order 3"):
        ButcherTable(3, ((), (Fraction(1),)), (Fraction(1, 2), Fraction(1, 2)))


def test_bad_rules_are_refused_in_one_sentence() -> None:
    for make, words in (
        (lambda: gb.Momentum("simultaneous", 2), "need the order 'alternating'"),
        (lambda: gb.Unrolled(0), "whole number k"),
        (lambda: gb.RungeKutta(5), "order of a Runge-Kutta method"),
        (lambda: gb.Optimistic("both"), "order of the players"),  # type: ignore[arg-type]
        (lambda: gb.system(gb.models.second_moment_gan(), gb.Unrolled()), "without losses"),
    ):
        with pytest.raises(gb.MisuseError, match=words):
            make()


def test_check_rule_finds_a_wrong_one() -> None:
    class Ascent:
        def assemble(self, game: gb.Game) -> gb.Update:
            good = gb.Simultaneous().assemble(game)
            wrong = tuple(2 * gb.symbol(s) - e for s, e in zip(good.states, good.rhs, strict=True))
            return replace(good, rhs=wrong)

    with pytest.raises(gb.MisuseError, match="do not move along their direction"):
        gb.check_rule(Ascent(), GAMES["r1"])


def test_the_page_of_rules_and_games_is_current() -> None:
    here = Path(__file__).parents[1] / "docs"
    spec = importlib.util.spec_from_file_location("make_rules", here / "make_rules.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (here / "rules.md").read_text(encoding="utf-8").splitlines()
    head = next(line for line in page if line.startswith("| | "))
    columns = [cell.strip() for cell in head.strip("|").split("|")][1:]
    assert columns == list(script.games())
    cells = {
        line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in page if line[:2] == "| "
    }
    assert [name for name in cells if name] == list(standard_rules())
    # The small ones again; the whole table takes minutes.
    small = ("bilinear", "second_moment_gan", "dirac_gan, clipped")
    trials = compatibility({name: script.games()[name] for name in small})
    for trial in trials:
        cell = cells[trial.rule][columns.index(trial.game)]
        assert cell == ("+" if trial.smooth else "~") if trial.works else trial.reason in "\n".join(page)
    assert "without losses" in compatibility_page(trials)

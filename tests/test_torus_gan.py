"""Torus GAN against the values of the model sheet `torus_gan.md` (sections A3 to A8), which were computed elsewhere."""

import math
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.models import table
from gan_bifurcation.models.torus_fourier import FourierSeries, fourier_coefficients
from gan_bifurcation.models.torus_order_one import critical_points
from gan_bifurcation.models.torus_theory import (
    closed_orbit,
    closed_orbit_period,
    contraction_per_turn,
    eigenvalues,
    eigenvalues_of,
    equilibrium,
    focus_kappa,
    largest_step,
    mean_objective,
)
from gan_bifurcation.regimes.verdicts import classify

MATRIX = [[0.2, -0.3], [0.5, 0.1]]
RULES = [gb.Simultaneous(), gb.Alternating(), gb.Alternating(first="generator"), gb.Alternating(discriminator_steps=3)]


def flow_of(**settings: Any) -> Any:
    return gb.system(gb.models.torus_gan(**settings), gb.Flow())


def value_at(game: Any, theta: float, omega: float) -> float:
    # The value through the tape, as a right-hand side.
    held = gb.System("flow", "value", game.states, game.parameters, (), (game.generator.loss,) * 2)
    return float(held.rhs([omega, theta])[0])


def ended(system: Any, theta: float, omega: float, **length: Any) -> tuple[float, float]:
    end = gb.simulate(system, {"theta": theta, "omega": omega}, samples=2, tolerance=1e-12, **length).final_state
    return end["theta"], end["omega"]


def turned(pair: tuple[complex, complex]) -> list[complex]:
    return sorted(pair, key=lambda z: z.imag)


# -- games and rules --------------------------------------------------------------------------------------------------

GAMES = {
    "gan": lambda: gb.models.torus_gan(),
    "of order 2": lambda: gb.models.torus_gan(order=2),
    "wgan": lambda: gb.models.torus_gan(objective="wgan"),
    "wave": lambda: gb.models.torus_gan(objective="wgan", discriminator="wave", kappa=0.7, mu0=2.0, sc=1.5, sa=1.0),
    "mode": lambda: gb.models.torus_order_one(matrix=MATRIX),
    "three modes": lambda: gb.models.torus_order_one(matrix=MATRIX, generator=[0.1, 0.2], discriminator=[0.3, -0.1]),
}


@pytest.mark.parametrize("name", GAMES)
def test_games_are_consistent_under_every_rule(name: str) -> None:
    game = GAMES[name]()
    gb.check_game(game)
    for rule in RULES:
        gb.check_rule(rule, game)


# -- A5: the value and its derivatives --------------------------------------------------------------------------------


def test_the_closed_form_of_the_mean_objective() -> None:
    # A5: J(1/2) = -1/2 and J(1) = 1 - 2 ln 2 exactly; J(3) and J(-2) as printed.
    assert mean_objective(0.5) == pytest.approx(-0.5, abs=1e-15)
    assert mean_objective(1.0) == pytest.approx(1 - 2 * math.log(2), abs=1e-15)
    assert mean_objective(3.0) == pytest.approx(-0.20009372535410863, abs=1e-15)
    assert mean_objective(-2.0) == pytest.approx(-2.263943507354842, abs=1e-14)
    assert mean_objective(0.0) == -math.log(2)


def test_the_value_at_the_test_point() -> None:
    # A5, at (theta, omega) = (0.7, 1.1): all digits printed, to rounding.
    expected = {0.25: -1.3517944081220687, 0.5: -1.39309419855727, 0.1: -1.3614986796083306, 1.0: -1.606407145366104}
    for kappa, value in expected.items():
        assert value_at(gb.models.torus_gan(kappa=kappa), 0.7, 1.1) == pytest.approx(value, abs=2e-14)


def test_derivatives_at_the_test_point() -> None:
    flow = flow_of()
    # A5: F_theta, F_omega and the second derivatives at (0.7, 1.1); theta' = -F_theta, omega' = F_omega.
    omega, theta = flow.rhs([1.1, 0.7])
    assert theta == pytest.approx(-0.041925807544816014, abs=1e-15)
    assert omega == pytest.approx(-0.004306726431274233, abs=1e-15)
    expected = [[-0.011146915174211389, 0.012260548932055472], [-0.012260548932055472, 0.04121712603298902]]
    assert flow.jacobian([1.1, 0.7])[:, :2] == pytest.approx(np.array(expected), abs=1e-15)


@pytest.mark.parametrize("t", [1e-3, 0.03, 0.5, 1.0, 2.0, 4.0])
def test_the_quadrature_against_the_closed_form(t: float) -> None:
    # With omega = pi/2 the value is J(-kappa mu0) + J(kappa s): two values of the digamma form, up to t = 4.
    game = gb.models.torus_gan(kappa=t, mu0=1.0, sc=0.75, sa=0.25)
    exact = mean_objective(-t) + mean_objective(t)
    assert value_at(game, math.pi / 2, math.pi / 2) == pytest.approx(exact, abs=1e-13)


def test_the_odd_part_of_the_gan_is_the_wgan() -> None:
    # A5: F(omega) - F(-omega) is kappa sin(omega) (s - mu0), the value of "wgan".
    game, wgan = gb.models.torus_gan(kappa=0.6), gb.models.torus_gan(kappa=0.6, objective="wgan")
    for theta, omega in ((0.7, 1.1), (-2.0, 0.4), (1.3, -2.5)):
        odd = value_at(game, theta, omega) - value_at(game, theta, -omega)
        assert odd == pytest.approx(value_at(wgan, theta, omega), abs=1e-14)


# -- A6: equilibria ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kappa", "expected"),
    [
        # A6, as printed.
        (0.25, [-0.03125 - 0.0826797284707685j, -0.03125 + 0.0826797284707685j]),
        (0.5, [-0.125 - 0.125j, -0.125 + 0.125j]),
        (0.1, [-0.005 - 0.035j, -0.005 + 0.035j]),
        (1.0, [-0.8535533905932737, -0.1464466094067262]),
    ],
)
def test_eigenvalues_at_the_correct_equilibria(kappa: float, expected: list[complex]) -> None:
    game = gb.models.torus_gan(kappa=kappa)
    flow = gb.system(game, gb.Flow())
    for place in ((-0.3398369094541219, 0.0), (-2.8017557441356713, math.pi)):
        assert flow.rhs(place[::-1]) == pytest.approx([0.0, 0.0], abs=1e-15)
        found = np.linalg.eigvals(flow.jacobian(place[::-1])[:, :2])
        assert np.sort_complex(found) == pytest.approx(np.array(expected), abs=1e-12)
    assert np.sort_complex(np.array(eigenvalues(kappa=kappa))) == pytest.approx(np.array(expected), abs=1e-12)
    assert gb.point(flow).state == pytest.approx({"theta": -0.3398369094541219, "omega": 0.0}, abs=1e-13)


def test_borders_and_contraction() -> None:
    # A6: kappa_c = 1/sqrt(2); contraction per turn for three kappas.
    assert focus_kappa() == pytest.approx(1 / math.sqrt(2), abs=1e-15)
    for kappa, turn in ((0.25, 0.0930311567), (0.1, 0.4075474542), (0.05, 0.6405659496)):
        assert contraction_per_turn(eigenvalues(kappa=kappa)) == pytest.approx(turn, abs=5e-11)
    assert math.isnan(contraction_per_turn(eigenvalues(kappa=1.0)))
    # A2: a spiral if and only if |r| > |p + q|/2.
    assert eigenvalues_of(1.0, 0.6, -2.0)[0].imag > 0 > eigenvalues_of(1.0, 0.6, -2.0)[0].real
    assert eigenvalues_of(1.0, 0.4, -2.0)[0].imag == 0


def test_the_node_spiral_border_is_found_on_a_branch() -> None:
    branch = gb.trace(gb.point(flow_of()), {"kappa": (0.05, 1.2)}, events=[gb.Event.focus()])
    # A6: 1/sqrt(2).
    assert branch["focus"].parameters["kappa"] == pytest.approx(1 / math.sqrt(2), abs=1e-10)


def test_starts_in_the_cell_converge_to_its_equilibrium() -> None:
    # A6: all of 25 starts with |theta|, |omega| < pi/2 come to (theta*, 0).
    flow = flow_of()
    for theta in np.linspace(-1.4, 1.4, 5):
        for omega in np.linspace(-1.4, 1.4, 5):
            assert ended(flow, theta, omega, duration=1500.0) == pytest.approx((-0.3398369094541219, 0.0), abs=1e-9)


# -- discrete steps (A7) ----------------------------------------------------------------------------------------------

STEPS = [
    # A7, kappa = 1/4, g = 1, from (0.5, 0.5): after 1, 10 and 100 steps.
    (gb.Simultaneous(), [(0.46790877786, 0.52098811569), (0.12206349328, 0.58691398594),
                         (-0.35282786009, 0.04629360517)]),
    (gb.Alternating(), [(0.46695508430, 0.52098811569), (0.11788239870, 0.58580121071),
                        (-0.34550954108, 0.03578892605)]),
    (gb.Alternating(first="generator"), [(0.46790877786, 0.51948976229), (0.12516656671, 0.57345720876),
                                         (-0.34460732342, 0.03316093075)]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "places"), STEPS)
def test_orbits_of_discrete_steps(rule: Any, places: list[tuple[float, float]]) -> None:
    steps = gb.system(gb.models.torus_gan(), rule, eta_d=1.0, eta_g=1.0)
    for count, place in zip((1, 10, 100), places, strict=True):
        assert ended(steps, 0.5, 0.5, steps=count) == pytest.approx(place, abs=6e-12)


def test_spectral_radii() -> None:
    # A7: simultaneous and alternating, at three learning rates.
    expected = {
        1.0: (0.9722718241, 0.9682458366),
        5.0: (0.9395810236, 0.8291561976),
        10.0: (1.0752906584, 0.6123724357),
    }
    for rate, radii in expected.items():
        for rule, radius in zip((gb.Simultaneous(), gb.Alternating()), radii, strict=True):
            found = gb.point(gb.system(gb.models.torus_gan(), rule, eta_d=rate, eta_g=rate))
            assert np.abs(found.multipliers).max() == pytest.approx(radius, abs=6e-11)


def test_step_limits_are_found_by_continuation() -> None:
    made = [gb.tie(gb.system(gb.models.torus_gan(), r, eta_d=1.0, eta_g=1.0), eta_g="eta_d") for r in RULES[:2]]
    simultaneous, alternating = (gb.trace(gb.point(s), {"eta_d": (0.5, 20.0)}) for s in made)
    # A7: 8 exactly; beyond it an attracting circle.
    assert simultaneous["NS1"].parameters["eta_d"] == pytest.approx(8.0, abs=1e-9)
    assert simultaneous["NS1"].criticality == "supercritical"
    # 1 + trace + determinant = 4 + 2 g q - (g r)^2 with q = -1/16 and r = sqrt(1/8)/4 vanishes at 16 (by hand).
    assert alternating["PD1"].parameters["eta_d"] == pytest.approx(16.0, abs=1e-9)
    assert (largest_step("simultaneous"), largest_step("alternating")) == pytest.approx((8.0, 16.0), abs=1e-12)
    strong = gb.trace(gb.point(made[0].with_parameters(kappa=1.0)), {"eta_d": (0.5, 20.0)})
    # A6: at kappa = 1 the faster eigenvalue is -0.8535533906, and a flip comes at 2 over it.
    assert strong["PD1"].parameters["eta_d"] == pytest.approx(2 / 0.8535533906, abs=1e-8)
    assert largest_step("simultaneous", kappa=1.0) == pytest.approx(2 / 0.8535533906, abs=1e-8)


# -- A8: variants -----------------------------------------------------------------------------------------------------


def test_the_wasserstein_gan_goes_round() -> None:
    # A8: F(0.7, 1.1) = 0.25 sin 1.1 (0.25 + 0.75 sin 0.7), in 30 digits by mpmath 0.16335012456908709 (the sheet's
    # ...89671 is wrong from the 12th digit on); eigenvalues +-i kappa sa cos(theta*) = +-i sqrt(1/32).
    assert value_at(gb.models.torus_gan(objective="wgan"), 0.7, 1.1) == pytest.approx(0.16335012456908709, abs=1e-16)
    assert eigenvalues(objective="wgan")[0] == pytest.approx(1j / math.sqrt(32), abs=1e-15)
    omega = math.asin(0.8)
    period = closed_orbit_period(omega=omega)
    # A8: the period and two places of the orbit with sc = mu0.
    assert period == pytest.approx(42.56645925684756, abs=1e-12)
    theta, at = closed_orbit([period / 7, period / 4, period], omega=omega)
    assert (theta[0], at[0]) == pytest.approx((-0.74952661111, 0.609980321538), abs=6e-12)
    assert (theta[1], at[1]) == pytest.approx((-0.927295218002, 0.0), abs=6e-12)
    assert (theta[2], at[2]) == pytest.approx((0.0, omega), abs=1e-12)
    flow = flow_of(objective="wgan", sc=1.0)
    assert ended(flow, 0.0, omega, duration=period / 7) == pytest.approx((theta[0], at[0]), abs=1e-10)
    assert ended(flow, 0.0, -omega, duration=period / 7) == pytest.approx((-theta[0], -at[0]), abs=1e-10)
    other, below = closed_orbit([period / 7], omega=-omega)
    assert (other[0], below[0]) == pytest.approx((-theta[0], -at[0]), abs=1e-12)


def test_the_wasserstein_gan_never_converges() -> None:
    game = gb.models.torus_gan(objective="wgan", sc=1.0)
    assert classify(gb.system(game, gb.Flow()), {"theta": 0.0, "omega": 0.9}).kind == "oscillates"
    for rate in (0.05, 1.0):
        # A1: multipliers 1 +- i g w of a centre, with w = kappa sa = 3/16 here.
        found = gb.point(gb.system(game, gb.Simultaneous(), eta_d=rate, eta_g=rate))
        assert np.abs(found.multipliers) == pytest.approx([math.hypot(1, rate * 3 / 16)] * 2, abs=1e-14)
        # A1: alternating steps keep modulus 1 for g r < 2.
        found = gb.point(gb.system(game, gb.Alternating(), eta_d=rate, eta_g=rate))
        assert np.abs(found.multipliers) == pytest.approx([1.0, 1.0], abs=1e-14)


def test_both_kinds_of_steps_leave_the_centre_of_the_wasserstein_gan() -> None:
    # A8 says that alternating steps stay bounded: they do not leave the cell, but neither do simultaneous ones, and
    # both go out to its corners. Alternating steps are neutral to first order only: they multiply areas by
    # (1 - g p+)(1 + g q) = 1 + (g kappa sa sin theta)^2 cos(2 omega) + O(g^3), more than 1 near the centre.
    game = gb.models.torus_gan(objective="wgan", sc=1.0)
    reached = []
    for rule in RULES[:3]:
        steps = gb.system(game, rule, eta_d=1.0, eta_g=1.0)
        sizes = np.abs(gb.simulate(steps, {"theta": 0.0, "omega": 0.7}, steps=4000)["omega"])
        assert math.pi / 2 - 1e-6 < sizes[3000:].max() <= math.pi / 2 + 1e-12
        reached.append(int(np.argmax(sizes > 1.4)))
    assert 0 < reached[0] < min(reached[1:])
    theta, omega = 0.1, 0.05
    first = gb.system(game, gb.Alternating(), eta_d=1.0, eta_g=1.0)
    area = np.linalg.det(first.jacobian([omega, theta])[:, :2])
    assert area - 1 == pytest.approx((3 / 16 * math.sin(theta)) ** 2 * math.cos(2 * omega), rel=0.05)


def test_the_wave_discriminator() -> None:
    # A8, V4 at kappa = 1: value, equilibrium, eigenvalues and the flow from (0.5, 0.5).
    settings: dict[str, Any] = {"objective": "wgan", "discriminator": "wave"}
    flow = flow_of(**settings, kappa=1.0)
    game = gb.models.torus_gan(**settings, kappa=1.0)
    assert value_at(game, 0.7, 1.1) == pytest.approx(-0.2534646076527651, abs=1e-15)
    assert equilibrium(discriminator="wave")[1] == pytest.approx(-math.pi, abs=1e-15)
    expected = [-0.125 - 0.330718913883j, -0.125 + 0.330718913883j]
    assert turned(eigenvalues(**settings, kappa=1.0)) == pytest.approx(expected, abs=6e-13)
    assert turned(tuple(gb.point(flow).eigenvalues)) == pytest.approx(expected, abs=6e-13)
    for time, place in ((1, (0.6316984665, 0.3096455988)), (10, (0.3209686242, -1.4627654235)),
                        (40, (-0.4977569357, -2.8750907675))):  # fmt: skip
        assert ended(flow, 0.5, 0.5, duration=float(time)) == pytest.approx(place, abs=2e-10)
    # A8, the second example; half a turn of omega further lies the mirror image, which repels.
    other: dict[str, Any] = {"kappa": 0.7, "mu0": 2.0, "sc": 1.5, "sa": 1.0}
    place = equilibrium(mu0=2.0, sc=1.5, sa=1.0, discriminator="wave")
    assert place == pytest.approx((math.asin(0.5), -math.pi / 2 - 2 * math.atan(2)), abs=1e-15)
    expected = [-0.021 - 0.119411054765j, -0.021 + 0.119411054765j]
    assert turned(eigenvalues(**settings, **other)) == pytest.approx(expected, abs=6e-13)
    jacobian = flow_of(**settings, **other).jacobian([place[1] + math.pi, place[0]])[:, :2]
    assert np.sort_complex(np.linalg.eigvals(jacobian)) == pytest.approx(-np.array(expected[::-1]), abs=6e-13)


# -- cells, bad input ----------------------------------------------------------------------------


def test_leaving_the_cell_is_leaving_the_domain() -> None:
    steps = gb.system(gb.models.torus_gan(cell=True), gb.Simultaneous(), eta_d=12.0, eta_g=12.0)
    verdict = classify(steps, {"theta": 0.5, "omega": 0.5})
    # Beyond the limit 8 the circle grows until a step crosses a line that the flow does not cross (seen by runs).
    assert str(verdict) == "diverges (left the domain)"
    assert "no orbit of the flow" in verdict.reason
    calm = gb.system(gb.models.torus_gan(cell=True), gb.Simultaneous(), eta_d=8.5, eta_g=8.5)
    assert classify(calm, {"theta": 0.5, "omega": 0.5}).kind == "oscillates"


def test_the_contraction_tends_to_one() -> None:
    found = table("torus_contraction")(kappas=[1e-4, 0.1, 1.0])
    # A6: 0.4075474542 at 0.1, a node at 1; perturbed closed orbits as kappa goes to 0.
    assert found.columns["contraction"] == pytest.approx([1.0, 0.4075474542, 0.0], abs=1e-3)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: gb.models.torus_gan(objective="gun"), "Did you mean 'gan'"),
        (lambda: gb.models.torus_gan(discriminator="waves"), "Did you mean 'wave'"),
        (lambda: gb.models.torus_gan(discriminator="wave"), "with objective='wgan' only"),
        (lambda: gb.models.torus_gan(sa=1.5), "0 < sa < sc"),
        (lambda: gb.models.torus_gan(kappa=-1.0), "kappa > 0"),
        (lambda: gb.models.torus_gan(mu0=math.nan), "finite number"),
        (lambda: gb.models.torus_gan(order=0), "whole number from 1"),
        (lambda: gb.models.torus_gan(order=1.5), "whole number from 1"),
        (lambda: gb.models.torus_gan(quadrature_order=2), "from 4 to 200"),
        (lambda: gb.models.torus_gan(objective="wgan", discriminator="wave", cell=True), "'slope' only"),
        (lambda: gb.models.torus_order_one(matrix=[[1.0, 2.0]]), "two rows of two"),
        (lambda: gb.models.torus_order_one(generator=[1.0]), "two numbers"),
        (lambda: critical_points([[1.0, 0.0], [0.0, 1.0]]), "lie on lines"),
        (lambda: equilibrium(mu0=3.0), "No theta makes"),
        (lambda: largest_step("alternately"), "Did you mean 'alternating'"),
        (lambda: closed_orbit_period(omega=2.0), "pi/2"),
        (lambda: fourier_coefficients(gb.models.dirac_gan()), "'theta' .generator. and 'omega'"),
        (lambda: fourier_coefficients(gb.models.torus_gan(), kapa=1.0), "Did you mean 'kappa'"),
        (lambda: table("torus_orbits")(times=[0.0]), "above 0"),
        (lambda: table("torus_truncations")(orders="12"), "finite numbers"),
        (lambda: table("torus_period")(start=[0.5]), "two numbers"),
        (lambda: table("torus_budget")(smallest=0.0), "positive number"),
        (lambda: table("torus_contraction")(kappas=[0.0]), "positive"),
        (lambda: table("torus_surface")(points=1), "from 2 to"),
        (lambda: FourierSeries(np.zeros((2, 3)), np.zeros(2), np.zeros(2), np.zeros(2)), "square arrays"),
    ],
)
def test_wrong_settings_are_refused(make: Any, part: str) -> None:
    with pytest.raises((MisuseError, UnknownNameError), match=part):
        make()

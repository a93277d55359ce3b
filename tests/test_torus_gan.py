"""Torus GAN against the values of the model sheet `torus_gan.md` (sections A3 to A8), which were computed elsewhere."""

import math
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.models import table
from gan_bifurcation.models.torus_fourier import FourierSeries, fourier_coefficients, fourier_game
from gan_bifurcation.models.torus_order_one import aligned_invariant, critical_points, mode_invariant
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

GAMES = [
    gb.models.torus_gan(),
    gb.models.torus_gan(order=2),
    gb.models.torus_gan(objective="wgan"),
    gb.models.torus_gan(objective="wgan", discriminator="wave", kappa=0.7, mu0=2.0, sc=1.5, sa=1.0),
    gb.models.torus_order_one(matrix=MATRIX),
    gb.models.torus_order_one(matrix=MATRIX, generator=[0.1, 0.2], discriminator=[0.3, -0.1]),
]


@pytest.mark.parametrize("game", GAMES, ids=lambda game: f"{game.name}-{game.description[:40]}")
def test_games_are_consistent_under_every_rule(game: Any) -> None:
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


# -- A2 and A7: Fourier series ----------------------------------------------------------------------------------------


def test_fourier_coefficients() -> None:
    series = fourier_coefficients(gb.models.torus_gan())
    # A7, kappa = 1/4, all that are printed: (m, n) and the kind of the mode.
    expected = {
        "a": {(0, 0): -1.40759251910796, (0, 2): 0.021019945649284492, (2, 0): 0.0018366465931578739,
              (2, 2): -0.0017346608734774647, (0, 4): 0.0002637904922554264},
        "b": {(0, 1): 0.03125},
        "c": {(1, 0): -0.013599944917646031, (1, 2): 0.013290100146120368, (1, 4): 0.00028976523678250207},
        "d": {(1, 1): 0.09375},
    }  # fmt: skip
    for kind, modes in expected.items():
        for place, value in modes.items():
            assert getattr(series, kind)[place] == pytest.approx(value, abs=5e-15)
    assert series.c[3, 2] == pytest.approx(6.6476e-5, abs=5e-10)
    # Only n = 1 has sines of omega; sines of n omega come with cosines or sines of odd m only: A5.
    assert np.abs(series.b[:, 2:]).max() < 1e-15
    assert np.abs(series.d[:, 2:]).max() < 1e-15
    assert series.tail < 1e-14
    strong = fourier_coefficients(gb.models.torus_gan(), kappa=0.5)
    # A7, kappa = 1/2.
    assert strong.a[[0, 0, 2, 2, 0], [0, 2, 0, 2, 4]] == pytest.approx(
        [-1.4646135448267181, 0.07552695266643011, 0.005339727951359724, -0.004569832539859634, 0.00247697521351627],
        abs=5e-15,
    )
    assert strong.c[1, [0, 2]] == pytest.approx([-0.047359197355358776, 0.04455727548469622], abs=5e-15)
    assert (strong.b[0, 1], strong.d[1, 1]) == pytest.approx((0.0625, 0.1875), abs=5e-15)


def test_the_series_is_the_value() -> None:
    series = fourier_coefficients(gb.models.torus_gan())
    # A5 at (0.7, 1.1): the value and two derivatives, through the transform.
    assert series.value(0.7, 1.1).item() == pytest.approx(-1.3517944081220687, abs=1e-13)
    assert series.value(0.7, 1.1, 1, 0).item() == pytest.approx(0.041925807544816014, abs=1e-12)
    assert series.hessian(0.7, 1.1)[1] == pytest.approx(0.012260548932055472, abs=1e-11)


# A7: order, largest error (4 digits), theta*, omega*, real and imaginary part.
TRUNCATIONS = [
    (1, 3.714e-2, -0.339836909454, 0.145579757759, 0.0, 0.087453372965),
    (2, 7.405e-4, -0.338552774476, 0.001860629138, -0.030326460181, 0.082849744952),
    (3, 7.031e-4, -0.338719117210, 0.001625768044, -0.030256494808, 0.082914087421),
    (4, 4.581e-5, -0.339796567177, 0.000057141819, -0.031193626781, 0.082693786667),
    (6, 5.051e-6, -0.339834530404, 0.000003364920, -0.031245373253, 0.082680945675),
    (8, 7.605e-7, -0.339836714242, 0.000000276076, -0.031249505003, 0.082679863460),
]


def test_truncations_converge() -> None:
    found = table("torus_truncations")(orders=[row[0] for row in TRUNCATIONS])
    for row, (order, error, theta, omega, rate, frequency) in zip(found.rows, TRUNCATIONS, strict=True):
        assert row["order"] == order
        assert row["sup_error"] == pytest.approx(error, rel=1.5e-4)
        assert (row["theta"], row["omega"]) == pytest.approx((theta, omega), abs=6e-13)
        assert (row["rate"], row["frequency"]) == pytest.approx((rate, frequency), abs=6e-13)
    assert found.numbers["rate"] == pytest.approx(-0.03125, abs=1e-15)
    strong = table("torus_truncations")(orders=[1, 2, 4], kappa=0.5).numbers
    # A7, kappa = 1/2.
    assert (strong["omega_1"], strong["frequency_1"]) == pytest.approx((0.255348253949, 0.171044780169), abs=6e-13)
    assert (strong["rate_2"], strong["frequency_2"]) == pytest.approx((-0.113766855684, 0.132056983019), abs=6e-13)
    assert (strong["rate_4"], strong["frequency_4"]) == pytest.approx((-0.12314785996, 0.126373069267), abs=6e-12)


@pytest.mark.parametrize(("order", "expected"), [(1, TRUNCATIONS[0]), (4, TRUNCATIONS[3])])
def test_a_truncation_as_a_game_has_the_same_equilibrium(order: int, expected: tuple[float, ...]) -> None:
    found = gb.point(flow_of(order=order))
    assert (found.state["theta"], found.state["omega"]) == pytest.approx(expected[2:4], abs=6e-13)
    assert turned(tuple(found.eigenvalues))[1] == pytest.approx(complex(*expected[4:]), abs=6e-13)


def test_the_mode_budget_is_the_trace() -> None:
    found = table("torus_budget")()
    # A7, all that are printed. Of (1, 4) the sheet prints 0.0014488268, which its own coefficient contradicts:
    # (1 - 16) 0.00028976523678250207 (-1/3) = 0.0014488262.
    expected = {
        "0_2": -0.0840797826, "1_2": 0.0132901001, "2_0": 0.0057140116, "1_0": 0.0045333150, "0_4": -0.0042206479,
        "1_4": 0.0014488262, "3_2": -0.0002831388,
    }  # fmt: skip
    for mode, value in expected.items():
        assert found.numbers[f"mode_{mode}"] == pytest.approx(value, abs=6e-11)
    # A6: the trace is -kappa^2 mu0^2 = -1/16; the divergence identity (A.3) in the transform's rounding.
    assert found.numbers["sum"] == pytest.approx(-0.0625, abs=5e-12)


def test_the_budget_anywhere_is_the_divergence() -> None:
    series = fourier_coefficients(gb.models.torus_gan(kappa=0.8))
    # A5's second derivatives by the tape, at a place that is no equilibrium.
    jacobian = flow_of(kappa=0.8).jacobian([-0.9, 2.0])[:, :2]
    assert series.budget(2.0, -0.9).sum() == pytest.approx(np.trace(jacobian), abs=1e-10)


# A7: orbits from (0.5, 0.5) at t = 10, 50, 100, 200 for kappa = 1/4.
ORBITS = {
    0: [(0.1192774228, 0.5771025131), (-0.5027313058, -0.1605791047), (-0.3420402903, 0.0385275677),
        (-0.3415010500, -0.0013595352)],
    1: [(0.0214316797, 0.9278998617), (-1.0810588040, -0.2483353942), (-0.0059072396, 0.9363508599),
        (-0.6256329810, 0.9467406610)],
    2: [(0.1141929264, 0.5827089817), (-0.5038033481, -0.1666003154), (-0.3424973380, 0.0429527870),
        (-0.3404726383, 0.0001847110)],
}  # fmt: skip


def test_orbits_of_truncations_and_of_the_real_flow() -> None:
    numbers = table("torus_orbits")().numbers
    for order, places in ORBITS.items():
        for time, (theta, omega) in zip((10, 50, 100, 200), places, strict=True):
            found = numbers[f"theta_{order}_{time}"], numbers[f"omega_{order}_{time}"]
            # Ten digits are printed; the sheet's own integration had a tolerance of 1e-11.
            assert found == pytest.approx((theta, omega), abs=2e-10)


def test_the_closed_orbit_of_order_one() -> None:
    found = table("torus_period")()
    # A7: period, period of small orbits, and the invariant.
    assert found.numbers["period"] == pytest.approx(89.5566935429, abs=1e-9)
    assert found.numbers["small_period"] == pytest.approx(71.8461174702, abs=1e-9)
    assert found.numbers["invariant"] == pytest.approx(0.6980330592, abs=6e-11)
    assert found.numbers["miss"] < 1e-10
    # A4 states a drift of 2e-12 in its own run.
    assert found.numbers["drift"] < 5e-11
    # A7: the period at kappa = 1/2.
    assert table("torus_period")(kappa=0.5).numbers["period"] == pytest.approx(45.2718724949, abs=1e-9)


# -- A3 and A4: order one ---------------------------------------------------------------------------------------------


def test_critical_points_of_a_mode() -> None:
    found = critical_points(MATRIX)
    # A3's oracle: four centres and four saddles, their values and eigenvalues.
    centres = [(-0.41120913964, -1.62323479616), (2.73038351395, -1.62323479616), (-0.41120913964, 1.51835785743),
               (2.73038351395, 1.51835785743)]  # fmt: skip
    saddles = [(-1.98200546643, -0.05243846937), (1.15958718716, -0.05243846937), (-1.98200546643, 3.08915418422),
               (1.15958718716, 3.08915418422)]  # fmt: skip
    for kind, places, value, unit in (("centre", centres, 0.3153967884, 1j), ("saddle", saddles, 0.53900358614, 1.0)):
        points = sorted((p for p in found if p.kind == kind), key=lambda p: (round(p.omega, 6), p.theta))
        for point, place in zip(points, sorted(places, key=lambda p: (p[1], p[0])), strict=True):
            assert (point.theta, point.omega) == pytest.approx(place, abs=6e-12)
            assert abs(point.value) == pytest.approx(value, abs=6e-11)
            assert point.eigenvalue == pytest.approx(0.43709236066 * unit, abs=6e-12)
    flow = gb.system(gb.models.torus_order_one(matrix=MATRIX), gb.Flow())
    signs = [np.linalg.det(flow.jacobian([p.omega, p.theta])[:, :2]) > 0 for p in found]
    # A4: on the torus as many centres as saddles.
    assert sum(signs) == 4
    assert max(np.abs(flow.rhs([p.omega, p.theta])).max() for p in found) < 1e-15


def test_the_energy_of_a_mode_is_conserved() -> None:
    flow = gb.system(gb.models.torus_order_one(matrix=MATRIX), gb.Flow())
    inside = gb.simulate(flow, {"theta": -0.4, "omega": -1.2}, duration=100.0, tolerance=1e-12)
    energy = mode_invariant(MATRIX, inside["theta"], inside["omega"])
    # A3: between the singular values 0.3154 and 0.5390 orbits go round a centre; the drift of the sheet's run is 2e-12.
    assert 0.31539678839 < abs(energy[0]) < 0.53900358614
    assert np.ptp(energy) < 2e-11
    assert np.ptp(inside["theta"]) < math.pi
    around = gb.simulate(flow, {"theta": 0.3, "omega": 0.2}, duration=100.0, tolerance=1e-12)
    energy = mode_invariant(MATRIX, around["theta"], around["omega"])
    # Below both they wind round the torus: the angles grow on the cover.
    assert abs(energy[0]) < 0.31539678839
    assert np.ptp(energy) < 2e-10
    assert np.ptp(around["theta"]) > 4 * math.pi


def test_modes_of_one_player_turn_centres_into_spirals() -> None:
    # A4: at an equilibrium the trace is A.u(theta) - B.v(omega); small A and B leave two and two of the four centres.
    game = gb.models.torus_order_one(matrix=MATRIX, generator=[0.05, 0.02], discriminator=[0.02, 0.01])
    flow = gb.system(game, gb.Flow())
    rates = []
    for near in critical_points(MATRIX)[:4]:
        found = gb.point(flow, {"theta": near.theta, "omega": near.omega})
        u, v = ((math.cos(x), math.sin(x)) for x in (found.state["theta"], found.state["omega"]))
        trace = 0.05 * u[0] + 0.02 * u[1] - 0.02 * v[0] - 0.01 * v[1]
        assert sum(found.eigenvalues) == pytest.approx(trace, abs=1e-13)
        rates.append(found.eigenvalues[0].real)
    assert sorted(rate > 0 for rate in rates) == [False, False, True, True]


def test_the_aligned_case() -> None:
    # A4: (sin theta + A)(sin omega + B): eigenvalues +-i |a11| sqrt((1 - A^2)(1 - B^2)), saddles at the corners.
    a11, a, b = 0.3, 0.4, -0.6
    game = gb.models.torus_order_one(matrix=[[0, 0], [0, a11]], generator=[0, b * a11], discriminator=[0, a * a11])
    flow = gb.system(game, gb.Flow())
    found = gb.point(flow, {"theta": -math.asin(a), "omega": -math.asin(b)})
    assert turned(tuple(found.eigenvalues))[1] == pytest.approx(0.3j * math.sqrt(0.84 * 0.64), abs=1e-14)
    corner = gb.point(flow, {"theta": math.pi / 2, "omega": -math.pi / 2})
    assert np.prod(corner.eigenvalues).real < 0
    orbit = gb.simulate(flow, {"theta": 0.9, "omega": 0.1}, duration=150.0, tolerance=1e-12)
    # Here A = a01/a11 belongs to theta: the sheet's definition.
    kept = aligned_invariant(a, b, orbit["theta"], orbit["omega"])
    assert np.ptp(kept) < 3e-10
    # Lines cos theta = 0 and cos omega = 0 are invariant: an orbit stays in its cell.
    assert np.abs(orbit.states).max() < math.pi / 2


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


# -- cells, series of one's own, bad input ----------------------------------------------------------------------------


def test_leaving_the_cell_is_leaving_the_domain() -> None:
    steps = gb.system(gb.models.torus_gan(cell=True), gb.Simultaneous(), eta_d=12.0, eta_g=12.0)
    verdict = classify(steps, {"theta": 0.5, "omega": 0.5})
    # Beyond the limit 8 the circle grows until a step crosses a line that the flow does not cross (seen by runs).
    assert str(verdict) == "diverges (left the domain)"
    assert "no orbit of the flow" in verdict.reason
    calm = gb.system(gb.models.torus_gan(cell=True), gb.Simultaneous(), eta_d=8.5, eta_g=8.5)
    assert classify(calm, {"theta": 0.5, "omega": 0.5}).kind == "oscillates"


def test_a_series_of_ones_own_is_a_game() -> None:
    d = np.zeros((3, 3))
    d[1, 2] = 0.5
    series = FourierSeries(0 * d, 0 * d, 0 * d, d)
    game = fourier_game(series, name="product", near=[("middle", (0.1, 0.1))])
    gb.check_game(game)
    flow = gb.system(game, gb.Flow())
    # A3: sin(m theta) sin(n omega) conserves |cos m theta|^(n^2) |cos n omega|^(m^2), here m = 1 and n = 2.
    orbit = gb.simulate(flow, {"theta": 0.3, "omega": 0.2}, duration=50.0, tolerance=1e-12)
    kept = np.abs(np.cos(orbit["theta"])) ** 4 * np.abs(np.cos(2 * orbit["omega"]))
    assert np.ptp(kept) < 1e-11
    again = fourier_coefficients(game)
    assert again.d[1, 2] == pytest.approx(0.5, abs=1e-15)
    # The origin is a centre of frequency m n d = 1 (by hand).
    assert turned(tuple(gb.point(flow).eigenvalues))[1] == pytest.approx(1j, abs=1e-13)


def test_the_surface_has_the_divergence_beside_the_value() -> None:
    found = table("torus_surface")(points=5, order=1)
    # Order 1 at (0, pi/2): a00 + a01 (A7); its divergence is the mode (1, 0) less the mode (0, 1), here -a01.
    assert found.fields["value"][2, 3] == pytest.approx(-1.40759251910796 + 0.03125, abs=1e-13)
    assert found.fields["divergence"][2, 3] == pytest.approx(-0.03125, abs=1e-13)


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


def test_a_value_that_is_not_periodic_or_not_one_is_refused() -> None:
    theta, omega = gb.symbol("theta"), gb.symbol("omega")

    def game(discriminator: Any, generator: Any) -> Any:
        return gb.Game("own", gb.Player(("omega",), discriminator, "eta_d"), gb.Player(("theta",), generator, "eta_g"))

    with pytest.raises(MisuseError, match="period 2 pi"):
        fourier_coefficients(game(-theta * omega, theta * omega))
    with pytest.raises(MisuseError, match="do not sum to zero"):
        fourier_coefficients(game(-theta * omega, theta))

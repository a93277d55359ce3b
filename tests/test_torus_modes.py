"""Fourier series of the torus GAN and games of order one, against the model sheet `torus_gan.md` (A2 to A4, A7)."""

import math
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models import table
from gan_bifurcation.models.torus_fourier import FourierSeries, fourier_coefficients, fourier_game
from gan_bifurcation.models.torus_order_one import aligned_invariant, critical_points, mode_invariant

MATRIX = [[0.2, -0.3], [0.5, 0.1]]


def flow_of(**settings: Any) -> Any:
    return gb.system(gb.models.torus_gan(**settings), gb.Flow())


def turned(pair: tuple[complex, complex]) -> list[complex]:
    return sorted(pair, key=lambda z: z.imag)


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


# -- series of one's own -----------------------------------------------------------------------------------------------


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


def test_a_value_that_is_not_periodic_or_not_one_is_refused() -> None:
    theta, omega = gb.symbol("theta"), gb.symbol("omega")

    def game(discriminator: Any, generator: Any) -> Any:
        return gb.Game("own", gb.Player(("omega",), discriminator, "eta_d"), gb.Player(("theta",), generator, "eta_g"))

    with pytest.raises(MisuseError, match="period 2 pi"):
        fourier_coefficients(game(-theta * omega, theta * omega))
    with pytest.raises(MisuseError, match="do not sum to zero"):
        fourier_coefficients(game(-theta * omega, theta))

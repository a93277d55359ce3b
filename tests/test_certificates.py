"""Certificates: what is proved agrees with closed forms, and what is wrong is not proved."""

from dataclasses import replace

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation import MisuseError

flint = pytest.importorskip("flint")

HENON = gb.System.from_equations(
    "map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3}, name="Henon"
)
LOGISTIC = gb.System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 2.0})
LORENZ = gb.System.from_equations(
    "flow",
    {"x": "s*(y - x)", "y": "r*x - y - x*z", "z": "x*y - b*z"},
    parameters={"s": 10.0, "r": 15.0, "b": 8.0 / 3.0},
)


@pytest.fixture(scope="module")
def henon() -> gb.Branch:
    return gb.trace(gb.point(HENON, [0.1, 0.1]), {"a": (-1.0, 2.0)})


def test_fixed_point_of_henon_exists_is_unique_and_attracts() -> None:
    found = gb.certify(gb.point(HENON, [0.1, 0.1]))
    assert found.proved
    assert found.badge == "proved"
    # x^2 + (1 - b) x - a = 0.
    x = (-0.7 + np.sqrt(0.49 + 0.4)) / 2.0
    low, high = found.enclosure["x"]
    assert low <= x <= high
    assert high - low < 1e-14
    # Both multipliers solve mu^2 + 2 x mu - b = 0: inside the unit circle for these numbers.
    assert found.unstable == 0
    assert found.box["x"][0] < low < high < found.box["x"][1]


def test_the_other_fixed_point_of_henon_is_a_saddle() -> None:
    found = gb.certify(gb.point(HENON, [-0.8, -0.8]))
    # mu^2 + 2 x mu - b = 0 at x = -.82: multipliers 1.8 and -.17.
    assert found.proved
    assert found.unstable == 1


def test_flip_and_fold_of_henon(henon: gb.Branch) -> None:
    flip, fold = gb.certify(henon["PD1"]), gb.certify(henon["LP1"])
    assert flip.proved
    assert fold.proved
    # a = 3 (1 - b)^2/4 and -(1 - b)^2/4; b is the float next to 0.3, so the intervals hold what that gives.
    assert flip.enclosure["a"] == pytest.approx((0.3675, 0.3675), abs=1e-15)
    assert fold.enclosure["a"] == pytest.approx((-0.1225, -0.1225), abs=1e-15)
    for certificate, letter, point in ((flip, "b", henon["PD1"]), (fold, "a", henon["LP1"])):
        assert certificate.coefficient is not None
        # The same coefficient, computed in floats from jets.
        assert certificate.coefficient[0] == pytest.approx(point.normal_form[letter], rel=1e-12)
        assert certificate.coefficient[1] - certificate.coefficient[0] < 1e-14
    assert "supercritical" in flip.statement


def test_logistic_flip_of_the_fixed_point_and_of_period_two() -> None:
    fixed = gb.trace(gb.point(LOGISTIC, [0.5]), {"r": (1.5, 3.6)})
    found = gb.certify(fixed["PD1"])
    assert found.enclosure["r"][0] <= 3.0 <= found.enclosure["r"][1]
    # b = 9 at r = 3 (B = -6, C = 0, multiplier -1: b = B^2/4).
    assert found.coefficient == pytest.approx((9.0, 9.0), abs=1e-13)
    two = gb.trace(gb.flip_to_period_two(fixed["PD1"]), {"r": (1.5, 3.6)})
    found = gb.certify(two["PD1"])
    # The second flip of the logistic map is at 1 + sqrt(6).
    assert found.proved
    assert found.enclosure["r"] == pytest.approx((1.0 + np.sqrt(6.0),) * 2, abs=1e-14)


def test_lorenz_hopf_is_subcritical_for_certain() -> None:
    root = np.sqrt(8.0 / 3.0 * 14.0)
    branch = gb.trace(gb.point(LORENZ, [root, root, 14.0]), {"r": (2.0, 40.0)})
    found = gb.certify(branch["H1"])
    assert found.proved
    assert "subcritical" in found.statement
    # r = s (s + b + 3)/(s - b - 1) = 470/19 (Sparrow 1982), for b = 8/3 as a float.
    assert found.enclosure["r"] == pytest.approx((470.0 / 19.0,) * 2, abs=1e-13)
    assert found.coefficient is not None
    assert found.coefficient[0] > 0.0
    assert found.coefficient[0] == pytest.approx(branch["H1"].normal_form["l1"], rel=1e-11)


def test_dirac_gan_neimark_sacker() -> None:
    steps = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.5), gb.Simultaneous(), eta_d=0.1), eta_g="eta_d")
    branch = gb.trace(gb.point(steps), {"eta_d": (0.05, 6.0)})
    found = gb.certify(branch["NS1"])
    # det(J) = 1 - h gamma + h^2/4 = 1 at h = 4 gamma.
    assert found.proved
    assert found.enclosure["eta_d"][0] <= 2.0 <= found.enclosure["eta_d"][1]
    assert found.coefficient is not None
    assert found.coefficient[1] < 0.0
    assert found.coefficient[0] == pytest.approx(branch["NS1"].normal_form["d"].real, rel=1e-12)


def test_kernel_gan_with_few_features() -> None:
    p, q = 1.0, 1.25
    flow = gb.system(gb.models.kernel_gan(sigma=0.7, lam=0.9, p1=p, q1=q, modes=6, ell=3.0), gb.Flow())
    branch = gb.trace(gb.point(flow), {"lam": (0.2, 2.0)})
    found = gb.certify(branch["H1"])
    assert found.proved
    # lam = sqrt(q (q - p))/sigma for a Gaussian kernel (Becker et al. 2022); few features are near it.
    assert found.enclosure["lam"][0] == pytest.approx(np.sqrt(q * (q - p)) / 0.7, rel=0.05)
    # The rest of the weights decay.
    assert found.unstable == 0
    assert gb.certify(gb.point(flow)).unstable == 0


def test_elementary_functions_and_expectations_over_balls() -> None:
    system = gb.System.from_equations(
        "flow",
        {
            "x": "y",
            "y": "a*y - x - y**3 + 0.1*(tanh(x*y) + erf(y)*x**2 + log(1 + x**2)*y + sqrt(4 + x)*x - 2*x)"
            " + 0.1*(sigmoid(y) - 1/2)*x**2 + 0.05*(atan(y) - sin(y)) + 0.02*(exp(x*y) - cosh(y) + softplus(x)*x*y**2)",
        },
        parameters={"a": -0.1},
    )
    branch = gb.trace(gb.point(system, [0.0, 0.0]), {"a": (-1.0, 1.0)})
    point = branch["H1"]
    found = gb.certify(point)
    assert found.proved
    assert found.coefficient is not None
    # The same coefficient from compiled jets.
    assert found.coefficient[0] == pytest.approx(point.normal_form["l1"], rel=1e-11)


@pytest.mark.parametrize("shift", [0.1, 1e-3])
def test_a_wrong_point_is_not_proved(henon: gb.Branch, shift: float) -> None:
    right = gb.point(HENON, [0.1, 0.1])
    wrong = gb.certify(replace(right, x=right.x + np.array([0.0, shift])))
    assert not wrong.proved
    assert "no solution" in wrong.statement
    assert wrong.box == {}
    moved = henon["PD1"].system.with_parameters(a=henon["PD1"].parameters["a"] + shift)
    assert not gb.certify(replace(henon["PD1"], system=moved)).proved


def test_what_vanishes_is_not_given_a_sign() -> None:
    # The degenerate Hopf point of x' = y, y' = -x + a y with no nonlinearity: the coefficient is zero.
    centre = gb.System.from_equations("flow", {"x": "y + x**2 - x**2", "y": "a*y - x"}, parameters={"a": -0.1})
    point = gb.trace(gb.point(centre, [0.0, 0.0]), {"a": (-1.0, 1.0)})["H1"]
    found = gb.certify(point)
    assert not found.proved
    assert "sign of l1 is not proved" in found.statement
    # At the strong resonance 1:4 the coefficient does not decide.
    henon = gb.System.from_equations("map", {"x": "y", "y": "a - b*x - y**2"}, parameters={"a": 0.0, "b": 0.8})
    found = gb.certify(gb.trace(gb.point(henon, [0.0, 0.0]), {"b": (0.5, 1.2)})["NS1"])
    assert not found.proved
    assert "resonance" in found.statement


def test_refusals() -> None:
    kink = gb.System.from_equations("flow", {"x": "-abs(x - 1) + a"}, parameters={"a": 0.5})
    with pytest.raises(MisuseError, match="has kinks"):
        gb.certify(gb.point(kink, [0.4]))
    with pytest.raises(MisuseError, match="got int"):
        gb.certify(3)  # type: ignore[arg-type]
    pitchfork = gb.System.from_equations("flow", {"x": "a*x - x**3"}, parameters={"a": -1.0})
    branch = gb.trace(gb.point(pitchfork, [0.0]), {"a": (-1.0, 1.0)})
    with pytest.raises(MisuseError, match="ordinary points, simple LP, H, PD and NS and points of codimension two"):
        gb.certify(branch["BP1"])
    large = gb.System.from_equations("flow", {f"x{k}": f"-x{k} + a" for k in range(250)}, parameters={"a": 0.5})
    with pytest.raises(MisuseError, match="too large for a proof"):
        gb.certify(gb.point(large, np.full(250, 0.5)))

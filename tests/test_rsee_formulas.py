"""Cost, gradient and field of the R/S/E/E least-squares GAN in single states against `rsee_lsgan.md`."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

import gan_bifurcation as gb
from gan_bifurcation.models import rsee_decomposition as paper
from gan_bifurcation.models.rsee_lsgan import CASES, rsee_lsgan, rsee_start
from gan_bifurcation.models.rsee_theory import closed_integrals, cost, flow_jacobian, gradient, integrals
from gan_bifurcation.rules import RULES


def at(case: str, **changes: float) -> dict[str, float]:
    """The start of a case with its c, some values changed."""
    return {**CASES[case].start, "c": CASES[case].c, **changes}


# rsee_lsgan.md, "Oracles at the start point"; 15 or more digits, checked there against mpmath.
START = {
    "A": {
        "J1": 0.4659222114683318, "J2": 0.878246197996683, "J": 1.344168409465015,
        "J_a": 0.1180367581068366, "J_b": 0.0689963201534648, "J_g": -0.1696310113699416, "J_h": -0.0811692013355446,
        "A": 0.23296110567316713, "B": 0.06087690100165847, "A1": 0.7739357608815001, "B1": 0.4198367531406055,
        "I8": (-0.090451609022442, -0.12043064036533), "IE1": (0.024537664811404, -0.78266606139293),
        "IE2": (0.81461351625052, 0.94765266920086), "I9": -0.45793465524629, "I10": 1.326928775158,
        "J00": 0.9244230159155165, "J22": 1.4458341771490018, "J ideal": 0.9073067581252598,
        "k1": 0.1136363636, "k2": 0.1515151515, "eta": -7.4,
    },
    "B": {
        "J1": 0.04760716140203678, "J2": 0.9999927124872436, "J": 1.04759987388928,
        "J_a": 0.0675889578343987, "J_b": 0.1382823468224594, "J_g": -0.000223534597623273,
        "J_h": -2.082146501777703e-05,
        "A": 0.02071070063368733, "B": 3.6437563781109805e-06, "A1": 0.012246396556528538, "B1": 1.656670786635484e-05,
        "I8": (-0.099966075399768, -0.76225325778045), "IE1": (-0.64472323931996, -0.99999172932412),
        "IE2": (0.47987512424807, 0.99998739130073), "I9": -0.34996525726619, "I10": 0.34994975099693,
        "J00": 0.5501351985284897, "J22": 1.2957421131867823, "J ideal": 0.7399375621240358,
        "k1": 1.6694214876, "k2": 1.1806375443, "eta": -5.84,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", ["A", "B"])
@pytest.mark.parametrize("closed", [False, True])
def test_cost_and_gradient_at_the_start(case: str, closed: bool) -> None:
    known = START[case]
    data, made = cost(**at(case), closed=closed)
    # In the far tail of case B Owen's T function cancels to 1e-16 exp(k**2 + 2 k eta) of order one.
    near = {"rel": 1e-13, "abs": 1e-15} if not closed else {"rel": 1e-10, "abs": 1e-14}
    assert data == pytest.approx(known["J1"], **near)
    assert made == pytest.approx(known["J2"], **near)
    assert data + made == pytest.approx(known["J"], **near)
    for name, slope in gradient(**at(case), closed=closed).items():
        assert slope == pytest.approx(known[f"J_{name}"], **near)


@pytest.mark.parametrize("case", ["A", "B"])
def test_integrals_at_the_start(case: str) -> None:
    known, here = START[case], at(case)
    k1, k2, eta = here["c"] / (2 * here["a"]), 1 / (2 * here["a"] * here["g"]), here["a"] * here["h"] + here["b"]
    for name, value in (("k1", k1), ("k2", k2), ("eta", eta)):
        assert value == pytest.approx(known[name], rel=1e-9)  # ten digits in the table
    data, made = integrals(here["b"], k1), integrals(eta, k2)
    for name, value in (("A", data.a), ("A1", data.a1), ("B", made.b), ("B1", made.b1)):
        assert value == pytest.approx(known[name], rel=1e-14)


@pytest.mark.parametrize("case", ["A", "B"])
def test_the_papers_decomposition(case: str) -> None:
    known, here = START[case], at(case)
    eta = here["a"] * here["h"] + here["b"]
    places = ((here["a"], here["b"], here["c"]), (here["a"], eta, 1.0 / here["g"]))
    for k, place in enumerate(places):
        assert paper.key_integral(*place) == pytest.approx(known["I8"][k], rel=2e-13)  # the table has 14 digits
        assert paper.mean_erf(*place) == pytest.approx(known["IE1"][k], rel=2e-13)
        assert paper.mean_squared_erf(*place) == pytest.approx(known["IE2"][k], rel=2e-13)
    first = paper.first_moments(*places[1])
    assert (first.erf, first.squared) == pytest.approx((known["I9"], known["I10"]), rel=2e-13)
    assert paper.decomposed_cost(**here) == pytest.approx(known["J"], rel=1e-14)
    for name, slope in paper.decomposed_gradient(**here).items():
        # J_g of case B is a sum of terms of order ten.
        assert slope == pytest.approx(known[f"J_{name}"], rel=1e-12, abs=1e-14)


def test_moments_against_their_definition() -> None:
    a, b, c = 1.3, -0.7, 0.8  # IE1, IE2, I9, I10 as plain integrals, by an independent quadrature

    def mean(power: int, weight: int) -> float:
        return float(quad(lambda x: x**weight * erf(a * x + b) ** power * c * math.exp(-c * x), 0, 60, epsabs=1e-13)[0])

    assert paper.mean_erf(a, b, c) == pytest.approx(mean(1, 0), abs=1e-11)
    assert paper.mean_squared_erf(a, b, c) == pytest.approx(mean(2, 0), abs=1e-11)
    assert tuple(paper.first_moments(a, b, c)) == pytest.approx((mean(1, 1), mean(2, 1)), abs=1e-10)


@pytest.mark.parametrize("case", ["A", "B"])
def test_cost_elsewhere(case: str) -> None:
    known = START[case]
    assert sum(cost(**at(case, b=0.0, h=0.0))) == pytest.approx(known["J00"], rel=1e-13)
    assert sum(cost(**at(case, b=2.0, h=-2.0))) == pytest.approx(known["J22"], rel=1e-13)
    assert sum(cost(**at(case, g=1.0 / CASES[case].c, h=0.0))) == pytest.approx(known["J ideal"], rel=1e-13)


def test_cost_is_the_expectation_and_gradient_its_derivative() -> None:
    here = {"a": 1.7, "b": -0.6, "g": 0.8, "h": 0.3, "c": 1.2}

    def direct(a: float, b: float, g: float, h: float, c: float) -> float:
        # The definition E D(x)**2 + E (1 - D(G(z)))**2 with D = (1 + erf)/2, by scipy.
        data = quad(lambda x: (0.5 + 0.5 * erf(a * x + b)) ** 2 * c * math.exp(-c * x), 0, 40, epsabs=1e-13)[0]
        made = quad(
            lambda z: (0.5 - 0.5 * erf(a * (g * z * z + h) + b)) ** 2 * 2 * z * math.exp(-z * z), 0, 7, epsabs=1e-13
        )[0]
        return float(data + made)

    assert sum(cost(**here)) == pytest.approx(direct(**here), abs=1e-12)
    for name, slope in gradient(**here).items():
        up, down = ({**here, name: here[name] + sign * 1e-4} for sign in (1.0, -1.0))
        assert slope == pytest.approx((direct(**up) - direct(**down)) / 2e-4, abs=1e-7)  # central differences


def test_owens_form_agrees_but_for_what_cancels() -> None:
    for shift in (-3.0, -1.0, 0.0, 0.5, 2.0):
        for k in (0.1, 0.6, 2.0):
            # Two unrelated formulas: a quadrature, and a bivariate normal probability.
            lost = 2e-15 * math.exp(k * k + 2.0 * k * shift)
            near = pytest.approx(tuple(integrals(shift, k)), rel=1e-13, abs=max(lost, 1e-15))
            assert tuple(closed_integrals(shift, k)) == near
    # h = 0 in Phi2 is a limit of Owen's formula: b = -k.
    assert closed_integrals(-0.5, 0.5).a == pytest.approx(integrals(-0.5, 0.5).a, rel=1e-13)


def test_integrals_against_mpmath() -> None:
    mpmath = pytest.importorskip("mpmath")
    for shift, k in ((-7.4, 0.02), (-3.0, 20.0), (4.0, 1.0)):
        exact = mpmath.quad(
            lambda t, b=shift, k=k: mpmath.erfc(b + t) * mpmath.exp(-((b + t) ** 2) - 2 * k * t) * t,
            [0, 0.1, 0.5, 1, 3, 5, 7, 9, 12, 16],
        ) / (2 * mpmath.sqrt(mpmath.pi))
        assert integrals(shift, k).b1 == pytest.approx(float(exact), rel=1e-12)


# -- the game ----------------------------------------------------------------------------------------------------------


def test_field_of_the_game_over_its_domain() -> None:
    """The fixed quadrature of the game against the one that follows the integrand, to 1e-13."""
    flow = gb.system(rsee_lsgan(moving="abgh"), gb.Flow())
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(40):
        k1, k2 = np.exp(rng.uniform(math.log(0.01), math.log(25.0), 2))
        a = math.exp(rng.uniform(-1.0, 1.0))
        b, eta = rng.uniform(-20.0, 5.0, 2)
        state = {"a": a, "b": b, "g": 1 / (2 * a * k2), "h": (eta - b) / a}
        found = flow.with_parameters(c=2 * a * k1).rhs(flow.state_vector(state), None)
        slopes = gradient(**state, c=2 * a * k1)
        expected = np.array([slopes["a"], slopes["b"], -slopes["g"], -slopes["h"]])
        size = np.maximum(1.0, np.abs(expected))
        worst = max(worst, float(np.max(np.abs(found - expected) / size)))
    assert worst < 1e-13  # the accuracy that the model states for its domain


def test_field_at_the_start_and_on_the_far_plateau() -> None:
    for case in ("A", "B"):
        known = START[case]
        flow = gb.system(rsee_lsgan(case=case, moving="abgh"), gb.Flow())
        expected = [known["J_a"], known["J_b"], -known["J_g"], -known["J_h"]]  # ascent on a, b, descent on g, h
        assert flow.rhs(flow.state_vector(dict(CASES[case].start))) == pytest.approx(expected, rel=1e-13)
    flow = gb.system(rsee_lsgan(case="A"), gb.Flow())
    for state in ([-1e4, 1e4], [40.0, 40.0], [-40.0, -40.0]):
        assert np.isfinite(flow.rhs(np.array(state))).all()
        assert np.isfinite(flow.jacobian(np.array(state))).all()


JACOBIAN_A = [[0.012885898812877, -0.024596727677438], [0.024596727677438, 0.054112800890363]]


@pytest.mark.parametrize(
    ("case", "expected", "values"),
    [("A", JACOBIAN_A, 0.03349935 + 0.01341956j), ("B", None, (0.352713178, 5.94967544e-05))],
)
def test_flow_jacobian(case: str, expected: Any, values: Any) -> None:
    flow = gb.system(rsee_lsgan(case=case), gb.Flow())
    found = flow.jacobian(flow.state_vector(rsee_start(case=case)))[:, :2]
    np.testing.assert_allclose(found, flow_jacobian(**at(case)), rtol=1e-11)  # the closed second derivatives
    eigenvalues = np.linalg.eigvals(found)
    if expected is not None:  # rsee_lsgan.md, "2-D flow Jacobian"
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert max(eigenvalues, key=lambda z: z.imag) == pytest.approx(values, abs=1e-8)
    else:
        assert sorted(eigenvalues.real, reverse=True) == pytest.approx(values, rel=1e-8)


def test_scale_invariance() -> None:
    """(a, c, g, h) -> (s a, s c, g/s, h/s) changes nothing: measuring x in other units (rsee_lsgan.md, B1)."""
    here, s = at("B", h=0.2), 1.7
    other = {"a": s * here["a"], "b": here["b"], "g": here["g"] / s, "h": here["h"] / s, "c": s * here["c"]}
    assert cost(**other) == pytest.approx(cost(**here), rel=1e-14)


def test_losses_have_the_gradient_in_closed_form() -> None:
    start = dict(CASES["A"].start)
    by_losses = gb.system(rsee_lsgan(moving="abgh", losses=True), gb.Flow())
    by_field = gb.system(rsee_lsgan(moving="abgh"), gb.Flow())
    x = by_field.state_vector(start)
    assert by_losses.rhs(x) == pytest.approx(by_field.rhs(x), rel=1e-12)  # SymPy's derivative, the sheet's compact form


@pytest.mark.parametrize("rule", list(RULES))
def test_conformance_under_every_rule(rule: str) -> None:
    # A rule that propagates back through steps needs losses.
    game = rsee_lsgan(case="B", moving="bh", losses=rule == "unrolled")
    gb.check_rule(RULES[rule](), game)


@pytest.mark.parametrize(
    "settings",
    [{"moving": "abgh"}, {"losses": True}, {"samples": 20}, {"case": "1", "moving": "abgh"}],
)
def test_conformance_of_every_form(settings: dict[str, Any]) -> None:
    gb.check_game(rsee_lsgan(**settings))

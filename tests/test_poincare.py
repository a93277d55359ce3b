"""Poincare maps against flows whose returns are known in closed form; jets against Taylor series of those."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation import evaluation
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.jet_transport import return_map_jets
from gan_bifurcation.models.dirac_theory import gradient_penalty_cycle

STUART_LANDAU = gb.System.from_equations(
    "flow",
    {"x": "x*(a - x**2 - y**2) - y", "y": "y*(a - x**2 - y**2) + x"},
    parameters={"a": 0.05},
)
# A plane that turns half round while (c, s) goes once round: the return map is minus the flow of w' = m w - k w**3,
# and contracts the other direction.
HALF_TURN = gb.System.from_equations(
    "flow",
    {
        "c": "-s + c*(1 - c**2 - s**2)",
        "s": "c + s*(1 - c**2 - s**2)",
        "p": "-q/2 + (m - k*(p*((1+c)*p + s*q) + q*(s*p + (1-c)*q))/2)*((1+c)*p + s*q)/2 - ((1-c)*p - s*q)/2",
        "q": "p/2 + (m - k*(p*((1+c)*p + s*q) + q*(s*p + (1-c)*q))/2)*(s*p + (1-c)*q)/2 - (-s*p + (1+c)*q)/2",
    },
    parameters={"m": -0.1, "k": 1.0},
)


def radius_after_a_turn(r: Any, a: float) -> Any:
    """The radial equation r' = r (a - r**2) over the time 2 pi, in closed form."""
    decay = math.exp(-4.0 * math.pi * a)
    return (1.0 / a + (1.0 / r**2 - 1.0 / a) * decay) ** -0.5


def wgan_gp(**parameters: float) -> gb.System:
    game = gb.models.dirac_gan(variant="wgan", target=1.0, gamma=0.7)
    return gb.poincare(gb.system(game, gb.Flow()), "psi").with_parameters(**parameters)


def test_the_return_map_of_a_turning_flow_is_its_radial_map() -> None:
    returns = gb.poincare(STUART_LANDAU, "y")
    assert (returns.kind, returns.states) == ("map", ("x",))
    for r in (0.1, 0.3, 0.7):  # closed form of the radial equation
        assert returns.rhs([r])[0] == pytest.approx(radius_after_a_turn(r, 0.05), abs=1e-11)
    # The same by simulation of the map: a System like any other.
    orbit = gb.simulate(returns, {"x": 0.5}, steps=5)
    expected = 0.5
    for k in range(1, 6):
        expected = radius_after_a_turn(expected, 0.05)
        assert orbit["x"][k] == pytest.approx(expected, abs=1e-10)


def test_cycles_are_fixed_points_and_can_be_traced() -> None:
    cycle = gb.point(gb.poincare(STUART_LANDAU, "y"), {"x": 0.3})
    # r**2 = a, multiplier exp(-4 pi a).
    assert cycle.state["x"] == pytest.approx(math.sqrt(0.05), abs=1e-11)
    assert cycle.multipliers[0].real == pytest.approx(math.exp(-0.2 * math.pi), abs=1e-10)
    branch = gb.trace(cycle, {"a": (0.01, 1.0)})
    np.testing.assert_allclose(branch.states[:, 0] ** 2, branch.column("a"), atol=1e-10)  # r**2 = a
    np.testing.assert_allclose(branch.column("period"), 2.0 * np.pi, atol=1e-9)  # unit angular speed
    np.testing.assert_allclose(branch.column("max_y"), np.sqrt(branch.column("a")), rtol=1e-3)  # a circle, sampled
    made = gb.cycle_of(cycle)
    assert (made.kind, made.stable) == ("cycle", True)
    assert made.period == pytest.approx(2.0 * math.pi, abs=1e-9)


def test_collocation_and_return_map_agree_on_the_period_doubling_of_adapt() -> None:
    # The adaptive control system, `adapt` in AUTO's and MatCont's tables: its cycles double at alpha = 0.6303.
    control = gb.System.from_equations(
        "flow", {"x": "y", "y": "z", "z": "-al*z - be*y - x + x**2"}, parameters={"al": 1.2, "be": 1.0}
    )
    hopf = gb.trace(gb.point(control, [0, 0, 0]), {"al": (0.5, 1.5)})["H1"]
    assert hopf.parameters["al"] == pytest.approx(1.0, abs=1e-12)  # alpha beta = 1, by Routh and Hurwitz
    cycles = gb.trace(gb.hopf_to_cycles(hopf), {"al": (0.62, 1.5)}, at=[0.64])
    assert [p.label for p in cycles.special_points] == ["UZ", "PD"]
    assert cycles["PD1"].parameters["al"] == pytest.approx(0.6303, abs=5e-5)
    states = cycles["UZ1"].profile.states
    x, _, z = states[states[:, 0].argmax()]
    returns = gb.poincare(control.with_parameters(al=0.64), "y", direction=-1)
    branch = gb.trace(gb.point(returns, {"x": x, "z": z}), {"al": (0.625, 0.645)})
    assert branch["PD1"].parameters["al"] == pytest.approx(cycles["PD1"].parameters["al"], abs=1e-9)
    assert branch["PD1"].criticality == cycles["PD1"].criticality == "supercritical"


def test_derivatives_of_a_return_map_of_every_order() -> None:
    mpmath = pytest.importorskip("mpmath")
    returns = gb.poincare(STUART_LANDAU, "y")
    inputs = np.zeros((2, 6))
    inputs[:, 0], inputs[0, 1] = [0.3, 0.05], 1.0
    # Taylor coefficients of the closed form by mpmath, which takes differences with many digits.
    a = mpmath.mpf(0.05)
    decay = mpmath.exp(-4 * mpmath.pi * a)
    expected = mpmath.taylor(lambda r: (1 / a + (1 / r**2 - 1 / a) * decay) ** -0.5, mpmath.mpf(0.3), 5)
    np.testing.assert_allclose(returns.jet(inputs)[0], [float(c) for c in expected], rtol=1e-9)
    # Mixed second derivatives in state and parameter: differences of the first ones.
    f, j, h, e = np.empty(1), np.empty((1, 2)), np.empty((1, 2)), 1e-4
    made = evaluation.make_evaluator(returns.tape.data, 1, 1, 2)
    evaluation.second(made, np.array([0.3, 0.05]), np.array([0.4, 0.7]), f, j, h)
    ahead, behind = (returns.jacobian([0.3 + 0.4 * s], [0.05 + 0.7 * s]) for s in (e, -e))
    np.testing.assert_allclose(h, (ahead - behind) / (2 * e), rtol=1e-6)
    # From the return backwards, twice that along the state.
    sums, which = np.zeros((1, 2)), np.zeros(1, dtype=np.int64)
    evaluation.add_curvatures(made, np.array([0.3, 0.05]), np.array([[0.4]]), np.array([[2.0]]), which, 1, sums)
    evaluation.second(made, np.array([0.3, 0.05]), np.array([0.4, 0.0]), f, j, h)
    np.testing.assert_allclose(sums, 2.0 * h, rtol=1e-12)


def test_jets_of_return_maps_do_not_depend_on_where_the_line_leaves_the_section() -> None:
    x, period = [math.sqrt(0.05), 0.0], 2.0 * math.pi
    jets = return_map_jets(STUART_LANDAU, x, period, [0.0, 1.0], [[1.0, 0.0], [0.0, 1.0]], 3)
    # Across: the multiplier exp(-4 pi a). Along the flow nothing of first order remains on the section.
    assert jets[0, 0, 1].real == pytest.approx(math.exp(-0.2 * math.pi), abs=1e-11)
    assert abs(jets[1, :, 1]).max() < 1e-11
    # By symmetry a point at height s beside the cycle is at the distance sqrt(a) + s**2 / (2 sqrt(a)) from the centre.
    assert jets[1, 0, 2].real == pytest.approx(math.exp(-0.2 * math.pi) / (2.0 * x[0]), rel=1e-9)


def test_a_flip_of_a_cycle_has_the_coefficient_that_was_planted() -> None:
    cycle = gb.point(gb.poincare(HALF_TURN, "s"), {"c": 1.0, "p": 0.0, "q": 0.0})
    branch = gb.trace(cycle, {"m": (-0.2, 0.2)})
    flip = branch["PD1"]
    assert flip.parameters["m"] == pytest.approx(0.0, abs=1e-10)  # multiplier -exp(2 pi m)
    # The map is -w + 2 pi k w**3 + ... at m = 0, so that b = 2 pi k (Kuznetsov 2004, (5.51)).
    assert flip.normal_form["b"] == pytest.approx(2.0 * math.pi, rel=1e-8)
    assert flip.criticality == "supercritical"


@pytest.mark.parametrize("gamma", [0.05, 0.7, 1.5, 1.9])
def test_the_cycle_of_the_wgan_with_gradient_penalty(gamma: float) -> None:
    theta, period, half = gradient_penalty_cycle(gamma=gamma)  # closed form: two linear foci
    cycle = gb.point(wgan_gp(gamma=gamma), {"theta": 1.2 * theta})
    assert cycle.state["theta"] == pytest.approx(theta, abs=1e-10)
    assert gb.cycle_of(cycle).period == pytest.approx(period, abs=1e-8)
    assert cycle.multipliers[0].real == pytest.approx(half**2, abs=1e-10)


def test_the_gradient_penalty_cycle_is_followed_to_its_end() -> None:
    branch = gb.trace(gb.point(wgan_gp(), {"theta": 1.2}), {"gamma": (0.02, 2.5)})
    exact = np.array([gradient_penalty_cycle(gamma=g) for g in branch.column("gamma")])
    np.testing.assert_allclose(branch.states[:, 0], exact[:, 0], atol=1e-8)  # the closed form
    known = np.isfinite(branch.column("period"))
    assert known[:-8].all()  # the last ones are within rounding of where it is lost
    # Near the end the orbit passes within rounding of the false equilibria, which blurs when it leaves them.
    for part, error in ((branch.column("gamma") < 1.9, 1e-8), (branch.column("gamma") >= 1.9, 1e-5)):
        np.testing.assert_allclose(branch.column("period")[known & part], exact[known & part, 1], rtol=error)
    # It ends at gamma = 2, where the foci become nodes; rounding hides the last bit of the way.
    assert branch.column("gamma")[-1] > 1.97
    end = branch.outcome[1]
    assert (end.code, bool(end)) == ("no return", True)
    assert "the cycle does not" in end.message
    guess = float(end.message.rsplit("gamma = ", 1)[1].rstrip("."))
    assert guess == pytest.approx(2.0, abs=2e-3)


def test_derivatives_go_through_kinks() -> None:
    returns = wgan_gp()
    p, k = returns.parameter_vector(), 1 + list(returns.parameters).index("gamma")
    # Two linear foci: the half-turn is affine in theta with the factor -exp(-pi gamma/(2 omega)).
    assert returns.jacobian([1.1])[0, 0] == pytest.approx(gradient_penalty_cycle(gamma=0.7)[2] ** 2, abs=1e-10)
    e = 1e-5
    ahead, behind = (returns.rhs([1.1], returns.parameter_vector(gamma=0.7 + s))[0] for s in (e, -e))
    assert returns.jacobian([1.1], p)[0, k] == pytest.approx((ahead - behind) / (2 * e), rel=1e-7)
    # A map that is affine in theta has no higher coefficients; in gamma they agree with differences.
    inputs = np.zeros((1 + returns.m, 4))
    inputs[:, 0], inputs[0, 1] = [1.1, *p], 1.0
    assert np.abs(returns.jet(inputs)[0, 2:]).max() < 1e-9
    inputs[0, 1], inputs[k, 1] = 0.0, 1.0
    here = returns.rhs([1.1])[0]
    assert returns.jet(inputs)[0, 2] == pytest.approx((ahead + behind - 2 * here) / (2 * e * e), rel=1e-3)


def test_clipped_weights_lead_onto_the_circle_of_the_bound() -> None:
    game = gb.models.dirac_gan(variant="wgan", clip=1.0)
    flow = gb.system(game, gb.Flow())
    returns = gb.poincare(flow, "psi")
    for theta in (1.0, 1.2, 3.0):  # Mescheder et al. 2018: what reaches the bound ends on the circle r = clip
        assert returns.rhs([theta])[0] == pytest.approx(1.0, abs=1e-9)
        assert returns.jacobian([theta + 1e-3])[0, 0] == pytest.approx(0.0, abs=1e-9)  # all at once: multiplier 0
    assert returns.rhs([0.7])[0] == pytest.approx(0.7, abs=1e-9)  # inside every circle is kept
    section = returns.section
    assert section is not None
    assert section.period([1.0], returns.parameter_vector()) == pytest.approx(2.0 * math.pi, abs=1e-8)
    # With a negative penalty the orbits inside grow until they slide; for gamma -> 0 that cycle becomes the circle.
    growing = gb.poincare(flow.with_parameters(gamma=-0.3), "psi")
    # There it only touches the bound, for an ever shorter part of a step, and joins the circles that are all kept: for
    # gamma > 0 there is none.
    branch = gb.trace(gb.point(growing, {"theta": 1.0}), {"gamma": (-0.3, 0.3)}, at=[-1e-3])
    sliding = branch.column("gamma") < -1e-8
    assert np.abs(branch.spectrum[sliding]).max() < 1e-8  # superstable
    assert branch.states[sliding, 0][-1] == pytest.approx(1.0, abs=1e-3)
    assert branch.column("period")[-1] == pytest.approx(2.0 * math.pi, abs=1e-8)
    assert -1e-8 < branch.column("gamma")[-1] <= 0.0
    # Rounding decides whether the trace goes on along the circles, down to the equilibrium.
    assert branch.outcome[1].code in ("kink", "hopf")


def test_a_return_map_goes_to_another_process_and_can_be_tied_and_iterated() -> None:
    returns = gb.poincare(STUART_LANDAU, "y")
    again = pickle.loads(pickle.dumps(returns))  # noqa: S301 - our own
    assert again.rhs([0.3]).tolist() == returns.rhs([0.3]).tolist()
    twice = gb.iterate(returns, 2)
    assert twice.rhs([0.3])[0] == pytest.approx(returns.rhs(returns.rhs([0.3]))[0], abs=1e-12)
    other = gb.System.from_equations(
        "flow", {"x": "x*(a*b - x**2 - y**2) - y", "y": "y*(a*b - x**2 - y**2) + x"}, parameters={"a": 0.05, "b": 1.0}
    )
    tied = gb.tie(gb.poincare(other, "y"), b="2*a")
    # a b = 2 a**2 for a.
    assert tied.rhs([0.3])[0] == pytest.approx(radius_after_a_turn(0.3, 0.005), abs=1e-10)


def test_a_branch_of_cycles_is_saved_and_read(tmp_path: Path) -> None:
    branch = gb.trace(gb.point(gb.poincare(STUART_LANDAU, "y"), {"x": 0.3}), {"a": (0.04, 0.06)})
    branch.save(tmp_path / "cycles")
    again = gb.Branch.load(tmp_path / "cycles")
    assert again.states.tolist() == branch.states.tolist()
    assert again.system.rhs([0.3]).tolist() == branch.system.rhs([0.3]).tolist()  # the map itself came back


def test_where_nothing_returns_the_map_is_no_number() -> None:
    decay = gb.System.from_equations("flow", {"x": "-x", "y": "-y + 1"})
    assert np.isnan(gb.poincare(decay, "y", longest=50.0).rhs([1.0])).all()  # y only grows towards 1


@pytest.mark.parametrize(
    ("section", "settings", "words"),
    [
        ("x**2 + y**2 - 1", {}, "does not depend linearly on any state"),
        ("y", {"eliminate": "z"}, "z"),
        ("y", {"direction": 2}, "direction of a section is -1, 0 or 1, got 2"),
        ("y", {"longest": -1.0}, "finite longest time"),
    ],
)
def test_bad_sections_are_refused(section: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(MisuseError, match=words.replace("(", r"\(")):
        gb.poincare(STUART_LANDAU, section, **settings)


def test_a_map_has_no_poincare_map() -> None:
    with pytest.raises(MisuseError, match="A Poincare map is that of a flow"):
        gb.poincare(gb.System.from_equations("map", {"x": "x/2", "y": "y/2"}), "x")
    with pytest.raises(MisuseError, match="tangent to the section"):
        return_map_jets(STUART_LANDAU, [math.sqrt(0.05), 0.0], 6.28, [1.0, 0.0], [[1.0, 0.0]], 2)


def test_a_torus_begins_as_a_circle_of_a_return_map(tmp_path: Path) -> None:
    """Langford's flow without its asymmetric term; docs/how-to-circles.md holds its torus against a planar cycle."""
    field = {"x": "(z - b)*x - 3.5*y", "y": "3.5*x + (z - b)*y", "z": "0.6 + z - z**3/3 - (x**2 + y**2)*(1 + z/4)"}
    flow = gb.System.from_equations("flow", field, {"b": 0.95})
    run = gb.simulate(flow, [0.3, 0.0, 0.4], duration=200)
    born = gb.trace(gb.orbit_to_cycle(run), {"b": (0.85, 1.0)}, stop="NS")["NS1"]
    start = gb.neimark_sacker_to_circles(born)
    assert start.system.section is not None
    tori = gb.trace(start, {"b": (0.8, 0.9)}, max_points=3, coefficients=False)
    # Distance and height swing with trace 1 - b^2 - r^2/4 and determinant 2 r^2 (1 + b/4), where r^2 (1 + b/4) is
    # 0.6 + b - b^3/3; the trace is zero at the NS point, and a turn takes 2 pi / 3.5.
    b = born.parameters["b"]
    r = math.sqrt(4 * (1 - b * b))
    assert r**2 * (1 + b / 4) == pytest.approx(0.6 + b - b**3 / 3, abs=1e-9)
    assert tori.column("rotation_number")[-1] == pytest.approx(math.sqrt(2 * r**2 * (1 + b / 4)) / 3.5, abs=1e-4)
    assert tori.stable.all()
    tori.save(tmp_path / "tori")
    again = gb.Branch.load(tmp_path / "tori")
    np.testing.assert_array_equal(again.column("rotation_number"), tori.column("rotation_number"))
    for section, words in (("z - 5", "does not pass the section"), ("x**2", "linearly"), ("x - y**3", "")):
        if words:
            with pytest.raises(MisuseError, match=words):
                gb.neimark_sacker_to_circles(born, section=section)
        else:
            assert gb.neimark_sacker_to_circles(born, section=section).profile.rotation_number > 0.4
    with pytest.raises(MisuseError, match=r"simulate\(gb\.poincare"):
        gb.orbit_to_circle(run)

"""Continuation on systems whose bifurcation points and curves are known in closed form or in print."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb

equations = gb.System.from_equations

EXACT = 1e-10


def names(branch: gb.Branch) -> list[str]:
    return [p.name for p in branch.special_points]


def found(branch: gb.Branch, label: str, parameter: str) -> list[float]:
    return sorted(p.parameters[parameter] for p in branch.special_points if p.label == label)


def branch_of(
    system: gb.System, guess: Sequence[float] | Mapping[str, float], **free: tuple[float, float]
) -> gb.Branch:
    return gb.trace(gb.point(system, guess), free)


def check_residuals(branch: gb.Branch) -> None:
    for point in branch.special_points:
        assert point.residual < 1e-11, point


# -- maps -------------------------------------------------------------------------------------------------------------

HENON = equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.1, "b": 0.3})


def test_henon_fold_and_flip() -> None:
    branch = branch_of(HENON, [0.1, 0.1], a=(-1, 2))
    # Fixed points x = (b - 1 +- sqrt((1 - b)^2 + 4 a)) / 2 meet at a = -(1 - b)^2/4; flip at a = 3 (1 - b)^2/4.
    assert found(branch, "LP", "a") == pytest.approx([-0.1225], abs=EXACT)
    assert found(branch, "PD", "a") == pytest.approx([0.3675], abs=EXACT)
    assert len(branch.special_points) == 2
    assert [o.code for o in branch.outcome] == ["window", "window"]
    check_residuals(branch)


@pytest.mark.parametrize(("label", "factor"), [("LP", -0.25), ("PD", 0.75)])
def test_henon_curves(label: str, factor: float) -> None:
    curve = gb.trace(branch_of(HENON, [0.1, 0.1], a=(-1, 2))[label], {"a": (-3, 4), "b": (-0.9, 0.9)})
    # a = factor (1 - b)^2, from the quadratic of the fixed points; the curve reaches both ends of b.
    assert np.abs(curve.column("a") - factor * (1 - curve.column("b")) ** 2).max() < EXACT
    assert sorted(curve.column("b")[[0, -1]]) == pytest.approx([-0.9, 0.9])
    # x = -(1 - b)/2 on the fold; x = (1 - b)/2 on the flip.
    sign = -0.5 if label == "LP" else 0.5
    assert np.abs(curve.column("x") - sign * (1 - curve.column("b"))).max() < 1e-9


@pytest.mark.parametrize("R", [-0.1, 0.3])
def test_generalised_henon_neimark_sacker_curve(R: float) -> None:
    x0 = -0.4
    system = equations("map", {"x": "y", "y": "al - be*x - y**2 + R*x*y"}, {"al": 2 * x0 + x0**2, "be": 1.0, "R": R})
    at_start = system.with_parameters(al=x0 * 1.9 + x0**2 * (1 - R), be=0.9)
    branch = branch_of(at_start, [x0, x0], be=(0.5, 1.5))
    # Determinant be - R x = 1 with the fixed point's equation: al = 2 x + x^2, be = 1 + R x.
    point = branch["NS"]
    assert point.parameters["be"] == pytest.approx(1 + R * point.state["x"], abs=EXACT)
    curve = gb.trace(point, {"al": (-1.2, 4), "be": (0.5, 1.5)})
    x = curve.column("x")
    assert np.abs(curve.column("al") - 2 * x - x**2).max() < EXACT
    assert np.abs(curve.column("be") - 1 - R * x).max() < EXACT
    # Trace (R - 2) x = 2 cos(theta).
    assert np.abs(2 * np.cos(curve.measures["theta"]) - (R - 2) * x).max() < 1e-8
    labels = {p.label: p for p in curve.special_points}
    # Angles 0, pi, 2 pi/3 and pi/2 are where (R - 2) x = 2, -2, -1 and 0.
    for label, cosine in {"R1": 1.0, "R2": -1.0, "R3": -0.5, "R4": 0.0}.items():
        assert labels[label].state["x"] == pytest.approx(2 * cosine / (R - 2), abs=1e-8), label
    assert {"R1", "R2"} == {o.code for o in curve.outcome}


DELAYED = equations("map", {"x": "r*x*(1 - y) + eps", "y": "x"}, {"r": 1.7, "eps": 0.1})


def test_delayed_logistic_neimark_sacker_curve() -> None:
    branch = branch_of(DELAYED, [0.5, 0.5], r=(1.2, 2.6))
    # Determinant r x = 1 and x = r x (1 - x) + eps: eps = 2/r - 1.
    assert found(branch, "NS", "r") == pytest.approx([2 / 1.1], abs=EXACT)
    curve = gb.trace(branch["NS1"], {"r": (1.2, 2.6), "eps": (-0.2, 0.5)})
    r = curve.column("r")
    assert np.abs(curve.column("eps") - 2 / r + 1).max() < EXACT
    # Trace r (1 - x) = r - 1 = 2 cos(theta); theta = pi/3 at r = 2 (Kuznetsov, example 4.2).
    assert np.abs(2 * np.cos(curve.measures["theta"]) - r + 1).max() < 1e-9
    assert (curve.measures["coefficient"] < 0).all()


def test_logistic_cascade() -> None:
    system = equations("map", {"x": "r*x*(1 - x)"}, {"r": 2.0})
    branch = branch_of(system, [0.5], r=(0.5, 3.99))
    assert found(branch, "BP", "r") == pytest.approx([1.0], abs=EXACT)
    onsets = []
    for _ in range(4):
        onsets.append(branch["PD"].parameters["r"])
        branch = gb.trace(gb.flip_to_period_two(branch["PD"]), {"r": (2.5, 3.6)})
    # 3 and 1 + sqrt 6 exactly; the next in print: Strogatz, Nonlinear Dynamics and Chaos, section 10.2.
    assert onsets[:2] == pytest.approx([3.0, 1 + 6**0.5], abs=EXACT)
    assert onsets[2] == pytest.approx(3.54409, abs=1e-5)
    assert onsets[3] == pytest.approx(3.56440, abs=1.5e-5)


def test_logistic_period_three() -> None:
    system = gb.iterate(equations("map", {"x": "r*x*(1 - x)"}, {"r": 3.84}), 3)
    branch = branch_of(system, [0.149], r=(3.7, 3.95))
    # The window opens in a fold at 1 + sqrt 8, at each of the three points of the cycle.
    assert found(branch, "LP", "r") == pytest.approx([1 + 8**0.5] * len(found(branch, "LP", "r")), abs=EXACT)
    assert len(found(branch, "LP", "r")) >= 1
    # The cycle's own flip: Strogatz, section 10.4 and exercise (3.8415).
    assert found(branch, "PD", "r")[0] == pytest.approx(3.8415, abs=1e-4)


def test_iterates_share_the_points_of_the_map() -> None:
    once = branch_of(HENON, [0.1, 0.1], a=(-1, 2))
    twice = branch_of(gb.iterate(HENON, 2), [0.1, 0.1], a=(-1, 2))
    # Multipliers are squared: the flip of the map is a pitchfork of its second iterate, the fold stays a fold.
    assert found(twice, "LP", "a") == pytest.approx(found(once, "LP", "a"), abs=EXACT)
    assert found(twice, "BP", "a") == pytest.approx(found(once, "PD", "a"), abs=EXACT)
    assert twice["BP"].normal_form["kind"] == "pitchfork"


# -- flows ------------------------------------------------------------------------------------------------------------

BRUSSELATOR = equations("flow", {"x": "A - (B + 1)*x + x**2*y", "y": "B*x - x**2*y"}, {"A": 1.0, "B": 1.0})


@pytest.mark.parametrize("A", [0.3, 1.0, 1.7])
def test_brusselator_hopf(A: float) -> None:
    branch = branch_of(BRUSSELATOR.with_parameters(A=A), [A, 1 / A], B=(0.5, 5))
    point = branch["H1"]
    assert names(branch) == ["H1"]
    # Trace B - 1 - A^2, determinant A^2.
    assert point.parameters["B"] == pytest.approx(1 + A**2, abs=EXACT)
    assert point.normal_form["omega"] == pytest.approx(A, abs=EXACT)
    assert point.criticality == "supercritical"  # for all A; the coefficient itself in test_normal_forms.py


def test_brusselator_hopf_curve() -> None:
    branch = branch_of(BRUSSELATOR, [1, 1], B=(0.5, 5))
    curve = gb.trace(branch["H1"], {"A": (0.1, 2.5), "B": (0.5, 5)})
    assert np.abs(curve.column("B") - 1 - curve.column("A") ** 2).max() < EXACT
    assert np.abs(curve.measures["omega"] - curve.column("A")).max() < EXACT
    assert curve.special_points == ()


LORENZ = equations(
    "flow", {"x": "s*(y - x)", "y": "r*x - y - x*z", "z": "x*y - b*z"}, {"s": 10.0, "r": 0.5, "b": 8 / 3}
)


def lorenz_hopf(s: float, b: float) -> float:
    return s * (s + b + 3) / (s - b - 1)  # Lorenz 1963


def test_lorenz_pitchfork_and_subcritical_hopf() -> None:
    trivial = branch_of(LORENZ, [0, 0, 0], r=(0, 30))
    assert names(trivial) == ["BP1"]
    assert trivial["BP1"].parameters["r"] == pytest.approx(1.0, abs=EXACT)
    assert trivial["BP1"].normal_form["kind"] == "pitchfork"
    assert trivial["BP1"].criticality == "supercritical"
    side = gb.trace(gb.branch_point_to_branch(trivial["BP1"]), {"r": (0, 30)})
    # Both halves x = +- sqrt(b (r - 1)), the branch point met between them.
    assert found(side, "H", "r") == pytest.approx([lorenz_hopf(10, 8 / 3)] * 2, abs=1e-9)
    assert found(side, "BP", "r") == pytest.approx([1.0], abs=1e-9)
    assert np.abs(side.column("x") ** 2 - 8 / 3 * (side.parameters[:, 0] - 1)).max() < 1e-8
    assert side["H1"].criticality == "subcritical"
    check_residuals(side)


def test_lorenz_hopf_curve() -> None:
    side = branch_of(LORENZ.with_parameters(r=20.0), [7, 7, 19], r=(2, 30))
    curve = gb.trace(side["H"], {"r": (5, 100), "s": (5, 40)})
    s = curve.column("s")
    assert np.abs(curve.column("r") - lorenz_hopf(s, 8 / 3)).max() < 1e-8
    # omega^2 = b (r + s), from the characteristic polynomial.
    assert np.abs(curve.measures["omega"] ** 2 - 8 / 3 * (curve.column("r") + s)).max() < 1e-8


AB = equations(
    "flow",
    {"u1": "-u1 + p1*(1 - u1)*exp(u2)", "u2": "-u2 + p1*p2*(1 - u1)*exp(u2) - p3*u2"},
    {"p1": 0.0, "p2": 14.0, "p3": 2.0},
)  # AUTO's demo ab


def test_ab_reaction() -> None:
    branch = branch_of(AB, [0, 0], p1=(0, 0.2))
    assert sorted(names(branch)) == ["H1", "LP1", "LP2"]
    # u2 = p2 u1/(1 + p3) and p1 = u1/(1 - u1) exp(-u2): folds where u1 (1 - u1) = (1 + p3)/p2.
    u = (1 + np.array([-1, 1]) * np.sqrt(1 - 4 * 3 / 14)) / 2
    folds = u / (1 - u) * np.exp(-14 * u / 3)
    assert found(branch, "LP", "p1") == pytest.approx(sorted(folds), abs=EXACT)
    # Trace -2 - p3 - u1/(1 - u1) + p2 u1 = 0.
    u1 = branch["H1"].state["u1"]
    assert 14 * u1 * (1 - u1) - 4 * (1 - u1) - u1 == pytest.approx(0.0, abs=1e-11)
    assert branch["H1"].parameters["p1"] == pytest.approx(u1 / (1 - u1) * np.exp(-14 * u1 / 3), abs=1e-12)
    check_residuals(branch)


def test_ab_fold_and_hopf_curves() -> None:
    branch = branch_of(AB, [0, 0], p1=(0, 0.2))
    folds = gb.trace(branch["LP1"], {"p1": (0, 0.3), "p2": (10, 20)})
    u = folds.column("u1")
    assert np.abs(u * (1 - u) * folds.column("p2") - 3).max() < EXACT
    # On the way a zero eigenvalue becomes double, which is no change of criticality (the coefficient has a pole there).
    assert sorted(p.label for p in folds.special_points) == ["BT", "CP"]
    # The two folds meet in a cusp at u = 1/2, p2 = 12, p1 = exp(-2).
    cusp = folds["CP"]
    assert [cusp.state["u1"], cusp.parameters["p2"], cusp.parameters["p1"]] == pytest.approx(
        [0.5, 12, np.exp(-2)], abs=1e-8
    )
    hopf = gb.trace(branch["H1"], {"p1": (0, 0.3), "p2": (5, 20)})
    u = hopf.column("u1")
    assert np.abs(hopf.column("p2") * u - 4 - u / (1 - u)).max() < 1e-9
    # Fold and Hopf conditions together: u = 1/3, p2 = 13.5, p1 = exp(-4.5 / 3)/2... = u/(1 - u) exp(-p2 u/3).
    end = hopf["BT"]
    assert [end.state["u1"], end.parameters["p2"], end.parameters["p1"]] == pytest.approx(
        [1 / 3, 13.5, 0.5 * np.exp(-1.5)], abs=1e-7
    )
    assert "BT" in {o.code for o in hopf.outcome}


# -- branch points ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cubic", [-1, 1])
@pytest.mark.parametrize("kind", ["flow", "map"])
def test_pitchfork_met_from_all_sides(kind: str, cubic: int) -> None:
    term = "x + " if kind == "map" else ""
    system = equations(kind, {"x": f"{term}a*x + {cubic}*x**3 "}, {"a": 0.3 * cubic})
    trivial = branch_of(system.with_parameters(a=-0.7), [0], a=(-1, 1))
    assert found(trivial, "BP", "a") == pytest.approx([0], abs=EXACT)
    assert trivial["BP1"].criticality == ("supercritical" if cubic < 0 else "subcritical")
    side = gb.trace(gb.branch_point_to_branch(trivial["BP1"]), {"a": (-1, 1)})
    assert np.abs(side.column("x") ** 2 + cubic * side.parameters[:, 0]).max() < 1e-9  # a + cubic x^2 = 0
    # Arriving on the side branch, from either half, the same point is a branch point and no fold.
    for sign in (-1, 1):
        arriving = branch_of(system.with_parameters(a=-0.3 * cubic), [sign * 0.3**0.5], a=(-1, 1))
        assert names(arriving) == ["BP1"], arriving.special_points
        assert arriving["BP1"].normal_form["kind"] == "pitchfork"
        assert arriving["BP1"].parameters["a"] == pytest.approx(0, abs=1e-9)
        back = gb.trace(gb.branch_point_to_branch(arriving["BP1"]), {"a": (-1, 1)})
        assert np.abs(back.column("x")).max() < 1e-9  # and the other branch from there is the trivial one


def test_transcritical_from_both_branches() -> None:
    system = equations("flow", {"x": "a*x - x**2"}, {"a": -0.5})
    for start in ([0.0], [-0.5]):
        branch = branch_of(system, start, a=(-1, 1))
        assert names(branch) == ["BP1"]
        assert branch["BP1"].normal_form["kind"] == "transcritical"
        assert branch["BP1"].parameters["a"] == pytest.approx(0, abs=EXACT)
        # Stable on one side only, and as a whole (x = 0 for a < 0, x = a for a > 0).
        assert branch.stable.any()
        assert not branch.stable.all()


def test_curve_of_pitchforks() -> None:
    system = equations("flow", {"x": "(a - b**2)*x - x**3 + x*y", "y": "-y + x**2/4"}, {"a": -0.7, "b": 0.5})
    curve = gb.trace(branch_of(system, [0, 0], a=(-1, 2))["BP1"], {"a": (-1, 2), "b": (-1, 1)})
    assert np.abs(curve.column("a") - curve.column("b") ** 2).max() < EXACT  # on x = y = 0 the eigenvalue is a - b^2
    assert curve.note == ""


# -- what a user may ask ----------------------------------------------------------------------------------------------


def test_events_and_their_curves() -> None:
    spiral = equations("map", {"x": "a*x - b*y", "y": "b*x + a*y"}, {"a": 0.5, "b": 0.3})
    rate = gb.Event.rate("0.99")
    branch = gb.trace(gb.point(spiral, [0, 0]), {"a": (0.2, 1.2)}, events=[rate, gb.Event.function("a - 2*b", "twice")])
    assert branch["rate 0.99"].parameters["a"] == pytest.approx((0.99**2 - 0.09) ** 0.5, abs=EXACT)  # |a + i b| = 0.99
    assert branch["twice"].parameters["a"] == pytest.approx(0.6, abs=EXACT)
    curve = gb.trace(branch["rate 0.99"], {"a": (-1.2, 1.2), "b": (-1.2, 1.2)})
    assert np.abs(np.hypot(curve.column("a"), curve.column("b")) - 0.99).max() < EXACT  # a circle
    line = gb.trace(branch["twice"], {"a": (0.2, 1.2), "b": (0.1, 0.6)})
    assert np.abs(line.column("a") - 2 * line.column("b")).max() < EXACT


def test_focus_event_and_its_curve() -> None:
    oscillator = equations("flow", {"x": "v", "v": "-k*x - c*v"}, {"k": 1.0, "c": 3.0})
    branch = gb.trace(gb.point(oscillator, [0, 0]), {"c": (0.5, 4)}, events=[gb.Event.focus()])
    assert branch["focus"].parameters["c"] == pytest.approx(2, abs=EXACT)  # critical damping c^2 = 4 k
    curve = gb.trace(branch["focus"], {"c": (0.5, 4), "k": (0.1, 5)})
    assert np.abs(curve.column("c") ** 2 - 4 * curve.column("k")).max() < 1e-9


def test_user_points_stop_and_bounds() -> None:
    fold = equations("flow", {"x": "a - x**2"}, {"a": 0.5})
    start = gb.point(fold, [0.7])
    branch = gb.trace(start, {"a": (-1, 1)}, at=[0.25, 0.75])
    # x = +- sqrt a on both sides of the fold.
    assert sorted(p.state["x"] for p in branch.special_points if p.label == "UZ") == pytest.approx(
        [-(0.75**0.5), -0.5, 0.5, 0.75**0.5], abs=EXACT
    )
    stopped = gb.trace(start, {"a": (-1, 1)}, stop="LP")
    assert {"stop", "window"} == {o.code for o in stopped.outcome}
    assert stopped.column("x").min() > -1e-9  # the side x < 0 is not entered
    bounded = gb.trace(start, {"a": (-1, 1)}, bounds={"x": (-0.5, 0.9)})
    assert bounded.column("x").min() >= -0.5
    assert bounded.column("x").max() <= 0.9
    assert {o.code for o in bounded.outcome} == {"bounds"}
    with pytest.raises(gb.MisuseError, match="whole number"):
        gb.trace(start, {"a": (-1, 1)}, max_points=7.5)
    with pytest.raises(gb.MisuseError, match="expected finite"):
        gb.trace(start, {"a": (-1, 1)}, at="0.5")
    # One value needs no list; an event is nowhere where its function is not defined.
    once = gb.trace(start, {"a": (-1, 1)}, at=0.25, events=[gb.Event.function("log(a - 0.5) + 1")])
    assert sorted(p.label for p in once.special_points) == ["LP", "UZ", "UZ", *2 * ["log(a - 0.5) + 1"]]
    short = gb.trace(start, {"a": (-1, 1)}, max_points=7)
    assert "points" in {o.code for o in short.outcome}
    assert len(short) <= 13  # at most seven in each direction, which share the start


def test_user_points_and_events_at_the_start_and_at_the_frame() -> None:
    hopf = equations("flow", {"x": "a*x - y - x*(x**2 + y**2)", "y": "x + a*y - y*(x**2 + y**2)"}, {"a": -0.5})
    asked = [-1.0, -0.5, 0.0, 1.0]
    branch = gb.trace(gb.point(hopf, [0, 0]), {"a": (-1, 1)}, at=asked)
    assert found(branch, "UZ", "a") == pytest.approx(asked, abs=EXACT)
    assert found(branch, "H", "a") == pytest.approx([0.0], abs=EXACT)


def test_logarithmic_window() -> None:
    system = equations("map", {"x": "x - a*(x**2 - 1)"}, {"a": 1e-3})
    branch = gb.trace(gb.point(system, [1.1]), {"a": gb.log_range(1e-4, 10)})
    assert found(branch, "PD", "a") == pytest.approx([1.0], abs=EXACT)  # multiplier 1 - 2 a
    assert branch.parameters[[0, -1], 0] == pytest.approx([1e-4, 10], rel=1e-12)


def test_domain_ends_a_trace() -> None:
    system = equations("flow", {"x": "a - x"}, {"a": 0.2}, domain=[("1 - x", "the pot is full")])
    branch = branch_of(system, [0.2], a=(0, 2))
    assert branch.column("x").max() <= 1.0
    assert "the pot is full" in branch.outcome[1].message


FOLD = equations("flow", {"x": "a - x**2"}, {"a": 0.5})


@pytest.mark.parametrize(
    ("free", "options", "text"),
    [
        ({"a": (1, -1)}, {}, "reversed"),
        ({"al": (0, 1)}, {}, "Did you mean|Known: a"),
        ({"a": (2, 3)}, {}, "outside the window"),
        ({"a": (np.nan, 3)}, {}, "finite"),
        ({}, {}, "one or two names"),
        ({"a": 0.5}, {}, "pair"),
        ({"a": (-1, 1)}, {"bounds": {"y": (0, 1)}}, "Unknown state 'y'"),
        ({"a": (-1, 1)}, {"max_points": 0}, "at least 1"),
        ({"a": (-1, 1)}, {"events": [gb.Event.function("a + q")]}, "'q'"),
        ({"a": (-1, 1)}, {"events": [gb.Event.rate("x")]}, "state 'x'"),
        ({"a": (-1, 1)}, {"at": [5.0]}, "outside the window"),
        ({"a": (-1, 1)}, {"at": [np.nan]}, "finite"),
        ({"a": (-1, 1)}, {"stop": "XX"}, "XX"),
    ],
)
def test_bad_questions_are_refused(free: dict[str, tuple[float, float]], options: dict[str, object], text: str) -> None:
    with pytest.raises(gb.MisuseError, match=text):
        gb.trace(gb.point(FOLD, [0.7]), free, **options)  # type: ignore[arg-type]


def test_bad_starts_are_refused() -> None:
    with pytest.raises(gb.MisuseError, match="finite"):
        gb.point(FOLD, [np.nan])
    with pytest.raises(gb.MisuseError, match="found no"):
        gb.point(FOLD.with_parameters(a=-1), [0.7])
    with pytest.raises(gb.MisuseError, match="tail"):
        gb.point(equations("flow", {"x": "exp(-x)"}), [0.0])
    with pytest.raises(gb.MisuseError, match="does not solve"):
        gb.trace(gb.Point(FOLD, np.array([3.0]), np.zeros(1, complex)), {"a": (-1, 1)})
    with pytest.raises(gb.MisuseError, match="labelled PD"):
        gb.flip_to_period_two(gb.point(FOLD, [0.7]))
    # x -> -a x: at a = 1 every x has period two, and the normal form says nothing of where.
    linear = gb.trace(gb.point(equations("map", {"x": "-a*x"}, {"a": 0.5}), [0.0]), {"a": (0.1, 2)})
    with pytest.raises(gb.MisuseError, match="coefficient b vanishes"):
        gb.flip_to_period_two(linear["PD1"])
    with pytest.raises(gb.MisuseError, match="number of starts"):
        gb.find_equilibria(FOLD, starts=[0.0])
    with pytest.raises(gb.MisuseError, match="A state is 1 numbers"):
        gb.point(FOLD, "half")
    with pytest.raises(gb.MisuseError, match="Step sizes"):
        gb.StepControl(first=float("nan"))


def test_a_plain_list_of_numbers_is_one_start() -> None:
    from gan_bifurcation.continuation.set_search import starting_points
    from gan_bifurcation.continuation.set_window import Window

    saddle = equations("flow", {"x": "x - a", "y": "b - y"}, {"a": 0.5, "b": 0.5})
    window = Window.of(saddle, {"a": (0, 1), "b": (0, 1)})
    for start in ([0.4, 0.4], (0, 1), [[0.4, 0.4], {"x": 0, "y": 1}], np.zeros(2)):
        found, _ = starting_points(saddle, window, start, None, 0)
        assert [p.x.tolist() for p in found] == [[0.5, 0.5]]  # the only equilibrium is (a, b)


# -- properties -------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(-1.0, 1.0), st.floats(0.2, 3.0), st.floats(-0.9, 0.9))
def test_a_branch_traced_back_returns_to_its_start(c1: float, c2: float, c3: float, a: float) -> None:
    """From the far end of a branch, a trace passes through the start of the first one."""
    system = equations("flow", {"x": f"a + {c1}*x + {c2}*x**2 - {c3}*x**3 + y/4", "y": "x - y"}, {"a": a})
    roots = np.roots([-c3, c2, c1 + 0.25, a])
    x = float(roots[np.argmin(np.abs(roots.imag))].real)  # a cubic has a real root
    try:
        start = gb.point(system, [x, x])
    except gb.MisuseError:
        return  # a start beside a fold: Newton's method may refuse it, which other tests look at
    there = gb.trace(start, {"a": (-1, 1)}, coefficients=False)
    back = gb.trace(there.point(len(there) - 1), {"a": (-1, 1)}, coefficients=False)
    assert [p.label for p in back.special_points] == [p.label for p in there.special_points]
    assert found(back, "LP", "a") == pytest.approx(found(there, "LP", "a"), abs=1e-9)
    target = np.array([start.parameters["a"], start.state["x"]])
    curve = np.column_stack([back.parameters[:, 0], back.column("x")])
    ends = np.column_stack([there.parameters[:, 0], there.column("x")])
    for point in (target, ends[0], ends[-1]):
        a0, b0 = curve[:-1], curve[1:]
        chord = b0 - a0
        f = np.clip(((point - a0) * chord).sum(1) / (chord**2).sum(1), 0, 1)
        distance = np.hypot(*(a0 + f[:, None] * chord - point).T).min()
        assert distance < 2e-3  # the chords of a curve of curvature 1 at steps of 0.06

"""Continuation where programs go wrong: exact landings, near coincidences, symmetry, manifolds, units, time scales."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb
from gan_bifurcation.continuation._spectrum import eigenvalues

equations = gb.System.from_equations


def labels(branch: gb.Branch) -> list[str]:
    return [p.label for p in branch.special_points]


def values(branch: gb.Branch, name: str) -> list[float]:
    return sorted(p.parameters[name] for p in branch.special_points)


# Each has its point at a = 0 on the branch x = 0.
NORMAL_FORMS = {
    "H": ("flow", {"x": "a*x - y - x*(x**2 + y**2)", "y": "x + a*y - y*(x**2 + y**2)"}),
    "pitchfork": ("flow", {"x": "a*x - x**3"}),
    "transcritical": ("flow", {"x": "a*x - x**2"}),
    "PD": ("map", {"x": "-(1 + a)*x + x**3"}),
    "NS": ("map", {"x": "(1 + a)*(3*x - 4*y)/5 - x*(x**2 + y**2)", "y": "(1 + a)*(4*x + 3*y)/5 - y*(x**2 + y**2)"}),
}


@pytest.mark.parametrize("name", NORMAL_FORMS)
@pytest.mark.parametrize("start", [-0.5, -0.25, 0.375, -1.0])
def test_a_step_lands_exactly_on_the_point(name: str, start: float) -> None:
    kind, field = NORMAL_FORMS[name]
    system = equations(kind, field, {"a": start})
    # Steps of 1/16 of the window, which the numbers above are multiples of.
    control = gb.StepControl(first=1 / 16, largest=1 / 16)
    branch = gb.trace(gb.point(system, np.zeros(system.n)), {"a": (-1, 1)}, control=control)
    assert len(branch.special_points) == 1, branch.special_points
    assert values(branch, "a") == pytest.approx([0], abs=1e-12)
    assert branch.special_points[0].label == (name if name.isupper() else "BP")


@pytest.mark.parametrize("name", ["H", "PD", "NS"])
def test_a_trace_starts_on_the_point(name: str) -> None:
    kind, field = NORMAL_FORMS[name]
    system = equations(kind, field, {"a": 0.0})
    branch = gb.trace(gb.point(system, np.zeros(system.n)), {"a": (-1, 1)})
    assert labels(branch) == [name]


def test_a_trace_starts_on_a_fold_and_is_told_of_a_branch_point() -> None:
    fold = gb.trace(gb.point(equations("flow", {"x": "a - x**2"}, {"a": 0.5}), [0.7]), {"a": (-1, 1)})["LP1"]
    assert labels(gb.trace(fold, {"a": (-1, 1)})) == ["LP"]
    with pytest.raises(gb.MisuseError, match="branch point"):
        gb.trace(gb.point(equations("flow", {"x": "a*x - x**3"}, {"a": 0.0}), [0.0]), {"a": (-1, 1)})


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4])
def test_two_hopf_points_closer_than_a_step(gap: float) -> None:
    growth = f"({gap}**2 - a**2)"
    field = {"x": f"{growth}*x - y - x*(x**2 + y**2)", "y": f"x + {growth}*y - y*(x**2 + y**2)"}
    branch = gb.trace(gb.point(equations("flow", field, {"a": -0.53}), [0, 0]), {"a": (-1, 1.03)})
    assert labels(branch) == ["H", "H"]
    # Real part gap^2 - a^2; its zero is only as well conditioned as 1e-16/gap.
    assert values(branch, "a") == pytest.approx([-gap, gap], abs=1e-14 / gap + 1e-12)


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.sampled_from([1e-2, 1e-3, 1e-4]))
@example(0.005, 0.0, 1e-3)  # the first two points are at the same distance from both
def test_two_flips_closer_than_a_step_for_any_start(where: float, start: float, gap: float) -> None:
    system = equations("map", {"x": "-(1 + e - (a - c)**2)*x + x**3"}, {"a": start, "c": where, "e": gap**2})
    branch = gb.trace(gb.point(system, [0.0]), {"a": (-1, 1)}, coefficients=False)
    expected = sorted(v for v in (where - gap, where + gap))  # multiplier -1 where (a - c)^2 = e
    assert sorted(p.parameters["a"] for p in branch.special_points if p.label == "PD") == pytest.approx(
        expected, abs=1e-9
    )


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_trace_starts_on_one_of_two_flips(gap: float, side: int) -> None:
    system = equations("map", {"x": "-(1 + e - a**2)*x + x**3"}, {"a": side * gap, "e": gap**2})
    branch = gb.trace(gb.point(system, [0.0]), {"a": (-1, 1)}, coefficients=False)
    assert labels(branch) == ["PD", "PD"]
    assert values(branch, "a") == pytest.approx([-gap, gap], abs=1e-9)  # multiplier -1 where a^2 = e


@pytest.mark.parametrize("gap", [2e-5, 1e-5, 3e-6])
def test_two_crossings_with_less_between_them_than_counts_as_neutral(gap: float) -> None:
    # Between them the multiplier is -(1 + gap^2) at most: less than 1e-9 beyond the boundary.
    flips = equations("map", {"x": "-(1 + e - a**2)*x + x**3"}, {"a": -0.53, "e": gap**2})
    branch = gb.trace(gb.point(flips, [0.0]), {"a": (-1, 1.03)}, coefficients=False)
    assert labels(branch) == ["PD", "PD"]
    assert values(branch, "a") == pytest.approx([-gap, gap], abs=1e-3 * gap)
    field = {"x": "(e - a**2)*x - y - x*(x**2 + y**2)", "y": "x + (e - a**2)*y - y*(x**2 + y**2)"}
    branch = gb.trace(gb.point(equations("flow", field, {"a": -0.53, "e": gap**2}), [0, 0]), {"a": (-1, 1.03)})
    assert values(branch, "a") == pytest.approx([-gap, gap], abs=1e-3 * gap)


def test_two_pairs_that_form_in_one_step_are_both_found() -> None:
    # Eigenvalues -1 +- sqrt(-a) and -2 +- sqrt(0.001 - a): pairs form at a = 0 and at a = 0.001.
    field = {"x": "-x + y", "y": "-a*x - y", "z": "-2*z + w", "w": "(0.001 - a)*z - 2*w"}
    start = gb.point(equations("flow", field, {"a": -0.5}), np.zeros(4))
    control = gb.StepControl(first=0.05, largest=0.05)
    branch = gb.trace(start, {"a": (-1, 1)}, events=[gb.Event.focus()], control=control)
    assert values(branch, "a") == pytest.approx([0, 0.001], abs=1e-9)


@pytest.mark.parametrize("e", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_two_folds_closer_than_a_step(e: float) -> None:
    branch = gb.trace(gb.point(equations("flow", {"x": "a + e*x - x**3"}, {"a": -1.0, "e": e}), [-1.0]), {"a": (-1, 1)})
    assert labels(branch) == ["LP", "LP"]
    # 3 x^2 = e, a = -+ 2 (e/3)^(3/2).
    assert values(branch, "a") == pytest.approx([-2 * (e / 3) ** 1.5, 2 * (e / 3) ** 1.5], abs=1e-12)


def test_a_pair_that_only_touches_the_axis() -> None:
    field = {"x": "-a**2*x - y - x*(x**2 + y**2)", "y": "x - a**2*y - y*(x**2 + y**2)"}
    branch = gb.trace(gb.point(equations("flow", field, {"a": -0.53}), [0, 0]), {"a": (-1, 1.03)})
    assert labels(branch) == ["H"]
    assert branch["H1"].parameters["a"] == pytest.approx(0, abs=1e-5)  # real part -a^2
    assert "touches" in branch["H1"].note


@pytest.mark.parametrize("radius", [0.5, 0.02, 0.002])
def test_isola(radius: float) -> None:
    system = equations("flow", {"x": "r**2 - a**2 - x**2"}, {"a": 0.0, "r": radius})
    branch = gb.trace(gb.point(system, [radius]), {"a": (-1, 1)})
    assert branch.closed
    assert {o.code for o in branch.outcome} == {"closed"}
    # A circle: folds at its left and right end, once each.
    assert labels(branch) == ["LP", "LP"]
    assert values(branch, "a") == pytest.approx([-radius, radius], abs=1e-10)


def test_neutral_saddles_get_no_label() -> None:
    # Eigenvalues 0.5 + a, -0.5 + a add up to zero at a = 0; multipliers 2 + a and 1/2 have the product 1 there.
    flow = equations("flow", {"x": "a*x + y/2", "y": "x/2 + a*y"}, {"a": -0.3})
    assert labels(gb.trace(gb.point(flow, [0, 0]), {"a": (-0.4, 0.4)})) == []
    saddle = equations("map", {"x": "(2 + a)*x", "y": "y/2"}, {"a": -0.3})
    assert labels(gb.trace(gb.point(saddle, [0, 0]), {"a": (-0.9, 0.9)})) == []


# -- manifolds --------------------------------------------------------------------------------------------------------

# A circle of equilibria, x^2 + y^2 = 1, and across it the rate -2.
CIRCLE = {"x": "x*(1 - x**2 - y**2)", "y": "y*(1 - x**2 - y**2)"}


@pytest.mark.parametrize("off", [1e-9, 1e-7, 1e-4, 0.05])
def test_a_point_of_a_manifold_is_the_nearest_one(off: float) -> None:
    circle = equations("flow", CIRCLE)
    for angle in (0.3, 2.0, 4.4):
        on, along = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        guess = on + off * (0.8 * on + 0.6 * along)
        # The nearest point of a circle to a point is in its direction.
        assert gb.point(circle, guess).x == pytest.approx(guess / np.linalg.norm(guess), abs=1e-12)
    # A line of equilibria l = -r = -1.2 that another one, l = r, crosses far away; 1e-7 off it, Newton's method went
    # to the other one.
    interval = gb.system(gb.models.interval_gan(), gb.Flow())
    guess = np.array([-1.2, 1.2, 0.0]) + off * np.array([0.6, 0.0, 0.8])
    assert np.linalg.norm(gb.point(interval, guess).x - guess) < 1.5 * off


def test_a_trace_that_nothing_determines_ends_at_once() -> None:
    # Where the interval [a, b] is closed and u = -m, two manifolds of equilibria meet: every derivative vanishes.
    steps = gb.tie(gb.system(gb.models.symmetric_mixture_gan(), gb.Simultaneous()), eta_g="eta_d")
    x = np.array([-1.0436268477718547, -1.0436269023788756, 0.4999999738713413])
    branch = gb.trace(gb.Point(steps, x, np.ones(3, dtype=complex)), {"m": (0.3, 1.0)})
    assert [o.code for o in branch.outcome] == ["singular", "singular"]
    assert len(branch) == 1
    assert "manifold" in branch.outcome[0].message


@pytest.mark.parametrize(("rule", "label", "factor"), [("Simultaneous", "NS", 1.0), ("Alternating", "PD", 3**0.5 - 1)])
def test_curves_on_a_manifold_of_equilibria(rule: str, label: str, factor: float) -> None:
    steps = gb.tie(gb.system(gb.models.interval_gan(), getattr(gb, rule)()), eta_g="eta_d")
    branch = gb.trace(gb.point(steps), {"eta_d": (0.01, 12)}, coefficients=False)
    assert labels(branch) == [label]
    # On the line of intervals [true - 1, true + 1], at eta density(1) = 1 or sqrt(3) - 1 (mixture sheet), wherever
    # the truth is.
    critical = factor * np.sqrt(2 * np.pi) * np.exp(0.5)
    assert values(branch, "eta_d") == pytest.approx([critical], rel=1e-10)
    curve = gb.trace(branch[f"{label}1"], {"eta_d": (0.01, 12), "true": (-1, 1)})
    assert (curve.column("true").min(), curve.column("true").max()) == (-1.0, 1.0)
    assert curve.column("eta_d") == pytest.approx(np.full(len(curve), critical), rel=1e-9)
    assert "manifold of dimension 1" in curve.note


def test_a_search_whose_starts_run_off_warns_of_nothing() -> None:
    # Steps lead to where exp(exp(x)) overflows; warnings are errors here.
    wild = equations("flow", {"x": "exp(x) - x**3 + y**7", "y": "exp(exp(x)) - 2*y"})
    assert gb.find_equilibria(wild, {"x": (-50, 50), "y": (-50, 50)}).unexplored


# -- symmetry ---------------------------------------------------------------------------------------------------------

DOUBLE_HOPF = {
    "x": "a*x - y - x*(x**2 + y**2)", "y": "x + a*y - y*(x**2 + y**2)",
    "u": "a*u - v - u*(u**2 + v**2)", "v": "u + a*v - v*(u**2 + v**2)",
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "field", "label", "multiplicity"),
    [
        ("flow", DOUBLE_HOPF, "H", 2),
        ("flow", {"x": "a*x - x**3 - x*y**2", "y": "a*y - y**3 - y*x**2"}, "BP", 2),
        ("flow", {"x": "a*x - x**3", "y": "a*y - y**3", "z": "a*z - z**3"}, "BP", 3),
        ("map", {"x": "-(1 + a)*x - x**3 - x*y**2", "y": "-(1 + a)*y - y**3 - y*x**2"}, "PD", 2),
    ],
)
@pytest.mark.parametrize("start", [-0.53, -0.5])
def test_equal_eigenvalues_cross_together(
    kind: str, field: dict[str, str], label: str, multiplicity: int, start: float
) -> None:
    system = equations(kind, field, {"a": start})
    branch = gb.trace(gb.point(system, np.zeros(system.n)), {"a": (-1, 1)})
    assert labels(branch) == [label]
    point = branch.special_points[0]
    assert point.multiplicity == multiplicity
    assert point.parameters["a"] == pytest.approx(0, abs=1e-11)
    assert dict(point.normal_form) == {}
    assert "fixed-point subspace" in point.note
    with pytest.raises(gb.MisuseError, match=r"cross together|null space of dimension"):
        gb.normal_form(point)


def test_restriction_gives_the_coefficient_of_a_double_hopf() -> None:
    system = equations("flow", DOUBLE_HOPF, {"a": -0.53})
    swap = gb.Symmetry("swap", {"x": (1, "u"), "u": (1, "x"), "y": (1, "v"), "v": (1, "y")})
    plane = gb.restrict(system, swap)
    branch = gb.trace(gb.point(plane, [0, 0]), {"a": (-1, 1)})
    # In the plane x = u, y = v it is the planar normal form: r' = a r - r^3 with x = r cos, q = (1, -i)/sqrt 2.
    assert branch["H1"].normal_form["l1"] == pytest.approx(-2, abs=1e-10)


# -- conserved quantities and manifolds -------------------------------------------------------------------------------


def test_hamiltonian_branch_is_neutral_and_its_fold_is_found() -> None:
    system = equations("flow", {"x": "y", "y": "a - x**2"}, {"a": 1.0})
    branch = gb.trace(gb.point(system, [1, 0]), {"a": (-1, 2)})
    assert labels(branch) == ["LP"]  # centre and saddle meet at a = 0; no Hopf points although real parts are zero
    assert branch["LP1"].parameters["a"] == pytest.approx(0, abs=1e-10)
    assert "stability boundary along the branch" in branch.note


@pytest.mark.parametrize("kind", ["flow", "map"])
def test_manifold_of_equilibria(kind: str) -> None:
    x = "x + " if kind == "map" else ""
    y = "y + " if kind == "map" else ""
    z = "z + " if kind == "map" else ""
    field = {"x": f"{x}(z - x)/10", "z": f"{z}(x - z)/5", "y": f"{y}a*y - y**3"}
    system = equations(kind, field, {"a": -0.3})
    branch = gb.trace(gb.point(system, [1, 1, 0]), {"a": (-1, 1)})
    # x = z at any value: one eigenvalue is structural, only the transverse spectrum counts. y's pitchfork is at a = 0.
    assert "manifold of dimension 1" in branch.note
    assert labels(branch) == ["BP"]
    assert branch["BP1"].parameters["a"] == pytest.approx(0, abs=1e-10)
    assert np.abs(branch.column("x") - 1).max() < 1e-12
    assert branch.unstable.tolist() == [int(a > 0) for a in branch.parameters[:, 0]]


# -- units and time scales --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sx", "sy"), [(1e-6, 1e6), (1e6, 1e-6), (1e-6, 1e-6), (1e6, 1e6), (1e-3, 1e3)])
def test_brusselator_in_other_units(sx: float, sy: float) -> None:
    field = {"x": "(A - (B + 1)*x/sx + (x/sx)**2*y/sy)*sx", "y": "(B*x/sx - (x/sx)**2*y/sy)*sy"}
    system = equations("flow", field, {"A": 1.0, "B": 1.0, "sx": sx, "sy": sy})
    branch = gb.trace(gb.point(system, [sx, sy]), {"B": (0.5, 4)})
    assert labels(branch) == ["H"]
    assert branch["H1"].parameters["B"] == pytest.approx(2, abs=1e-10)
    assert len(branch) < 200
    # l1 = -3/2 for q = (1, -1 + i) of A = 1, so -3/2 over |q|^2 in the units used.
    assert branch["H1"].normal_form["l1"] == pytest.approx(-1.5 / (sx**2 + 2 * sy**2), rel=1e-6, abs=0)
    curve = gb.trace(branch["H1"], {"A": (0.5, 2), "B": (1, 5)})
    assert np.abs(curve.column("B") - 1 - curve.column("A") ** 2).max() < 1e-9


@pytest.mark.parametrize("s", [1e-6, 1e-3, 1e3, 1e6])
def test_fold_and_pitchfork_in_other_units(s: float) -> None:
    fold = equations("flow", {"x": "(a - (x/s)**2)*s"}, {"a": 0.5, "s": s})
    branch = gb.trace(gb.point(fold, [0.7 * s]), {"a": (-1, 1)})
    assert labels(branch) == ["LP"]
    assert branch["LP1"].parameters["a"] == pytest.approx(0, abs=1e-12)
    pitchfork = equations("flow", {"x": "a*x - x*(x/s)**2"}, {"a": -0.5, "s": s})
    trivial = gb.trace(gb.point(pitchfork, [0.0]), {"a": (-1, 1)})
    side = gb.trace(gb.branch_point_to_branch(trivial["BP1"]), {"a": (-1, 1)})
    assert labels(side) == ["BP"]
    assert {o.code for o in side.outcome} == {"window"}
    assert np.abs((side.column("x") / s) ** 2 - side.parameters[:, 0]).max() < 1e-8


@pytest.mark.parametrize("rate", [1e-10, 1e-6, 1e6])
def test_time_scales(rate: float) -> None:
    field = {"u": "k*(-u + p1*(1 - u)*exp(v))", "v": "k*(-v + p1*p2*(1 - u)*exp(v) - p3*v)"}
    system = equations("flow", field, {"p1": 0.0, "p2": 14.0, "p3": 2.0, "k": rate})
    branch = gb.trace(gb.point(system, [0, 0]), {"p1": (0, 0.2)})
    assert sorted(labels(branch)) == ["H", "LP", "LP"]
    # AUTO's demo ab, whose Hopf point does not depend on the unit of time: p1 = u/(1 - u) exp(-14 u/3), trace zero at
    # 14 u (1 - u) = 4 (1 - u) + u.
    u = (17 + (17**2 - 4 * 14 * 4) ** 0.5) / 28
    assert branch["H1"].parameters["p1"] == pytest.approx(u / (1 - u) * np.exp(-14 * u / 3), abs=1e-11)
    curve = gb.trace(branch["H1"], {"p1": (0.05, 0.3), "p2": (11, 18)}, coefficients=False)
    u1 = curve.column("u")
    assert np.abs(curve.column("p2") * u1 - 4 - u1 / (1 - u1)).max() < 1e-7


def test_stiff_system() -> None:
    system = equations("flow", {"x": "a - x**2 + y/1000", "y": "1000000*(x - y)"}, {"a": 0.5})
    branch = gb.trace(gb.point(system, [0.7, 0.7]), {"a": (-1, 1)})
    assert labels(branch) == ["LP"]
    assert branch["LP1"].parameters["a"] == pytest.approx(
        -0.25e-6, abs=1e-12
    )  # a = x^2 - x/1000 is least at x = 1/2000


def imperfect(e: float) -> gb.Branch:
    system = equations("flow", {"x": "e + a*x - x**3"}, {"a": -0.7, "e": e})
    return gb.trace(gb.point(system, [e]), {"a": (-1, 1)})


@pytest.mark.parametrize("e", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
def test_imperfect_pitchfork_is_passed_without_a_jump(e: float) -> None:
    # The start x = e/0.7 is small by accident: it is no unit of the branch that it belongs to. Below 1e-4 the first
    # steps reach over the gap to the other branch.
    branch = imperfect(e)
    assert labels(branch) == []
    assert branch.column("x")[-1] == pytest.approx(1 + e / 2, abs=e**2 + 1e-12)  # the upper branch near x = 1
    assert branch.outcome[1].code == "window"
    # Every point is on the one curve, in order: x grows all along.
    assert np.all(np.diff(branch.column("x")) > 0)


def test_a_branch_that_goes_to_infinity_ends_with_a_sentence() -> None:
    system = equations("flow", {"x": "1 - a*x"}, {"a": 0.5})
    branch = gb.trace(gb.point(system, [2.0]), {"a": (-1, 1)})
    assert branch.outcome[0].code == "too large"
    assert branch.outcome[1].code == "window"


def test_a_driven_chain_has_the_eigenvalues_of_its_links() -> None:
    """Fifty eigenvalues -1 in one Jordan block: a general solver spreads them over a disc of radius one and a half."""
    chain = {"x0": "a*x0 - x0**3", **{f"x{i}": f"3*x{i - 1} - x{i}" for i in range(1, 50)}}
    system = gb.System.from_equations("flow", chain, {"a": -1.0})
    branch = gb.trace(gb.point(system, np.zeros(50)), {"a": (-1, 1)})
    assert [(p.name, p.criticality) for p in branch.special_points] == [("BP1", "supercritical")]
    # Of a triangular matrix, eigenvalues are the diagonal.
    assert sorted(branch.spectrum[-1].real) == pytest.approx([-1.0] * 49 + [1.0], abs=1e-15)


def test_a_cusp_at_the_origin() -> None:
    """Every term of the deciding coefficient is zero there, and so is what its rounding is compared with."""
    cusp = gb.System.from_equations("flow", {"x": "a + b*x - x**3"}, {"a": -1.0, "b": 0.5})
    fold = gb.trace(gb.point(cusp, [-1.2]), {"a": (-1, 1)})["LP1"]
    point = gb.trace(fold, {"a": (-1, 1), "b": (-1, 1)})["CP1"]
    assert (point.parameters["a"], point.parameters["b"]) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert point.normal_form["c"] == pytest.approx(-1.0, rel=1e-12)  # the coefficient of x**3


def test_a_branch_that_goes_to_infinity_has_no_folds_there() -> None:
    # R1 Dirac-GAN under extragradient steps, eta = 0.84: the branch from the pitchfork runs to infinity at gamma =
    # 1/eta, where two multipliers come to +1 like 1/theta^2 and only rounding says on which side they are.
    system = gb.system(gb.models.dirac_gan(gamma=0.3), gb.Extragradient())
    system = gb.tie(system, eta_g="eta_d").with_parameters(eta_d=0.84)
    first = gb.trace(gb.point(system), {"gamma": (0.05, 1.5)})
    second = gb.trace(gb.branch_point_to_branch(first["BP1"]), {"gamma": (0.05, 1.5)})
    assert second.parameters[-1, 0] == pytest.approx(1 / 0.84, rel=1e-9)
    assert np.abs(second.states[-1]).max() > 1e6
    assert [p.label for p in second.special_points] == ["BP"]


def test_eigenvalues_that_are_nearly_a_mirror_image() -> None:
    """A derivative of a random map, on which the usual shifts of a QR iteration go round in a circle."""
    matrix = np.array([
        [0.00529992993691727, -3.901849115201948, -2.5051262399360086, -0.354483],
        [-0.0410977, 0.27896372356230054, -0.08648314704785649, 0.5180132870631255],
        [-0.6907139928694106, -0.853117304983456, 0.349031, -0.2431372219263967],
        [-0.01132657907411341, 3.343046765842568, -0.8349365044527611, -0.43242],
    ])  # fmt: skip
    rng = np.random.default_rng(0)
    for size in np.repeat([0.0, 1e-6, 1e-2], 5):
        beside = matrix * (1.0 + size * rng.normal(size=(4, 4)))
        # LAPACK's, to the rounding of a matrix of norm 6.
        assert np.abs(np.sort_complex(eigenvalues(beside)) - np.sort_complex(np.linalg.eigvals(beside))).max() < 1e-13


@pytest.mark.parametrize("kind", ["flow", "map"])
def test_two_crossings_opposite_ways_within_a_step(kind: str) -> None:
    """A pair becomes unstable at a = 0.5 and another one stable at 0.501, while a third stays unstable."""
    field = {}
    for k, (rate, turn) in enumerate((("a - 0.5", 1.0), ("0.501 - a", 1.6), ("1", 2.2))):
        re, im = (rate, f"{turn}") if kind == "flow" else (f"(1 + {rate})*cos({turn})", f"(1 + {rate})*sin({turn})")
        x, y = f"x{k}", f"y{k}"
        field |= {x: f"({re})*{x} - ({im})*{y} - {x}**3", y: f"({im})*{x} + ({re})*{y}"}
    branch = gb.trace(gb.point(equations(kind, field, {"a": 0.2}), np.zeros(6)), {"a": (0, 1)})
    assert labels(branch) == ["H" if kind == "flow" else "NS"] * 2
    assert [p.parameters["a"] for p in branch.special_points] == pytest.approx([0.5, 0.501], abs=1e-10)


def test_a_loop_far_narrower_than_its_window_is_gone_round_once() -> None:
    # An ellipse: x^2 + (1e4 (a - 0.3))^2 = 1/2, begun at its tip, where the direction turns within a billionth.
    system = gb.System.from_equations("flow", {"x": "0.5 - x**2 - (1e4*(a - 0.3))**2"}, parameters={"a": 0.3})
    branch = gb.trace(gb.point(system, [-0.7]), {"a": (-1.0, 1.0)})
    assert branch.closed
    folds = sorted(p.parameters["a"] for p in branch.special_points)
    np.testing.assert_allclose(folds, 0.3 + 1e-4 * np.sqrt(0.5) * np.array([-1.0, 1.0]), rtol=1e-12)


def test_a_newton_step_beyond_all_numbers_in_a_log_window_finds_nothing() -> None:
    """exp(1000 log 2) is no double: what is asked there is not finite, and no branch point, where it raised."""
    from gan_bifurcation.continuation.branch_points import locate
    from gan_bifurcation.continuation.problem import CurveProblem

    fork = gb.System.from_equations("flow", {"x": "r*x - x**3"}, {"r": 0.5})
    problem = CurveProblem(fork, {"r": gb.log_range(1.0, 2.0)}, scale=np.ones(1))
    far = np.array([0.0, 1100.0])
    assert problem.values(far) == [np.inf]
    assert not np.isfinite(problem.joint(far)).all()
    assert locate(problem, far, None, lambda strip, u: True) is None


def test_modes_of_a_ring_cross_near_each_other() -> None:
    """Brusselators in a ring, diffusion 0.4 and 2: mode k has equal pairs at (1 + D)(1 + E)/E, D = 0.4 s, E = 2 s."""
    n = 13
    equations = {}
    for i in range(n):
        left, right = (i - 1) % n, (i + 1) % n
        equations[f"u{i}"] = f"1 - (b + 1)*u{i} + u{i}**2*v{i} + 0.4*(u{left} + u{right} - 2*u{i})"
        equations[f"v{i}"] = f"b*u{i} - u{i}**2*v{i} + 2*(v{left} + v{right} - 2*v{i})"
    ring = gb.System.from_equations("flow", equations, {"b": 1.2})
    branch = gb.trace(gb.point(ring, [1, 1.2] * n), {"b": (1, 2.5)})
    modes = [2 - 2 * np.cos(2 * np.pi * k / n) for k in range(1, (n + 1) // 2)]
    expected = sorted((1 + 0.4 * s) * (1 + 2 * s) / (2 * s) for s in modes)
    found = [p for p in branch.special_points if p.label == "BP"]
    assert [p.parameters["b"] for p in found] == pytest.approx([b for b in expected if b < 2.5], rel=1e-12)
    assert {p.multiplicity for p in found} == {2}


def test_what_is_held_on_a_manifold_makes_no_branch_point() -> None:
    """y = 0 is a line of equilibria of rate -(a + x): at x = 0.2 it is lost at a = -0.2 and nothing else happens."""
    system = gb.System.from_equations("flow", {"x": "y*(a - x)", "y": "-y*(a + x)"}, {"a": 0.5})
    (point,) = gb.trace(gb.point(system, [0.2, 0.0]), {"a": (-1, 1)}).special_points
    assert point.parameters["a"] == pytest.approx(-0.2, abs=1e-12)
    assert not point.normal_form
    with pytest.raises(gb.MisuseError, match="manifold"):
        gb.normal_form(point)


@pytest.mark.parametrize("kind", ["flow", "map"])
def test_a_branch_that_ends_on_a_kink_says_so(kind: str) -> None:
    """-abs(x) + b: the equilibria x = b and x = -b meet in a corner at b = 0, the map's go on from it."""
    step = "b - abs(x)" if kind == "flow" else "b + where(x < 0, 0.5*x, -1.5*x)"
    system = gb.System.from_equations(kind, {"x": step}, {"b": 0.5})
    branch = gb.trace(gb.point(system, [0.4]), {"b": (-1, 1)})
    assert branch.outcome[0].code == "kink"
    assert "where x = 0" in branch.outcome[0].message
    assert branch.parameters[0, 0] == pytest.approx(0, abs=1e-6)


def test_an_eigenvalue_that_comes_to_the_boundary_at_infinity_is_no_fold() -> None:
    """Two-cycles (x, -x) of optimistic Dirac-GAN steps: eta = 1/3 + 3/4 (eta s)^2 at gamma = 2, s falls with |x|."""
    system = gb.tie(gb.system(gb.models.dirac_gan(gamma=2.0), gb.Optimistic(), eta_d=0.2), eta_g="eta_d")
    flip = gb.trace(gb.point(system), {"eta_d": (0.05, 3.0)})["PD1"]
    cycles = gb.trace(gb.flip_to_period_two(flip), {"eta_d": (0.05, 3.0)})
    assert cycles.outcome[1].code == "too large"
    assert cycles.column("eta_d")[-1] == pytest.approx(1 / 3, abs=1e-9)
    assert {p.label for p in cycles.special_points} == {"BP"}

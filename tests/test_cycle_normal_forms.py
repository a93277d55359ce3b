"""Normal forms of cycles and of codimension two on their curves, against planted ones, simulation and second ways."""

from typing import Any

import numpy as np
import pytest
import sympy as sp

import gan_bifurcation as gb
from gan_bifurcation.continuation.cycle_coefficients import TurnForms, coefficient
from gan_bifurcation.continuation.cycle_maps import turn_of
from gan_bifurcation.continuation.normal_forms import Coefficients

x, y, u, v = sp.symbols("x y u v", real=True)
TURN = 2 * np.pi
# Few points: what lies between them is located all the same.
WIDE = gb.StepControl(first=0.1, smallest=1e-8, largest=0.2, angle=0.5)


def suspended(field: dict[tuple[int, int], Any], order: int, parameters: dict[str, float]) -> gb.System:
    """w' = sum of coefficients times w^i w*^j, in a frame that turns by 2 pi / order per turn of (x, y).

    The field is to commute with that turn. A shear makes u move along the cycle. The return map is the field's
    flow for the time 2 pi, turned.
    """
    z, total = u + sp.I * v, sp.I * (u + sp.I * v) / order if order > 1 else 0
    for (i, j), factor in field.items():
        turns = sp.Rational(1 - i + j, order) if order > 1 else sp.Integer(0)
        assert turns.is_integer
        phase = (x + sp.I * y) ** int(turns) if turns >= 0 else (x - sp.I * y) ** int(-turns)
        total += factor * z**i * sp.conjugate(z) ** j * phase
    around = {x: x * (1 - x**2 - y**2) - y, y: y * (1 - x**2 - y**2) + x}
    shear = {u: x / 2, v: sp.S.Zero}
    parts = sp.expand(total, complex=True).as_real_imag()
    back = {state: state - moved for state, moved in shear.items()}
    equations = {str(state): str(rate) for state, rate in around.items()}
    for state, part in zip((u, v), parts, strict=True):
        carried = sum(sp.diff(shear[state], a) * rate for a, rate in around.items())
        equations[str(state)] = str(part.subs(back, simultaneous=True) + carried)
    return gb.System.from_equations("flow", equations, parameters)


def planar(one: Any, two: Any) -> dict[tuple[int, int], Any]:
    """A field (one, two) of the coordinates (u, v) as coefficients of w^i w*^j."""
    w, wb = sp.symbols("w wb")
    both = sp.expand((one + sp.I * two).subs({u: (w + wb) / 2, v: (w - wb) / (2 * sp.I)}, simultaneous=True))
    return dict(sp.Poly(both, w, wb).terms())


def branch_of(system: gb.System, across: list[float], free: dict[str, tuple[float, float]]) -> gb.Branch:
    orbit = gb.simulate(system, [1.0, 0.0, across[0] + 0.5, across[1]], duration=20)
    return gb.trace(gb.orbit_to_cycle(orbit, intervals=12), free, control=WIDE)


def agrees(point: gb.Point, label: str) -> bool:
    """Whether compiled code that asks the return map, as a System, for all derivatives finds the same coefficient."""
    turn = turn_of(point)
    made = turn.system()
    few = coefficient(TurnForms(turn), label, point.critical).value
    return few == pytest.approx(Coefficients(made, label).at(np.zeros(made.n), point.critical).value, rel=1e-7)


def symbols(names: str) -> Any:
    return sp.symbols(names, real=True)


def test_flips_and_their_generalisation() -> None:
    a, c, e = symbols("a c e")
    # u' = a u - c u^3 - e u^5 and v' = -v where v = 0.
    field = planar(a * u, -v) | {(2, 1): -c, (3, 2): -e}
    system = suspended(field, 2, {"a": -0.1, "c": 0.3, "e": 0.4})
    flip = branch_of(system, [0, 0], {"a": (-0.1, 0.1)})["PD1"]
    # u -> -exp(2 pi a) u (1 - 2 pi c u^2): its modulus grows by 2 pi a; for c > 0 it is supercritical.
    assert flip.parameters["a"] == pytest.approx(0, abs=1e-11)
    form = flip.normal_form
    assert form["speed"]["a"] == pytest.approx(TURN, rel=1e-8)
    assert form["criticality"] == "supercritical"
    assert agrees(flip, "PD")
    # A second way to the coefficient: half the distance of the two crossings of the section by a cycle of twice the
    # period a little further on (collocation knows of no normal form).
    two = gb.trace(gb.flip_to_period_two(flip), {"a": (-0.1, 2e-4)}, at=[1e-4])["UZ"]
    assert two.profile is not None
    gap = turn_of(flip).frame.T @ (two.profile.at([0.0]) - two.profile.at([0.5]))[0] / 2
    predicted = (
        turn_of(flip).frame.T @ np.diag(np.sign(turn_of(flip).frame @ gap)) @ list(form["amplitude"]["a"].values())
    )
    assert gap / np.sqrt(1e-4) == pytest.approx(predicted, rel=1e-3, abs=1e-3)
    curve = gb.trace(flip, {"a": (-0.1, 0.1), "c": (-0.2, 0.4)}, control=WIDE)
    assert [p.label for p in curve.special_points] == ["GPD"]
    point = curve["GPD1"]
    # The criticality changes at c = 0; with e > 0 the quintic term stabilises: c of u -> -u + c u^5 is positive.
    assert point.parameters["c"] == pytest.approx(0, abs=1e-9)
    assert point.normal_form["c"] > 0.0
    assert "outer one is stable" in point.normal_form["meaning"]
    assert np.array_equal(np.sign(curve.measures["coefficient"]), np.sign(curve.column("c")))


def test_pairs_and_their_degeneration() -> None:
    lam, om, al, be, ga = symbols("lam om al be ga")
    field = {(1, 0): lam + sp.I * om, (2, 1): al + sp.I * be, (3, 2): ga}
    parameters = {"lam": -0.1, "om": 0.15, "al": 0.3, "be": 0.7, "ga": -0.5}
    pair = branch_of(suspended(field, 1, parameters), [0, 0], {"lam": (-0.1, 0.1)})["NS1"]
    # Radii grow by lam r + al r^3: the sign of al; the ratio of rotation to growth in |w|^2 has no units: be / al.
    form = pair.normal_form
    assert form["theta"] == pytest.approx(0.15 * TURN, abs=1e-9)
    assert form["d"].imag / form["d"].real == pytest.approx(0.7 / 0.3, rel=1e-6)
    assert (form["criticality"], form["speed"]["lam"]) == ("subcritical", pytest.approx(TURN, rel=1e-8))
    assert agrees(pair, "NS")
    curve = gb.trace(pair, {"lam": (-0.1, 0.1), "al": (-0.2, 0.4)}, control=WIDE)
    assert [p.label for p in curve.special_points] == ["CH"]
    assert curve["CH1"].parameters["al"] == pytest.approx(0, abs=1e-9)
    # ga < 0: the outer torus is stable.
    assert curve["CH1"].normal_form["criticality"] == "c < 0"


def test_resonance_of_order_three() -> None:
    ep, om, b, c = symbols("ep om b c")
    field = {(1, 0): ep + sp.I * om, (0, 2): b, (2, 1): c + sp.I / 5}
    system = suspended(field, 3, {"ep": -0.1, "om": 0.05, "b": 0.3, "c": -0.5})
    pair = branch_of(system, [0, 0], {"ep": (-0.1, 0.1)})["NS1"]
    curve = gb.trace(pair, {"ep": (-0.1, 0.1), "om": (-0.03, 0.06)}, control=WIDE)
    assert [p.label for p in curve.special_points] == ["R3"]
    point = curve["R3"]
    assert point.parameters["om"] == pytest.approx(0, abs=1e-9)
    # a = Re c1 / (9 |b|^2) of the map has no units of w; with b, c of the field for the time t = 2 pi it is
    # 3 t c / (9 t^2 b^2), for the third iterate and the saddles around it.
    assert point.normal_form["a"] == pytest.approx(-0.5 / (3 * TURN * 0.3**2), rel=1e-6)
    assert "cycle of three times the period" in point.normal_form["meaning"]


def test_resonance_of_order_four() -> None:
    ep, om, c, d = symbols("ep om c d")
    field = {(1, 0): ep + sp.I * om, (2, 1): c + sp.I / 5, (0, 3): d}
    system = suspended(field, 4, {"ep": -0.1, "om": 0.05, "c": -0.5, "d": 0.3})
    pair = branch_of(system, [0, 0], {"ep": (-0.1, 0.1)})["NS1"]
    curve = gb.trace(pair, {"ep": (-0.1, 0.1), "om": (-0.03, 0.06)}, control=WIDE)
    assert [p.label for p in curve.special_points] == ["R4"]
    # A0 is c / |d| of the field, in any units of w.
    assert curve["R4"].normal_form["A0"] == pytest.approx((-0.5 + 0.2j) / 0.3, rel=1e-6)
    assert curve["R4"].normal_form["criticality"] == "|A0| > 1"


def test_double_multipliers_end_the_curves_of_pairs() -> None:
    b1, b2 = symbols("b1 b2")
    # The cubic terms (alpha + i beta) w |w|^2 are beta u^3 + 4 alpha u^2 v in u'' up to what a change of v takes away:
    # u'' = 0.7 u^3 - 0.4 u^2 v.
    field = planar(v, b1 * u + b2 * v) | {(2, 1): sp.Rational(-1, 10) + sp.I * 7 / 10}
    system = suspended(field, 2, {"b1": -0.01, "b2": -0.05})
    pair = branch_of(system, [0, 0], {"b2": (-0.05, 0.05)})["NS1"]
    curve = gb.trace(pair, {"b2": (-0.05, 0.05), "b1": (-0.015, 0.05)}, control=WIDE)
    end = curve.special_points[-1]
    # Trace b2, determinant -b1 of the field: a double eigenvalue 0 at the origin, turned to -1.
    assert (end.label, curve.outcome[1].code) == ("R2", "resonance")
    assert [end.parameters[k] for k in ("b1", "b2")] == pytest.approx([0, 0], abs=1e-8)
    # The second iterate is the field's flow for 4 pi: D1 / (4 c)^(1/2) has no units, 4 c = 16 pi^2 0.7 and D1 = -1.6 pi
    # where w has those of the map.
    form = end.normal_form
    assert form["D1"] / (4 * form["c"]) == pytest.approx(-0.4 / (0.7 * 2 * TURN), rel=1e-6)
    assert form["s"] == 1
    flips = gb.trace(
        branch_of(system, [0, 0], {"b1": (-0.02, 0.02)})["PD1"],
        {"b1": (-0.02, 0.02), "b2": (-0.05, 0.05)},
        control=WIDE,
    )
    assert [p.label for p in flips.special_points] == ["R2"]
    assert [flips["R2"].parameters[k] for k in ("b1", "b2")] == pytest.approx([0, 0], abs=1e-8)


def test_folds_meet_pairs_and_each_other() -> None:
    b1, b2 = symbols("b1 b2")
    system = suspended(planar(v, b1 + b2 * v + u**2 + u * v / 2), 1, {"b1": -0.04, "b2": -0.1})
    fold = branch_of(system, [-0.2, 0], {"b1": (-0.05, 0.05)})["LPC1"]
    assert fold.parameters["b1"] == pytest.approx(0, abs=1e-12)
    assert agrees(fold, "LP")
    curve = gb.trace(fold, {"b1": (-0.05, 0.05), "b2": (-0.11, 0.1)}, control=WIDE)
    # The field's Bogdanov-Takens point at the origin, a and b of one sign: the torus is unstable.
    assert [p.label for p in curve.special_points] == ["R1"]
    assert curve["R1"].parameters["b2"] == pytest.approx(0, abs=1e-9)
    assert curve["R1"].normal_form["criticality"] == "s = +1"


def test_cusp_of_folds() -> None:
    around = ["x*(1 - x**2 - y**2) - y", "y*(1 - x**2 - y**2) + x"]
    system = gb.System.from_equations(
        "flow", {"x": around[0], "y": around[1], "u": f"b1 + b2*(u - x/2) - (u - x/2)**3 + ({around[0]})/2"},
        {"b1": 0.0, "b2": 0.1},
    )  # fmt: skip
    orbit = gb.simulate(system, [1.0, 0.0, 0.9], duration=20)
    branch = gb.trace(gb.orbit_to_cycle(orbit, intervals=20), {"b1": (-0.1, 0.1)})
    assert [p.label for p in branch.special_points] == ["LPC", "LPC"]
    assert {p.criticality for p in branch.special_points} == {"nondegenerate"}
    curve = gb.trace(branch["LPC1"], {"b1": (-0.1, 0.1), "b2": (-0.1, 0.2)})
    # 27 b1^2 = 4 b2^3 with its cusp at the origin, of w' = -w^3: the outer two cycles are stable.
    assert [p.label for p in curve.special_points] == ["CPC"]
    assert [curve["CPC1"].parameters[k] for k in ("b1", "b2")] == pytest.approx([0, 0], abs=1e-8)
    assert curve["CPC1"].normal_form["criticality"] == "c < 0"
    assert 27 * curve.column("b1") ** 2 == pytest.approx(4 * curve.column("b2") ** 3, abs=1e-10)


@pytest.mark.parametrize(
    ("field", "kind", "other"),
    [
        ("a*w - w**2 + w**3", "transcritical", lambda w: w - w**2),
        ("a*w - w**3", "pitchfork", lambda w: w**2),
    ],
)
def test_branches_that_cross(field: str, kind: str, other: Any) -> None:
    around = ["x*(1 - x**2 - y**2) - y", "y*(1 - x**2 - y**2) + x"]
    across = field.replace("w", "(u - x/2)") + f" + ({around[0]})/2"
    system = gb.System.from_equations("flow", {"x": around[0], "y": around[1], "u": across}, {"a": -0.3})
    orbit = gb.simulate(system, [1.0, 0.0, 0.5], duration=60)
    branch = gb.trace(gb.orbit_to_cycle(orbit, intervals=12), {"a": (-0.4, 0.2)}, control=WIDE)
    assert [p.label for p in branch.special_points] == ["BPC"]
    point = branch["BPC1"]
    # w = 0 and the other zeros of the field cross at a = 0 exactly, whatever the mesh.
    assert point.parameters["a"] == pytest.approx(0, abs=1e-12)
    assert point.normal_form["kind"] == kind
    if kind == "pitchfork":
        assert point.criticality == "supercritical"
    beside = gb.trace(gb.branch_point_to_branch(point), {"a": (-0.4, 0.2)}, control=WIDE)
    w = np.array([np.mean(p.profile.states[:, 2] - p.profile.states[:, 0] / 2) for p in beside if p.profile])
    assert beside.column("a") == pytest.approx(other(w), abs=1e-9)
    assert w.min() < -0.1 < 0.1 < w.max()
    assert "BPC" in [p.label for p in beside.special_points]


def test_points_are_located_by_their_own_equations() -> None:
    # The multiplier of w' = a w along a circle is exp(2 pi a), and that of its flip -exp(2 pi a): both are at a = 0.
    (a,) = sp.symbols("a,", real=True)
    flip = branch_of(suspended(planar(a * u, -v), 2, {"a": -0.1}), [0, 0], {"a": (-0.1, 0.13)})["PD1"]
    assert abs(flip.critical + 1.0) < 1e-12
    # Nothing but rounding decides about the doubled cycles of a linear field.
    assert flip.criticality == "degenerate: the coefficient vanishes within rounding"


def test_a_pair_crosses_on_a_curve_of_folds() -> None:
    around, across = "x*(1 - x**2 - y**2) - y", "(p - x/2)"
    field = {
        "x": around,
        "y": "y*(1 - x**2 - y**2) + x",
        "p": f"b + {across}**2 + u**2 + v**2 + ({around})/2",
        "u": f"(lam + {across})*u - 3*v/20",
        "v": f"(lam + {across})*v + 3*u/20",
    }
    system = gb.System.from_equations("flow", field, {"b": -0.04, "lam": -0.1})
    orbit = gb.simulate(system, [1.0, 0.0, 0.3, 0.0, 0.0], duration=20)
    fold = gb.trace(gb.orbit_to_cycle(orbit, intervals=12), {"b": (-0.05, 0.05)}, control=WIDE)["LPC1"]
    curve = gb.trace(fold, {"b": (-0.05, 0.05), "lam": (-0.12, 0.1)}, control=WIDE)
    assert [p.label for p in curve.special_points] == ["LPNS"]
    point = curve["LPNS1"]
    # On the fold the pair has the real part lam. A fold-Hopf point with b = 1, d = 1: s = 1, theta = d / b = 1.
    assert point.parameters["lam"] == pytest.approx(0, abs=1e-9)
    assert (point.normal_form["s"], point.normal_form["theta"]) == (1, pytest.approx(1, rel=1e-6))


AROUND = {"x": "x*(1 - x**2 - y**2) - y", "y": "y*(1 - x**2 - y**2) + x"}


def pair(a: str, b: str, angle: float, growth: str) -> dict[str, str]:
    """Beside the circle of (x, y), a plane that turns by `angle` per unit of time and grows."""
    return {a: f"({growth})*{a} - {angle}*{b}", b: f"({growth})*{b} + {angle}*{a}"}


def flip(a: str, b: str, growth: str) -> dict[str, str]:
    """A plane that turns by half a turn: one direction in it grows, the other one decays with rate 1."""
    c, d = f"(({growth}) - 1)/2", f"(({growth}) + 1)/2"
    return {a: f"{c}*{a} + {d}*(x*{a} + y*{b}) - {b}/2", b: f"{c}*{b} + {d}*(y*{a} - x*{b}) + {a}/2"}


# The squares of the distance from the circle: of a pair, and in the direction of a flip that grows.
ROUND = "({0}**2 + {1}**2)".format
HALF = "({0}**2*(1 + x) + {1}**2*(1 - x) + 2*{0}*{1}*y)/2".format


def crossing_on(
    field: dict[str, str], parameters: dict[str, float], across: list[float], first: str, label: str
) -> gb.Point:
    """What the curve of a special point over the first parameter meets."""
    system = gb.System.from_equations("flow", AROUND | field, parameters)
    start = gb.orbit_to_cycle(gb.simulate(system, [1.0, 0.0, *across], duration=20), intervals=12)
    windows = dict.fromkeys(parameters, (-0.12, 0.1))
    point = gb.trace(start, {first: windows[first]}, control=WIDE)[label]
    curve = gb.trace(point, windows, control=WIDE)
    (found,) = curve.special_points
    # All of them are planted at the origin of the two parameters.
    assert list(found.parameters.values()) == pytest.approx([0, 0], abs=1e-9)
    return found


def test_a_flip_crosses_on_a_curve_of_folds() -> None:
    around, q = AROUND["x"], "(p - x/2)"
    # q' = b + q^2 + u^2, u' = (lam - 3 q/5) u where u is the direction of the flip: b = c = 1, d = -3/5.
    field = {"p": f"b + {q}**2 + {HALF('u', 'v')} + ({around})/2"} | flip("u", "v", f"lam - 3*{q}/5")
    point = crossing_on(field, {"b": -0.04, "lam": -0.1}, [0.3, 0.0, 0.0], "b", "LPC1")
    assert point.label == "LPPD"
    assert (point.normal_form["s"], point.normal_form["theta"]) == (1, pytest.approx(-0.6, rel=1e-6))
    # There are no cubic terms: E vanishes, and what is left of it by integration is given no sign.
    assert point.normal_form["E"] == 0.0
    assert "stable" not in point.normal_form["meaning"]


def test_flips_and_pairs_meet_pairs() -> None:
    # Squares of radii grow like 2 (lam - k x + l y) x and 2 (mu + m x - n y) y: the ratios l / n and m / k have no
    # units.
    other = pair("r", "s", 0.15, f"mu + 3*{HALF('u', 'v')}/10 - {ROUND('r', 's')}/2")
    field = flip("u", "v", f"lam - {HALF('u', 'v')} + 2*{ROUND('r', 's')}/5") | other
    point = crossing_on(field, {"lam": -0.1, "mu": -0.1}, [0.1, 0.0, 0.1, 0.0], "lam", "PD1")
    assert (point.label, point.normal_form["angle"]) == ("PDNS", pytest.approx(0.15 * TURN, rel=1e-9))
    assert [point.normal_form[k] for k in ("theta", "delta")] == pytest.approx([-0.4 / 0.5, -0.3], rel=1e-6)
    other = pair("r", "s", 0.15, f"mu + 3*{ROUND('u', 'v')}/10 - {ROUND('r', 's')}/2")
    field = pair("u", "v", 0.32, f"lam - {ROUND('u', 'v')} + 2*{ROUND('r', 's')}/5") | other
    point = crossing_on(field, {"lam": -0.1, "mu": -0.1}, [0.1, 0.0, 0.1, 0.0], "lam", "NS1")
    form = point.normal_form
    assert (point.label, form["criticality"]) == ("NSNS", "simple")
    ratios = {round(form["theta1"] / TURN, 9): form["theta"], round(form["theta2"] / TURN, 9): form["delta"]}
    assert ratios == {0.15: pytest.approx(-0.3, rel=1e-6), 0.32: pytest.approx(-0.4 / 0.5, rel=1e-6)}


def test_fields_with_kinks_are_said_to_have_no_coefficients() -> None:
    system = gb.System.from_equations("flow", {"x": "y", "y": "m*(1 - abs(x))*y - x"}, {"m": 1.0})
    start = gb.orbit_to_cycle(gb.simulate(system, [2.0, 0.0], duration=50))
    branch = gb.trace(start, {"m": (0.9, 1.1)})
    assert "gb.poincare" in branch.note
    with pytest.raises(gb.MisuseError, match="kinks"):
        turn_of(branch.point(0))

"""Certificates of points of codimension two: enclosures hold what jets in floats give; what is wrong is not proved."""

from dataclasses import replace

import numpy as np
import pytest

import gan_bifurcation as gb

flint = pytest.importorskip("flint")
equations = gb.System.from_equations

HENON = equations(
    "map", {"x": "y", "y": "a - b*x - y**2 - y*x/10 + 3*y**3/25"}, parameters={"a": -0.2, "b": 0.2}, name="Henon"
)
PLANE = {"a": (-4.0, 8.0), "b": (-2.0, 2.5)}


def square(form: dict[str, complex]) -> dict[str, complex]:
    """A normal form with the real numbers that certificates enclose."""
    more = {
        "|b|^2": abs(form.get("b", 0.0)) ** 2,
        "Re c1": np.real(form.get("c1", 0.0)),
        "|d|": abs(form.get("d", 0.0)),
    }
    more |= {"Re A0": np.real(form.get("A0", 0.0)), "|A0|": abs(form.get("A0", 0.0))}
    return more | form


def check(point: gb.Point) -> None:
    found = gb.certify(point)
    assert found.proved, found.statement
    assert found.badge == "proved"
    form = square(point.normal_form)
    for letter, (low, high) in found.coefficients.items():
        assert low <= high
        if letter in form:
            # The same coefficient by jets in floats, an independent code.
            assert low == pytest.approx(form[letter], rel=1e-9, abs=1e-12)
    for name, (low, high) in found.enclosure.items():
        value = point.parameters[name] if name in point.parameters else point.state[name]
        assert low == pytest.approx(value, rel=1e-9, abs=1e-9)
        assert high - low < 1e-12
        assert found.box[name][0] <= low <= high <= found.box[name][1]
    # A point beside it is none.
    name = point.free[0]
    moved = replace(point, system=point.system.with_parameters(**{name: point.parameters[name] + 1e-2}))
    assert not gb.certify(moved).proved


@pytest.fixture(scope="module")
def henon() -> dict[str, gb.Point]:
    start = min(gb.find_equilibria(HENON, {"x": (-3, 3), "y": (-3, 3)}).points, key=lambda p: -p.x[0])
    branch = gb.trace(start, {"a": (-3, 6)})
    flips, folds = gb.trace(branch["PD"], PLANE), gb.trace(branch["LP"], PLANE)
    (circles,) = (s for s in gb.curves_from(flips["R2"]) if s.name == "NS")
    points = (*flips.special_points, *folds.special_points, *gb.trace(circles, PLANE).special_points)
    return {p.label: p for p in points}


@pytest.mark.parametrize("label", ["R1", "R2", "R3", "R4", "LPPD"])
def test_resonances_of_the_generalised_henon_map(henon: dict[str, gb.Point], label: str) -> None:
    check(henon[label])
    if label == "R2":
        # At the fixed point of the 1:2 resonance: determinant b + y/10 = 1, trace -2.1 y + 0.36 y^2 = -2.
        found = gb.certify(henon["R2"]).enclosure
        y = (2.1 - np.sqrt(2.1**2 - 8 * 0.36)) / 0.72
        assert found["y"] == pytest.approx((y, y), abs=1e-14)
        assert found["b"] == pytest.approx((1 - y / 10,) * 2, abs=1e-14)


def test_cusp_double_zero_and_bautin_points_of_the_catalytic_oscillator() -> None:
    z = "(1 - x - y - s)"
    system = equations(
        "flow",
        {"x": f"5*{z}**2 - 2*x**2 - 10*x*y", "y": f"q*{z} - y/10 - 10*x*y", "s": f"({z} - k*s)*27/400"},
        parameters={"q": 2.204678, "k": 0.4},
    )
    branch = gb.trace(gb.point(system, {"x": 0.00295, "y": 0.76211, "s": 0.16781}), {"q": (0.5, 2.5)})
    curves = [gb.trace(branch[label], {"q": (0.2, 3), "k": (1e-4, 5)}) for label in ("LP1", "H1")]
    points = {p.label: p for c in curves for p in c.special_points}
    assert {"CP", "BT", "GH"} <= set(points)
    for label in ("CP", "BT", "GH"):
        check(points[label])
    # From the defining polynomials by mpmath with 40 digits: tests/test_codimension_two_published.py.
    low, high = gb.certify(points["CP"]).enclosure["k"]
    assert (low, high) == pytest.approx((0.3559912732086765,) * 2, rel=1e-13)


def test_fold_hopf_point_of_lorenz_84() -> None:
    fields = {"x": "-y**2 - z**2 - x/4 + f/4", "y": "x*y - 4*x*z - y + g", "z": "4*x*y + x*z - z"}
    system = equations("flow", fields, parameters={"f": 3.0, "g": 0.5})
    branch = gb.trace(gb.point(system, [3.0, 0.0, 0.0]), {"f": (0, 6)})
    point = gb.trace(branch["H1"], {"f": (-1, 6), "g": (-0.1, 6)})["ZH"]
    check(point)
    statement = gb.certify(point).statement
    # Shilnikov, Nicolis, Nicolis 1995: the case with a torus. E has a sign, which decides about it.
    assert "s > 0" in statement
    assert "theta < 0" in statement
    assert "E > 0" in statement or "E < 0" in statement


def test_generalised_flip_and_chenciner_point_with_planted_coefficients() -> None:
    flip = equations("map", {"x": "-(1 + a)*x + b*x**3 + x**5", "y": "y/4 + x**2"}, parameters={"a": -0.1, "b": 0.3})
    turn = "(1 + a + b*(x**2 + y**2) - (x**2 + y**2)**2)"
    circle = equations(
        "map", {"x": f"{turn}*(x*cos(1) - y*sin(1))", "y": f"{turn}*(x*sin(1) + y*cos(1))"},
        parameters={"a": -0.1, "b": 0.3},
    )  # fmt: skip
    window = {"a": (-0.3, 0.3), "b": (-3.0, 3.0)}
    # w -> -w + w^5, and |z| -> |z| - |z|^5: for z = sqrt(2) w of a unit vector, -4 for -1.
    for system, label, special, c in ((flip, "PD", "GPD", 1.0), (circle, "NS", "CH", -4.0)):
        point = gb.trace(gb.trace(gb.point(system, [0.0, 0.0]), {"a": (-0.3, 0.3)})[label], window)[special]
        check(point)
        found = gb.certify(point)
        assert found.coefficient == pytest.approx((c, c), abs=1e-13)
        assert found.enclosure["b"][0] <= 0.0 <= found.enclosure["b"][1]


def two_pairs(omega: str, quintic: str) -> gb.Point:
    """The difficult case, p11 p22 < 0 and p12 p21 / (p11 p22) = 1.7 * 1.4 / 0.8 > 1, with a quintic term."""
    first, second = "(x1**2 + y1**2)", "(x2**2 + y2**2)"
    eqs: dict[str, str] = {}
    for i, growth, turn in (
        (1, f"(a + {first} - 17*{second}/10 + {quintic}*{second}**2)", "1"),
        (2, f"(b + 7*{first}/5 - 4*{second}/5)", omega),
    ):
        eqs |= {f"x{i}": f"x{i}*{growth} - {turn}*y{i}", f"y{i}": f"y{i}*{growth} + {turn}*x{i}"}
    system = equations("flow", eqs, parameters={"a": -0.1, "b": -0.2})
    branch = gb.trace(gb.point(system, np.zeros(4)), {"a": (-0.5, 0.5)})
    return gb.trace(branch["H1"], {"a": (-0.5, 0.5), "b": (-0.5, 0.5)})["HH"]


def test_two_pairs_with_planted_coefficients() -> None:
    point = two_pairs("sqrt(3)", "3")
    # Of jets also `torus`, whose sign tests/test_codimension_two_planted.py has from a Lyapunov coefficient.
    check(point)
    found = gb.certify(point).coefficients
    # z = sqrt(2) w of unit vectors: twice the planted ones.
    expected = {"p11": 2.0, "p12": -3.4, "p21": 2.8, "p22": -1.6}
    assert {k: low for k, (low, _) in found.items() if k != "torus"} == pytest.approx(expected, abs=1e-13)
    # Without its quintic term nothing decides about the torus; at 3 omega1 = omega2 there are further cubic terms.
    nothing = gb.certify(two_pairs("sqrt(3)", "0"))
    assert not nothing.proved
    assert "the sign of torus is not proved" in nothing.statement
    low, high = nothing.coefficients["torus"]
    assert low <= 0.0 <= high
    resonant = gb.certify(two_pairs("3", "3"))
    assert not resonant.proved
    assert "resonant" in resonant.statement


def test_what_is_degenerate_is_not_given_a_sign() -> None:
    # Without x y the Bogdanov-Takens point is degenerate: b = 0.
    system = equations("flow", {"x": "y", "y": "a + b*y + x**2"}, parameters={"a": -0.2, "b": -0.2})
    window = {"a": (-0.5, 0.1), "b": (-0.6, 0.3)}
    branch = gb.trace(gb.point(system, {"x": -np.sqrt(0.2), "y": 0.0}), {"a": window["a"]})
    found = gb.certify(gb.trace(branch["LP1"], window)["BT1"])
    assert not found.proved
    assert "the sign of s is not proved" in found.statement
    assert found.box
    with pytest.raises(gb.MisuseError, match="happens in two parameters, got a"):
        gb.certify(gb.trace(branch["LP1"], window)["BT1"], free="a")

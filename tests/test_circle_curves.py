"""Curves of folds, flips and Neimark-Sacker points of invariant circles, and what they border in regime maps."""

import numpy as np
import pytest

import gan_bifurcation as gb

# In polar coordinates r' = r (1 + a + c s - s^2) with s = r^2, phi' = phi + w + b s: a CH point at a = c = 0,
# circles at a + c s - s^2 = 0, of them two meet where a = -c^2/4, s = c/2; the multiplier across is 1 + 2 c s - 4 s^2.
TURN = "w + b*(x**2 + y**2)"
GROW = "(1 + a + c*(x**2 + y**2) - (x**2 + y**2)**2)"
CHENCINER = {"x": f"{GROW}*(x*cos({TURN}) - y*sin({TURN}))", "y": f"{GROW}*(x*sin({TURN}) + y*cos({TURN}))"}
# Circles of radius sqrt(a), with two more states across.
GROWN = "(1 + a - x**2 - y**2)"
CIRCLE = {"x": f"{GROWN}*(x*cos({TURN}) - y*sin({TURN}))", "y": f"{GROWN}*(x*sin({TURN}) + y*cos({TURN}))"}
HALF = "(w + b*(x**2 + y**2))/2"
MOEBIUS = {
    "z": f"k*(cos({HALF})*z - sin({HALF})*v)"
    f" + 0.8*((x*cos({HALF}) - y*sin({HALF}))*z + (x*sin({HALF}) + y*cos({HALF}))*v)",
    "v": f"k*(sin({HALF})*z + cos({HALF})*v)"
    f" + 0.8*((x*sin({HALF}) + y*cos({HALF}))*z - (x*cos({HALF}) - y*sin({HALF}))*v)",
}
WINDOW = {"a": (-0.3, 0.2), "c": (-0.6, 0.9)}


def chenciner(**parameters: float) -> gb.System:
    return gb.System.from_equations("map", CHENCINER, {"a": -0.1, "b": 0.4, "w": 1.3, "c": 0.8, **parameters})


@pytest.fixture(scope="module")
def found() -> gb.BifurcationSet:
    return gb.bifurcation_set(chenciner(c=-0.2), WINDOW, depth=1, most_branches=4, most_circles=40)


def test_folds_of_circles_begin_at_a_chenciner_point(found: gb.BifurcationSet) -> None:
    folds = found["LP of circles"]
    assert isinstance(folds, gb.Branch)
    a, c = folds.column("a"), folds.column("c")
    assert np.abs(a + c**2 / 4).max() < 1e-12
    assert np.abs(folds.column("max_x") ** 2 - c / 2).max() < 1e-12
    # phi turns by w + b s.
    assert np.abs(folds.column("rotation_number") - (1.3 + 0.4 * c / 2) / (2 * np.pi)).max() < 1e-12
    assert folds.critical == pytest.approx(1.0)
    assert np.abs(folds.spectrum[:, 1] - 1).max() < 1e-6
    # It begins at a = c = 0, with a circle without size there.
    assert [o.code for o in folds.outcome] == ["point", "window"]
    assert "begins at a CH point" in folds.outcome[0].message
    assert [a[0], c[0], folds.column("max_x")[0]] == pytest.approx([0, 0, 0], abs=1e-9)
    assert found.graph.nodes["LP of circles"]["of"] == "circles"
    assert "LP of circles" in found.starts_of("CH1")
    assert not any("folds of invariant circles may start" in note for note in found.unexplored)


def test_curves_from_labelled_circles() -> None:
    fixed = gb.trace(gb.point(chenciner(), [0, 0]), {"a": (-0.3, 0.2)})
    circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"a": (-0.3, 0.2)})
    wide = {"a": (-0.6, 0.4), "c": (-0.5, 1.5)}
    folds = gb.trace(circles["LP1"], wide)
    assert np.abs(folds.column("a") + folds.column("c") ** 2 / 4).max() < 1e-12
    # A circle of the curve that was read starts it again.
    again = gb.trace(folds.point(len(folds) // 2), wide, max_points=4)
    assert np.abs(again.column("a") + again.column("c") ** 2 / 4).max() < 1e-12
    flips = gb.trace(circles["PD1"], wide)
    s = flips.column("max_x") ** 2
    assert np.abs(flips.column("a") + flips.column("c") * s - s**2).max() < 1e-11
    assert np.abs(1 + 2 * flips.column("c") * s - 4 * s**2 + 1).max() < 1e-8
    assert np.abs(flips.spectrum[:, 1] + 1).max() < 1e-6
    # Over one parameter the fold is a circle of a branch like others; where that begins it shrinks to the fixed point.
    branch = gb.trace(circles["LP1"], {"a": (-0.3, 0.1)})
    assert [p.label for p in branch.special_points if ":" not in p.label] == ["LP"]
    assert [o.code for o in branch.outcome] == ["point", "window"]
    assert branch.column("max_x")[0] < 0.05
    with pytest.raises(gb.MisuseError, match="a curve has two"):
        gb.trace(circles["PD1"], wide, at=[0.1])


@pytest.mark.parametrize(
    ("label", "across", "start"),
    [
        ("PD", {"z": "-(k + a)*z", "v": "v/2"}, 0.9),
        ("PD", MOEBIUS, 0.6),
        ("NS", {"z": "(k + a)*(0.8*z - 0.6*v)", "v": "(k + a)*(0.6*z + 0.8*v)"}, 0.9),
    ],
)
def test_what_is_critical_across(label: str, across: dict[str, str], start: float) -> None:
    system = gb.System.from_equations("map", {**CIRCLE, **across}, {"a": -0.1, "b": 0.4, "w": 1.3, "k": start})
    fixed = gb.trace(gb.point(system, [0, 0, 0, 0]), {"a": (-0.1, 0.02)})
    born = next(p for p in fixed.special_points if abs(p.critical.imag) > 0.9)  # e^{1.3 i}
    circles = gb.trace(gb.neimark_sacker_to_circles(born), {"a": (-0.1, 0.35)}, coefficients=False)
    window = {"a": (0.02, 0.35), "k": (0.4, 1.1)}
    curve = gb.trace(circles[f"{label}1"], window)
    a, k = curve.column("a"), curve.column("k")
    # The stretch across: k + a, or k + 0.8 r over two turns.
    assert np.abs(k + (0.8 * np.sqrt(a) if across is MOEBIUS else a) - 1).max() < 1e-12
    assert a.min() == pytest.approx(0.02)
    assert a.max() == pytest.approx(0.35)
    assert np.all(curve.unstable == 0)
    if label == "NS":
        # tan theta = 0.6/0.8.
        assert np.abs(curve.measures["theta"] - np.arctan(0.75)).max() < 1e-10
    # At fixed rotation number (here: at fixed a) the same point is met.
    fixed_rho = gb.trace(circles.point(len(circles) - 3), window)
    met = fixed_rho[f"{label}1"]
    at = met.parameters["a"]
    assert met.parameters["k"] == pytest.approx(1 - (0.8 * np.sqrt(at) if across is MOEBIUS else at), abs=1e-6)


def test_folds_at_fixed_rotation_number() -> None:
    fixed = gb.trace(gb.point(chenciner(c=0.8), [0, 0]), {"a": (-0.3, 0.2)})
    circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"a": (-0.3, 0.2)}, max_points=12)
    # The rotation number fixes s: a line a = s^2 - c s, tangent to the curve of folds at c = 2 s.
    start = circles.point(len(circles) - 1)
    s = 2 * np.pi * start.rotation_number / 0.4 - 1.3 / 0.4
    line = gb.trace(start, {"a": (-0.4, 0.3), "c": (-0.5, 1.5)})
    assert np.abs(line.column("a") - s**2 + s * line.column("c")).max() < 1e-11
    assert line["LP1"].parameters["c"] == pytest.approx(2 * s, abs=1e-5)


def test_a_curve_that_resonances_interrupt() -> None:
    """No planted circle: x, y of a map with cubic and quintic terms; its folds against those of branches."""
    field = {
        "x": "y",
        "y": "-(1 + mu)*x + 2*(1 + mu/2)*cos(w)*y + k*x**2*y + 0.6*y**3 - 0.4*x*y**4 - x**5 + 0.15*x*y",
    }
    system = gb.System.from_equations("map", field, {"mu": -0.1, "w": 1.3, "k": 0.3})
    window = {"mu": (-0.3, 0.3), "k": (-3.0, 3.0)}
    fixed = gb.trace(gb.point(system, [0, 0]), {"mu": window["mu"]})
    centre = gb.trace(fixed["NS1"], window)["CH"]
    (start,) = (p for p in gb.curves_from(centre) if p.name == "LP of circles")
    curve = gb.trace(start, window)
    # It ends before the tongue of 1/6, where circles need ever more modes: at k = 1.7 they lock before they meet.
    rho = curve.column("rotation_number")
    assert rho.max() > 0.206
    assert rho.min() < 0.18
    assert {o.code for o in curve.outcome} == {"point", "step too small"}
    assert "feel the tongue of 1/6, and none of the curve was found beyond it" in curve.outcome[1].message
    for at in (0.5,):
        k = float(curve.column("k")[np.argmin(np.abs(curve.column("k") - at))])
        here = gb.trace(gb.point(system.with_parameters(k=k), [0, 0]), {"mu": (-0.1, 0.1)})
        circles = gb.trace(gb.neimark_sacker_to_circles(here["NS1"]), {"mu": (-0.1, 0.1)}, stop="LP")
        place = curve.column("mu")[np.argmin(np.abs(curve.column("k") - k))]
        assert circles["LP1"].parameters["mu"] == pytest.approx(place, abs=1e-9)
    # Here circles meet within the tongue of 1/5: it is said that they do, and that it was not located.
    here = gb.trace(gb.point(system.with_parameters(k=0.9), [0, 0]), {"mu": (-0.1, 0.05)})
    circles = gb.trace(gb.neimark_sacker_to_circles(here["NS1"]), {"mu": (-0.05, 0.05)}, stop="LP")
    assert "It was not located closer" in circles["LP1"].note


def test_a_curve_steps_over_a_tongue() -> None:
    """The planted folds with terms that break the rotation: the tongue of 1/5 lies across their curve."""
    e = 0.1
    field = {"x": f"{CHENCINER['x']} + {e}*x**2 - {e}*x**4*y", "y": f"{CHENCINER['y']} + {e}*x*y + {e}*x**5"}
    system = gb.System.from_equations("map", field, {"a": -0.1, "b": 0.5, "w": 1.1, "c": 0.5})
    window = {"a": (-0.3, 0.2), "c": (0.45, 0.75)}

    def folding(c: float) -> gb.Point:
        fixed = gb.trace(gb.point(system.with_parameters(c=c), [0, 0]), {"a": (-0.1, 0.02)})
        start = gb.neimark_sacker_to_circles(fixed["NS1"])
        return gb.trace(start, {"a": (-0.3, 0.2)}, stop="LP", coefficients=False)["LP1"]

    curve = gb.trace(folding(0.5), window)
    assert [o.code for o in curve.outcome] == ["window", "window"]
    rho = curve.column("rotation_number")
    assert rho.min() < 0.195
    assert rho.max() > 0.203
    # Before it was stepped over, 105 modes were too few at 0.1997.
    assert curve.measures["modes"].max() < 60
    # Beyond it lies the fold that a branch from its own Neimark-Sacker point comes to.
    at = curve.column("c")[rho > 0.2][3]
    assert folding(float(at)).parameters["a"] == pytest.approx(curve.column("a")[rho > 0.2][3], abs=1e-8)


def test_a_regime_where_rest_and_circle_coexist() -> None:
    rmap = gb.regime_map(
        chenciner(c=-0.2), WINDOW, depth=1, box={"x": (-1.2, 1.2), "y": (-1.2, 1.2)}, steps=1000, tolerance=1e-3
    )
    (border,) = (b for b in rmap.borders if b.label == "LP of circles")
    # Points between those that were solved for come from cubics.
    assert np.abs(border.points[:, 0] + border.points[:, 1] ** 2 / 4).max() < 3e-6
    both = rmap.faces[rmap.at(a=-0.05, c=0.7).number]
    rest = rmap.faces[rmap.at(a=-0.05, c=0.3).number]
    # Between a = 0 and the folds: the integral of c^2/4 from 0 to 0.9, in a window of 0.5 by 1.5.
    assert both.area == pytest.approx(0.9**3 / 12 / 0.75, abs=1e-4)
    assert both.number != rest.number
    assert {"converges", "oscillates"} <= {x.verdict for x in both.attractors}
    assert "oscillates" not in {x.verdict for x in rest.attractors}
    swinging = next(x for x in both.attractors if x.verdict == "oscillates")
    c, a = both.point["c"], both.point["a"]
    # The outer circle: s = (c + sqrt(c^2 + 4 a))/2.
    assert max(swinging.high) == pytest.approx(np.sqrt((c + np.sqrt(c**2 + 4 * a)) / 2), abs=1e-3)

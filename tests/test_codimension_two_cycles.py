"""Curves of cycles that begin at GH, ZH and HH: planted amplitude systems, Lorenz-84, and the set that holds them."""

from pathlib import Path

import numpy as np
import pytest

import gan_bifurcation as gb

equations = gb.System.from_equations

BAUTIN = equations(
    "flow",
    {
        "x": "x*(a + b*(x**2 + y**2) - (x**2 + y**2)**2) - y*(1 + 0.3*(x**2 + y**2))",
        "y": "y*(a + b*(x**2 + y**2) - (x**2 + y**2)**2) + x*(1 + 0.3*(x**2 + y**2))",
    },
    parameters={"a": -0.1, "b": 0.3},
)
WINDOW = {"a": (-0.25, 0.15), "b": (-0.3, 0.8)}


@pytest.fixture(scope="module")
def bautin() -> gb.BifurcationSet:
    return gb.bifurcation_set(BAUTIN, WINDOW, depth=1, start=gb.point(BAUTIN, [0.0, 0.0]))


def test_folds_of_cycles_begin_at_a_generalised_hopf_point(bautin: gb.BifurcationSet) -> None:
    assert sorted(bautin.names) == ["H1", "LPC1"]
    assert bautin.starts_of("GH1") == ["H1", "LPC1"]
    curve = bautin["LPC1"]
    assert isinstance(curve, gb.Branch)
    # r' = r (a + b r^2 - r^4) has a double root r^2 = b / 2 where a = -b^2 / 4, b > 0.
    a, b = curve.column("a"), curve.column("b")
    np.testing.assert_allclose(a, -(b**2) / 4.0, atol=1e-12)
    assert b.min() > 0.0
    np.testing.assert_allclose([np.max(p.states[:, 0]) ** 2 for p in curve.profiles], b / 2.0, rtol=1e-3, atol=1e-8)
    # One end of the curve is the point itself, the other the frame.
    assert {o.code for o in curve.outcome} == {"hopf", "window"}
    assert bautin.graph.nodes["LPC1"]["of"] == "cycles"
    assert not any("folds of cycles may start" in text for text in bautin.unexplored)


def test_depth_and_storage(bautin: gb.BifurcationSet, tmp_path: Path) -> None:
    again = gb.BifurcationSet.load(bautin.save(tmp_path / "set"))
    assert repr(again) == repr(bautin)
    assert again.graph.nodes["LPC1"] == bautin.graph.nodes["LPC1"]
    flat = gb.bifurcation_set(BAUTIN, WINDOW, depth=0, start=gb.point(BAUTIN, [0.0, 0.0]))
    assert flat.names == ("H1",)
    assert any("folds of cycles may start" in text for text in flat.unexplored)


def test_tori_begin_at_two_pairs() -> None:
    eqs: dict[str, str] = {}
    for i, mu, own, other, omega in ((1, "a", 1.0, 2.0, "1"), (2, "b", 1.0, 1.5, "sqrt(3)")):
        growth = f"({mu} - {own}*(x{i}**2 + y{i}**2) - {other}*(x{3 - i}**2 + y{3 - i}**2))"
        eqs |= {f"x{i}": f"x{i}*{growth} - {omega}*y{i}", f"y{i}": f"y{i}*{growth} + {omega}*x{i}"}
    system = equations("flow", eqs, parameters={"a": -0.1, "b": -0.2})
    window = {"a": (-0.5, 0.5), "b": (-0.5, 0.5)}
    hopf = gb.trace(gb.trace(gb.point(system, np.zeros(4)), {"a": window["a"]})["H1"], window)
    starts = {s.name: s for s in gb.curves_from(hopf["HH1"])}
    assert list(starts) == ["H", "H 2", "NS of cycles", "NS of cycles 2"]
    # On the cycle |z1|^2 = a the other pair grows by b - 1.5 a; on |z2|^2 = b the first one by a - 2 b.
    for name, slope in (("NS of cycles", 1.5), ("NS of cycles 2", 0.5)):
        curve = gb.trace(starts[name], window)
        np.testing.assert_allclose(curve.column("b"), slope * curve.column("a"), atol=1e-10)
        # The angle is that of the other pair after one turn.
        turn = 2.0 * np.pi * (np.sqrt(3.0) if slope == 1.5 else 1.0 / np.sqrt(3.0))
        np.testing.assert_allclose(np.cos(curve.measures["theta"]), np.cos(turn), atol=1e-7)


def test_torus_begins_at_a_fold_hopf_point() -> None:
    # v' = m + v^2 + |z|^2, z' = z (n - 1.5 v + i): the cycle v = 0 has trace 2 v = 0, so the curve is n = 0, m < 0.
    # In the coordinate u = v + x / 2, which moves along the cycle.
    v = "(u - x/2)"
    x = f"(x*(n - 1.5*{v}) - y)"
    fields = {"u": f"m + {v}**2 + x**2 + y**2 + {x}/2", "x": x, "y": f"y*(n - 1.5*{v}) + x"}
    system = equations("flow", fields, parameters={"m": -0.04, "n": -0.5})
    window = {"m": (-0.3, 0.1), "n": (-0.6, 0.6)}
    branch = gb.trace(gb.point(system, [-0.2, 0.0, 0.0]), {"n": window["n"]})
    hopf = gb.trace(branch["H1"], window)
    (start,) = (s for s in gb.curves_from(hopf["ZH1"]) if s.kind == "cycle")
    curve = gb.trace(start, window)
    np.testing.assert_allclose(curve.column("n"), 0.0, atol=1e-9)
    # The frequency about the cycle is sqrt(2 * 1.5) |z| with |z|^2 = -m.
    np.testing.assert_allclose(curve.measures["theta"], 2 * np.pi * np.sqrt(-3.0 * curve.column("m")), rtol=1e-6)


def test_torus_curve_of_lorenz_84() -> None:
    fields = {"x": "-y**2 - z**2 - a*x + a*F", "y": "x*y - b*x*z - y + G", "z": "b*x*y + x*z - z"}
    system = equations("flow", fields, parameters={"a": 0.25, "b": 4.0, "F": 3.0, "G": 0.5})
    window = {"F": (-1, 6), "G": (-0.1, 6)}
    branch = gb.trace(gb.point(system, [3.0, 0.0, 0.0]), {"F": (0, 6)})
    point = gb.trace(branch["H1"], window)["ZH1"]
    (start,) = (s for s in gb.curves_from(point) if s.kind == "cycle")
    curve = gb.trace(start, window, max_points=30)
    assert curve.outcome[1].code == "hopf" or curve.outcome[0].code == "hopf"
    # A second look at one of its cycles, by integrating once around (an independent code): it returns, and the
    # product of its multipliers is exp of the divergence along it, which is 1 for a pair on the unit circle.
    cycle = curve.point(len(curve) // 2)
    assert cycle.profile is not None
    end = gb.simulate(cycle.system, cycle.x, duration=cycle.profile.period).states[-1]
    assert end == pytest.approx(cycle.x, abs=1e-6)
    divergence = -0.25 + 2.0 * (cycle.profile.states[:, 0] - 1.0)
    assert np.trapezoid(divergence, cycle.profile.phases) == pytest.approx(0.0, abs=1e-3)

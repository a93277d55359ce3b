"""Homoclinic orbits: from Bogdanov-Takens points, against asymptotics, and against an orbit known in closed form."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.continuation.collocation import nodes_of
from gan_bifurcation.profiles import Profile

equations = gb.System.from_equations
WINDOW = {"a": (-0.5, 0.1), "b": (-0.6, 0.3)}


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the page of the docs leaves after its own asserts, each explained there."""
    text = (Path(__file__).parent.parent / "docs" / "codimension-two.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, "codimension-two.md", "exec"), names)  # noqa: S102 -- our own page
    return names


@pytest.fixture(scope="module")
def found(page: dict[str, Any]) -> gb.BifurcationSet:
    """The set of the page: x' = y, y' = a + b y + x^2 - x y."""
    made = page["found"]
    assert isinstance(made, gb.BifurcationSet)
    assert {name: (span.low, span.high) for name, span in made.window.ranges.items()} == WINDOW
    return made


def test_the_set_of_a_bogdanov_takens_point_is_complete(found: gb.BifurcationSet) -> None:
    # Bogdanov 1975, Takens 1974: a fold, a Hopf and a homoclinic curve, and no fold of cycles.
    assert sorted(found.names) == ["H1", "Hom1", "LP1"]
    assert sorted(found.starts_of("BT1")) == ["H1", "Hom1", "LP1"]
    assert found.graph.nodes["Hom1"]["of"] == "homoclinic orbits"
    assert not any("homoclinic orbits may start" in text for text in found.unexplored)


def test_asymptotics_of_the_homoclinic_curve(found: gb.BifurcationSet) -> None:
    curve = found["Hom1"]
    assert isinstance(curve, gb.Branch)
    assert {o.code for o in curve.outcome} == {"BT", "window"}
    # With a = -4 e^4, b = -e^2 (10/7 + 288/2401 e^2 + O(e^4)): Al-Hdaibat, Govaerts, Kuznetsov, Meijer 2016.
    e2 = np.sqrt(-curve.column("a") / 4.0)
    ratio = -curve.column("b") / e2
    order = np.argsort(e2)
    e2, ratio = e2[order], ratio[order]
    near = (e2 > 1e-3) & (e2 < 0.2)
    a, b, c = np.polyfit(e2[near], ratio[near], 2)[::-1]
    assert a == pytest.approx(10.0 / 7.0, rel=1e-5)
    assert b == pytest.approx(288.0 / 2401.0, rel=2e-2)
    assert abs(c) < 0.05
    # At its saddle x = sqrt(-a) the trace is b - x: negative, so the cycles are stable (Kuznetsov, section 8.4).
    np.testing.assert_allclose(curve.measures["saddle_quantity"], curve.column("b") - curve.column("x"), atol=1e-12)
    np.testing.assert_allclose(curve.column("x"), np.sqrt(-curve.column("a")), rtol=1e-9, atol=1e-12)
    (start,) = (s for s in gb.curves_from(found["BT1"]) if s.label == "Hom")  # type: ignore[arg-type]
    assert start.criticality == "saddle quantity < 0: one stable cycle"
    assert (start.kind, start.stable, start.residual < 1e-10) == ("homoclinic orbit", False, True)


def test_kuznetsovs_form_of_the_unfolding() -> None:
    # y' = p + q x + x^2 - x y: homoclinic at p = -6 q^2 / 25 + o(q^2), q < 0 (Kuznetsov, section 8.4, lemma 8.7).
    system = equations("flow", {"x": "y", "y": "p + q*x + x**2 - x*y"}, parameters={"p": 0.0, "q": -0.2})
    window = {"p": (-0.1, 0.1), "q": (-0.3, 0.1)}
    branch = gb.trace(gb.point(system, [0.2, 0.0]), {"p": window["p"]})
    folds = gb.trace(branch["LP1"], window)
    (start,) = (s for s in gb.curves_from(folds["BT1"]) if s.label == "Hom")
    curve = gb.trace(start, window)
    ratio = curve.column("p") / curve.column("q") ** 2
    slope, limit = np.polyfit(curve.column("q")[curve.column("q") > -0.05], ratio[curve.column("q") > -0.05], 1)
    assert limit == pytest.approx(-6.0 / 25.0, rel=1e-4)
    assert abs(slope) < 1.0


def cartesian_leaf(a: float) -> gb.Point:
    """Sandstede's system at its homoclinic orbit on x^2 (1 - x) = y^2, z = 0, by integration from its saddle."""
    from scipy.integrate import solve_ivp

    f = "(m - z)"
    system = equations(
        "flow",
        {
            "x": f"a*x + y - a*x**2 + {f}*x*(2 - 3*x)",
            "y": f"x + a*y - 1.5*x**2 - 1.5*a*x*y - 2*{f}*y",
            "z": "c*z + x*m + x*z + (x**2*(1 - x) - y**2)",
        },
        parameters={"a": a, "m": 0.0, "c": -2.0},
        name="cartesian leaf",
    )

    def plane(_t: float, w: np.ndarray) -> list[float]:
        x, y = w
        return [a * x + y - a * x * x, x + a * y - 1.5 * x * x - 1.5 * a * x * y]

    duration = 24.0
    mesh = np.linspace(0.0, 1.0, 41)
    phases = nodes_of(mesh, 4)
    small = 1e-5
    run = solve_ivp(plane, (0.0, duration), [small, small], rtol=1e-12, atol=1e-14, dense_output=True)
    leaf = run.sol(phases * duration)
    # What returns to the saddle, before it leaves it again.
    home = int(np.argmin(np.hypot(*leaf[:, 80:]))) + 80
    end = phases[home] * duration
    states = np.column_stack([*run.sol(phases * end), np.zeros(len(phases))])
    spectrum = np.linalg.eigvals(system.jacobian([0.0, 0.0, 0.0])[:, :3]).astype(complex)
    profile = Profile(phases, states, end, mesh=mesh)
    return gb.Point(system, np.zeros(3), spectrum, label="Hom", condition="homoclinic", profile=profile)


def test_an_orbit_in_closed_form(tmp_path: Path) -> None:
    curve = gb.trace(cartesian_leaf(-0.2), {"a": (-0.4, 0.3), "m": (-0.5, 0.5)})
    # Sandstede, J. Dyn. Diff. Eq. 9 (1997): for m = 0 the leaf x^2 (1 - x) = y^2 is an orbit, whatever a.
    assert np.max(np.abs(curve.column("m"))) < 1e-7
    assert sorted(curve.column("a")[[0, -1]]) == pytest.approx([-0.4, 0.3])
    x, y, z = curve.profiles[len(curve) // 2].states.T
    np.testing.assert_allclose(x**2 * (1 - x), y**2, atol=1e-6)
    np.testing.assert_allclose(z, 0.0, atol=1e-6)
    # Its saddle has eigenvalues a + 1, a - 1 and -2: the saddle quantity 2 a vanishes at a = 0.
    np.testing.assert_allclose(curve.measures["saddle_quantity"], 2.0 * curve.column("a"), atol=1e-8)
    assert curve["NSS1"].parameters["a"] == pytest.approx(0.0, abs=1e-8)
    again = gb.Branch.load(curve.save(tmp_path / "leaf"))
    assert again["NSS1"].kind == again.point(0).kind == "homoclinic orbit"
    resumed = gb.trace(again.point(3), {"a": (-0.4, 0.3), "m": (-0.5, 0.5)}, max_points=4)
    assert np.max(np.abs(resumed.column("m"))) < 1e-7


def test_homoclinic_orbit_of_the_lorenz_system() -> None:
    system = equations(
        "flow", {"x": "s*(y - x)", "y": "r*x - y - x*z", "z": "x*y - b*z"}, {"s": 10.0, "r": 20.0, "b": 8 / 3}
    )
    root = np.sqrt(8 / 3 * 19)
    hopf = gb.trace(gb.point(system, [root, root, 19.0]), {"r": (5, 30)})["H1"]
    cycles = gb.trace(gb.hopf_to_cycles(hopf), {"r": (13.0, 25.0)})
    # No cycle is left at the homoclinic orbit: Sparrow 1982 has 13.926, Doedel, Krauskopf, Osinga 2006 13.9265.
    assert [o.code for o in cycles.outcome] == ["start", "homoclinic"]
    start = gb.cycle_to_homoclinic(cycles.point(int(np.argmax(cycles.measures["period"]))))
    curve = gb.trace(start, {"r": (5, 40), "s": (5, 20)}, max_points=5)
    here = int(np.argmin(np.abs(curve.column("s") - 10.0)))
    assert curve.column("s")[here] == pytest.approx(10.0, abs=1e-9)
    assert curve.column("r")[here] == pytest.approx(13.9265, abs=1e-4)


def test_refusals(found: gb.BifurcationSet) -> None:
    orbit = found["Hom1"].point(3)  # type: ignore[union-attr]
    with pytest.raises(gb.MisuseError, match="followed in two parameters"):
        gb.trace(orbit, {"a": (-1, 1)})
    with pytest.raises(gb.MisuseError, match="takes a cycle"):
        gb.cycle_to_homoclinic(orbit)
    vdp = equations("flow", {"x": "y", "y": "mu*(1 - x**2)*y - x"}, parameters={"mu": 1.0})
    start = gb.orbit_to_cycle(gb.simulate(vdp, [2.0, 0.0], duration=50))
    cycle = gb.Point(vdp, start.profile.states[0], np.ones(2, complex), profile=start.profile, condition="cycle")
    with pytest.raises(gb.MisuseError, match="passes by no saddle"):
        gb.cycle_to_homoclinic(cycle)


def test_page_of_the_docs(page: dict[str, Any]) -> None:
    assert "moves" in page

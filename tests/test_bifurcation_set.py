"""The bifurcation set in one call: what is found, each object once, what leads to what, and what was not explored."""

from pathlib import Path

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation import BifurcationSet, MisuseError, ResultsError
from gan_bifurcation.figures import bifurcation_set as figure

LORENZ = gb.System.from_equations(
    "flow",
    {"x": "s*(y - x)", "y": "r*x - y - x*z", "z": "x*y - b*z"},
    parameters={"s": 10.0, "r": 15.0, "b": 8.0 / 3.0},
    name="Lorenz",
)
HENON = gb.System.from_equations(
    "map",
    {"x": "y", "y": "a - b*x - y**2 + c*x*y"},
    parameters={"a": 0.5, "b": 0.8, "c": 0.1},
    name="generalised Henon",
)


@pytest.fixture(scope="module")
def henon() -> BifurcationSet:
    return gb.bifurcation_set(HENON, {"a": (-1.0, 4.0), "b": (-1.5, 2.0)}, depth=1)


def curves(found: BifurcationSet, label: str, period: int = 1) -> list[gb.Branch]:
    return [c for c in found.curves if c.curve == label and c.system.iterations == period]


def test_lorenz_has_a_pitchfork_and_one_hopf_curve_for_each_of_its_two_wings() -> None:
    found = gb.bifurcation_set(LORENZ, {"r": (0.5, 40.0), "s": (2.0, 30.0)})
    assert sorted(found.names) == ["BP1", "H1", "H2"]
    # The origin loses its stability at r = 1 (Lorenz 1963).
    np.testing.assert_allclose(found["BP1"].column("r"), 1.0, rtol=1e-10)
    # r_H = s (s + b + 3)/(s - b - 1) (Sparrow 1982).
    for name in ("H1", "H2"):
        s, b = found[name].column("s"), 8.0 / 3.0
        np.testing.assert_allclose(found[name].column("r"), s * (s + b + 3.0) / (s - b - 1.0), rtol=1e-9)
    # (x, y) -> -(x, y) maps one wing to the other; the system was given without saying so.
    assert found.twins == {"H2": "H1"}
    # The second wing is the image of the first, bit by bit: it was not traced again.
    np.testing.assert_array_equal(found["H2"].states, found["H1"].states * [-1.0, -1.0, 1.0])
    assert any("Cycles that are born on H1, H2 were not followed" in text for text in found.unexplored)


def test_generalised_henon_closed_forms(henon: BifurcationSet) -> None:
    c = 0.1
    (fold,), (flip,), (circle,) = (curves(henon, label) for label in ("LP", "PD", "NS"))
    # At a fixed point x = y = z the Jacobian is [[0, 1], [c z - b, (c - 2) z]].
    for branch, mu in ((fold, 1.0), (flip, -1.0)):
        z, b = branch.column("x"), branch.column("b")
        # det(J - mu) = mu^2 - mu (c - 2) z + b - c z.
        np.testing.assert_allclose(mu**2 - mu * (c - 2.0) * z + b - c * z, 0.0, atol=1e-9)
    # A complex pair on the unit circle: det J = b - c z = 1.
    np.testing.assert_allclose(circle.column("b") - c * circle.column("x"), 1.0, rtol=1e-9)


def test_generalised_henon_resonances_are_found_once_and_tie_the_curves(henon: BifurcationSet) -> None:
    once = [p for p in henon.points if p.system.iterations == 1]
    assert sorted(p.label for p in once) == ["LPPD", "R1", "R2", "R3", "R4"]
    c = 0.1
    for p in once:
        # det J = 1 and trace (c - 2) z = 2 cos(theta); for multipliers 1 and -1, det J = -1 and trace 0.
        trace = {"R1": 2.0, "R2": -2.0, "R3": -1.0, "R4": 0.0, "LPPD": 0.0}[p.label]
        determinant = -1.0 if p.label == "LPPD" else 1.0
        assert p.state["x"] == pytest.approx(trace / (c - 2.0), abs=1e-8)
        assert p.parameters["b"] == pytest.approx(determinant + c * p.state["x"], abs=1e-8)
    assert [(henon[n].curve, henon[n].system.iterations) for n in henon.starts_of("R1")] == [("LP", 1), ("NS", 1)]
    # Fold and flip at once: both curves, and circles of period two from there on (theta < 0; Kuznetsov 2004, 9.6).
    assert henon.starts_of("LPPD")[:2] == ["LP1", "PD1"]
    assert {henon.graph.nodes[n]["period"] for n in henon.starts_of("LPPD")[2:]} == {2}
    # At 1:2 the curve of the flip, that of the circle, and (s = 1 on this side) circles of period two.
    labels = {(henon.graph.nodes[n]["label"], henon.graph.nodes[n]["period"]) for n in henon.starts_of("R2")}
    assert labels == {("PD", 1), ("NS", 1), ("NS", 2)}


def test_the_graph_holds_plain_values_and_every_object(henon: BifurcationSet) -> None:
    import json

    graph = henon.graph
    kinds = [k for _, k in graph.nodes(data="kind")]
    assert kinds.count("branch") == len(henon.branches)
    assert kinds.count("curve") == len(henon.curves)
    json.dumps([dict(graph.graph), list(graph.nodes(data=True)), list(graph.edges(data=True))])
    # Period two is only reached by switching at a flip.
    switched = {target for _, target, data in graph.edges(data=True) if data["how"] == "switches at"}
    doubled = {n for n, data in graph.nodes(data=True) if data["kind"] == "branch" and data["period"] == 2}
    assert switched
    assert switched <= doubled


def test_depth_limits_what_is_followed_and_says_so(henon: BifurcationSet) -> None:
    flat = gb.bifurcation_set(HENON, {"a": (-1.0, 4.0), "b": (-1.5, 2.0)}, depth=0)
    assert {c.system.iterations for c in flat.curves} == {1}
    assert any("beyond depth 0 were not followed" in text for text in flat.unexplored)
    assert {c.system.iterations for c in henon.curves} == {1, 2}


def test_save_and_load(henon: BifurcationSet, tmp_path: Path) -> None:
    again = BifurcationSet.load(henon.save(tmp_path / "set"))
    assert repr(again) == repr(henon)
    assert again.unexplored == henon.unexplored
    assert list(again.graph.edges(data=True)) == list(henon.graph.edges(data=True))
    np.testing.assert_array_equal(again["PD1"].parameters, henon["PD1"].parameters)
    assert again["R4"].system.rhs([0.1, 0.2]).tolist() == henon["R4"].system.rhs([0.1, 0.2]).tolist()
    (tmp_path / "set" / "set.json").write_text("{}")
    with pytest.raises(ResultsError, match="damaged"):
        BifurcationSet.load(tmp_path / "set")


def test_table_and_figure(henon: BifurcationSet) -> None:
    import matplotlib.pyplot as plt

    frame = henon.to_dataframe()
    assert len(frame) == sum(map(len, henon.curves)) + len(henon.points)
    ax = figure(henon)
    assert len(ax.lines) >= len(henon.curves)
    plt.close(ax.figure)


def test_dirac_gan_r1_closed_forms() -> None:
    # Simultaneous steps with equal rates h: the linear part is [[1 - h gamma, -h/2], [h/2, 1]] (Mescheder et al. 2018),
    # its determinant 1 - h gamma + h^2/4.
    steps = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.5), gb.Simultaneous()), eta_g="eta_d")
    found = gb.bifurcation_set(steps, {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)}, depth=0)
    h = found["NS1"].column("eta_d")
    np.testing.assert_allclose(found["NS1"].column("gamma"), h / 4.0, rtol=1e-9)
    h = found["PD1"].column("eta_d")
    # det(J + 1) = 4 - 2 h gamma + h^2/4 = 0.
    np.testing.assert_allclose(found["PD1"].column("gamma"), (4.0 + h**2 / 4.0) / (2.0 * h), rtol=1e-9)
    # 1:2 where they meet: h = 4, gamma = 1; 1:4: trace 2 - h gamma = 0, h = 2 sqrt(2); 1:3: trace -1, h = 2 sqrt(3).
    assert found["R2"].parameters["eta_d"] == pytest.approx(4.0, abs=1e-7)
    assert found["R4"].parameters["eta_d"] == pytest.approx(2.0 * np.sqrt(2.0), abs=1e-8)
    assert found["R3"].parameters["eta_d"] == pytest.approx(2.0 * np.sqrt(3.0), abs=1e-8)


@pytest.mark.parametrize("rule", [gb.Alternating(), gb.Momentum("alternating"), gb.Extragradient()])
def test_dirac_gan_under_other_rules_in_one_call(rule: object) -> None:
    steps = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.5), rule), eta_g="eta_d")
    second = {"beta": (-0.9, 0.9)} if "beta" in steps.parameters else {"gamma": (0.05, 2.0)}
    found = gb.bifurcation_set(steps, {"eta_d": (0.05, 6.0)} | second, depth=0)
    # Every point of every curve has a multiplier on the unit circle.
    for c in found.curves:
        assert np.max(np.min(np.abs(np.abs(c.spectrum) - 1.0), axis=1)) < 1e-7
    assert found.curves


def test_kernel_gan_neimark_sacker_and_its_resonance() -> None:
    # Simultaneous steps: NS where h = eta_d lam = (S + Delta)/p, S = lam^2 sigma^2/(mu q); 1:4 at (S + Delta)^2 = 2 p S
    # (Becker et al. 2022, linear stability), lam = 1, p = 1, P = 0.8 = q, mu = 1: with the width fixed by the features.
    game = gb.models.kernel_gan(sigma=0.5, lam=1.0, p1=1.0, q1=0.8)
    steps = gb.tie(gb.system(game, gb.Simultaneous(), eta_d=0.1, eta_g=0.1), eta_g="eta_d")
    found = gb.bifurcation_set(steps, {"eta_d": (0.05, 1.9), "sigma": (0.2, 1.5)})
    s = found["NS1"].column("sigma") ** 2 / 0.8
    np.testing.assert_allclose(found["NS1"].column("eta_d"), s + 0.2, rtol=2e-3)
    # The resonance lies on that curve exactly where the multiplier is i.
    assert np.min(np.abs(found["R4"].spectrum - 1j)) < 1e-9


def test_branch_points_of_an_invariant_line_are_followed_though_their_direction_leans_into_it() -> None:
    # x = 0 is invariant, y = q there, and the growth p + y of x vanishes: p + q = 0. The critical direction is (1, 2).
    lines = gb.System.from_equations(
        "flow", {"x": "x*(p + y - x)", "y": "q - y + 2*x + y*x**2"}, parameters={"p": -0.5, "q": 0.2}
    )
    start = gb.point(lines, [0.0, 0.2])
    curve = gb.trace(gb.trace(start, {"p": (-1, 1)})["BP1"], {"p": (-1, 1), "q": (-1, 1)})
    np.testing.assert_allclose(curve.column("p") + curve.column("q"), 0.0, atol=1e-10)
    assert sorted(curve.column("q")[[0, -1]]) == [-1.0, 1.0]
    assert not curve.note


def test_branch_points_whose_direction_turns() -> None:
    # The matrix with eigenvalues p and -1 is turned by q: the critical direction turns by more than a right angle.
    square = "(x**2 + y**2)"
    fields = {
        "x": f"(p*cos(q)**2 - sin(q)**2)*x + (p + 1)*cos(q)*sin(q)*y - x*{square}",
        "y": f"(p + 1)*cos(q)*sin(q)*x + (p*sin(q)**2 - cos(q)**2)*y - y*{square}",
        "z": "q - z + x**2 + x*z",
    }
    turning = gb.System.from_equations("flow", fields, parameters={"p": -0.5, "q": 0.2})
    branch = gb.trace(gb.point(turning, [0.0, 0.0, 0.2]), {"p": (-1, 1)})
    curve = gb.trace(branch["BP1"], {"p": (-1, 1), "q": (0, 2)})
    np.testing.assert_allclose(curve.column("p"), 0.0, atol=1e-10)
    assert sorted(curve.column("q")[[0, -1]]) == [0.0, 2.0]
    assert not curve.note


def test_copies_under_a_large_group_are_listed_once() -> None:
    from gan_bifurcation.continuation.set_symmetry import Group
    from gan_bifurcation.continuation.set_window import Window

    ring = {f"x{i}": f"a*x{i} - x{i}**3 + b*(x{(i + 1) % 3} + x{(i + 2) % 3}) + 0.3*x{i}**2" for i in range(3)}
    system = gb.System.from_equations("flow", ring, parameters={"a": -0.5, "b": 0.1})
    window = {"a": (-0.3, 0.3), "b": (0.02, 0.2)}
    group = Group.of(system, Window.of(system, window))
    # Three equal players in a ring: their permutations, and no reflection, since 0.3 x^2 is even.
    assert group.order == 6
    assert len({tuple(y) for y in group.images(np.array([1.0, 2.0, 3.0]))}) == 6
    found = gb.bifurcation_set(system, window, depth=1, most_branches=20)
    assert not found.twins
    assert any("6 symmetries" in text for text in found.unexplored)
    # (x, y) -> -(x, y) maps one of Lorenz's wings to the other: both are listed, as images (see above); Henon has none.
    for other, over, order in ((LORENZ, ("r", "s"), 2), (HENON, ("a", "b"), 1)):
        assert Group.of(other, Window.of(other, dict.fromkeys(over, (1.0, 2.0)))).order == order


def test_bad_input_is_refused_in_a_sentence() -> None:
    with pytest.raises(MisuseError, match="over two parameters, got a"):
        gb.bifurcation_set(HENON, {"a": (0, 1)})
    with pytest.raises(MisuseError, match="depth is a number of switches"):
        gb.bifurcation_set(HENON, {"a": (0, 1), "b": (0, 1)}, depth=-1)
    with pytest.raises(MisuseError, match="Did you mean"):
        gb.bifurcation_set(HENON, {"aa": (0, 1), "b": (0, 1)})
    with pytest.raises(MisuseError, match="is of a System"):
        gb.bifurcation_set("henon", {"a": (0, 1), "b": (0, 1)})  # type: ignore[arg-type]


def test_interruption_is_said() -> None:
    found = gb.bifurcation_set(HENON, {"a": (-1.0, 4.0), "b": (-1.5, 2.0)}, progress=lambda done, total, text: False)
    assert any("interrupted" in text for text in found.unexplored)

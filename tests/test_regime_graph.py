"""The graph of a regime map: read back as written, asked questions, handed to other programs; stacks of maps."""

import json
import math

import networkx as nx
import numpy as np
import pytest
import shapely

import gan_bifurcation as gb
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.regimes import from_graphml, from_json
from gan_bifurcation.regimes.arrangement import Line, arrange
from gan_bifurcation.regimes.edges import borders_between
from gan_bifurcation.regimes.graph import to_graphml, to_json
from gan_bifurcation.regimes.traced import cut_short, traced_lines
from gan_bifurcation.reports.answers import answers


def same(a, b):
    return (
        type(a) is type(b)
        and a.graph == b.graph
        and dict(a.nodes(data=True)) == dict(b.nodes(data=True))
        and sorted(map(repr, a.edges(keys=True, data=True))) == sorted(map(repr, b.edges(keys=True, data=True)))
    )


@pytest.fixture(scope="module")
def cusp():
    """x' = b + a x - x**3: two equilibria attract where 27 b**2 < 4 a**3."""
    flow = gb.System.from_equations("flow", {"x": "b + a*x - x**3"}, parameters={"a": 0.5, "b": 0.05})
    window = {"a": (-1, 2), "b": (-1, 1.1)}
    return gb.regime_map(flow, window, steps=60, tolerance=1e-3, attractors=24, box={"x": (-2, 2)})


def test_both_formats_give_the_same_graphs_back(cusp, tmp_path):
    for graph in (cusp.graph, cusp.hysteresis):
        assert same(from_json(to_json(graph)), graph)
        assert same(from_graphml(to_graphml(graph, tmp_path / "graph.graphml")), graph)
    assert isinstance(from_json(to_json(cusp.hysteresis)), nx.MultiDiGraph)
    assert cusp.graph.graph["transitions"]


def test_a_saved_map_holds_every_format(cusp, tmp_path):
    cusp.save(tmp_path / "map")
    names = {p.name for p in (tmp_path / "map").iterdir()}
    assert {"graph.json", "graph.graphml", "faces.geojson", "transitions.json", "transitions.graphml"} <= names
    (tmp_path / "map" / "graph.graphml").write_text("<graphml><!DOCTYPE x>")
    with pytest.raises(gb.ResultsError, match="damaged"):
        from_graphml(tmp_path / "map" / "graph.graphml")
    with pytest.raises(gb.ResultsError, match="cannot be read"):
        from_graphml(tmp_path / "nothing.graphml")


def test_geojson_tiles_the_window(cusp):
    data = json.loads(cusp.to_geojson())
    faces = [f for f in data["features"] if f["properties"]["part"] == "regime"]
    # 3 by 2.1 in natural units.
    assert sum(shapely.geometry.shape(f["geometry"]).area for f in faces) == pytest.approx(6.3, rel=1e-9)
    borders = [f for f in data["features"] if f["properties"]["part"] == "border"]
    points = np.vstack([f["geometry"]["coordinates"] for f in borders])
    # The discriminant of the cubic.
    assert np.abs(4 * points[:, 0] ** 3 - 27 * points[:, 1] ** 2).max() < 1e-7
    assert all(f["properties"]["regimes"] == sorted(f["properties"]["regimes"]) for f in borders)


def test_tables(cusp):
    regimes, borders = cusp.to_dataframe(), cusp.to_dataframe("borders")
    assert regimes["area"].sum() == pytest.approx(1.0, abs=1e-9)
    assert set(borders["label"]) == {"LP"}
    assert len(cusp.to_dataframe("transitions")) == len(cusp.transitions)
    assert (cusp.to_dataframe("attractors").groupby("regime")["share"].sum().round(9) == 1.0).all()
    with pytest.raises(gb.UnknownNameError, match="Unknown table"):
        cusp.to_dataframe("faces")


def test_what_changes_along_a_path(cusp):
    one, two = cusp.along([{"a": 1.0, "b": -0.9}, {"a": 1.0, "b": 1.0}])
    edge = 2 / math.sqrt(27)
    # Chords are within a quarter of the map's tolerance of their curves.
    assert (one.parameters["b"], two.parameters["b"]) == (pytest.approx(-edge, abs=1e-3), pytest.approx(edge, abs=1e-3))
    assert (one.label, two.label) == ("LP", "LP")
    # On the way up nothing jumps at the first fold; at the second the lower equilibrium is lost.
    assert all(t.returns for t in one.transitions)
    assert any(not t.returns for t in two.transitions)
    assert cusp.along([{"a": -0.9, "b": 0.9}, {"a": -0.9, "b": -0.9}]) == ()
    with pytest.raises(gb.MisuseError, match="at least two points"):
        cusp.along([{"a": 1.0, "b": 0.0}])


def test_answers_in_sentences(cusp):
    found = answers(cusp, {"a": 1.0, "b": 0.9}, to={"a": 1.0, "b": -0.9}, best=True)
    assert "does not come back the same way" in found["path"]["text"]
    # The steepest slope, a - 3 x**2, is where x is largest: at b = 1.1 and a = 2.
    x = max(np.roots([-1.0, 0.0, 2.0, 1.1]).real)
    assert found["best rate"]["radius"] == pytest.approx(2 - 3 * x**2, rel=1e-6)
    with pytest.raises(gb.MisuseError, match="--at as well"):
        answers(cusp, to={"a": 1.0, "b": -0.9})


def test_slices_of_three_parameters(tmp_path):
    """Multipliers 1 - a +- b i times c: stable inside a circle of radius 1/c."""
    turn = gb.System.from_equations(
        "map", {"x": "c*((1 - a)*x - b*y)", "y": "c*(b*x + (1 - a)*y)"}, parameters={"a": 0.5, "b": 0.6, "c": 1.0}
    )
    values = [1.0, 1.1, 1.25]
    stack = gb.regime_stack(turn, {"a": (0, 2), "b": (0.1, 2.1)}, {"c": values}, steps=200, tolerance=1e-3)
    assert [len(numbers) for numbers in stack.regimes] == [2, 2, 2]
    assert len({n for numbers in stack.regimes for n in numbers}) == 2
    safe = [next(f.area for f in m.faces if f.verdict == "converges") for m in stack.maps]

    def cap(r):
        """The half disc without the strip below b = 0.1, in a window of area 4."""
        return (r**2 * math.acos(0.1 / r) - 0.1 * math.sqrt(r**2 - 0.01)) / 4

    assert safe == pytest.approx([cap(1 / c) for c in values], abs=1e-3)
    number = stack.regimes[0][next(k for k, f in enumerate(stack.maps[0].faces) if f.verdict == "converges")]
    assert stack.volumes()[number] == pytest.approx(0.4 * (safe[0] + safe[1]) / 2 + 0.6 * (safe[1] + safe[2]) / 2)
    between = [d for _, _, d in stack.graph.edges(data=True) if d["label"] == "slice"]
    assert len(between) == 4
    stack.save(tmp_path / "stack")
    again = gb.RegimeStack.load(tmp_path / "stack")
    assert same(again.graph, stack.graph)
    (tmp_path / "stack" / "stack.json").unlink()
    with pytest.raises(gb.ResultsError, match="no stack of maps"):
        gb.RegimeStack.load(tmp_path / "stack")
    with pytest.raises(gb.MisuseError, match="must increase"):
        gb.regime_stack(turn, {"a": (0, 2), "b": (0.1, 2.1)}, {"c": [2.0, 1.0]})


def test_where_a_border_changes_its_criticality_it_is_divided_and_says_so(tmp_path):
    game = gb.models.kernel_gan(sigma=0.5, lam=0.5, p1=1.0, q1=0.8, modes=1)
    steps = gb.system(game, gb.Alternating(), eta_d=0.1, eta_g=0.1)
    rmap = gb.regime_map(steps, {"eta_d": (1.3, 2.0), "sigma": (0.1, 0.35)}, steps=200, tolerance=1e-3)
    flips = {d["criticality"]: d for *_, d in rmap.graph.edges(data=True) if d["label"] == "PD"}
    assert set(flips) == {"subcritical", "supercritical"}
    for criticality, edge in flips.items():
        (centre,) = edge["codimension_two"]
        assert (centre["label"], centre["note"]) == ("GPD", "The criticality changes here.")
        # The cubic reduction: eta_d/2 = 22/27; below it the flip is subcritical.
        assert centre["parameters"]["eta_d"] == pytest.approx(44 / 27, rel=1e-8)
        low, high = sorted(p[0] for p in (edge["points"][0], edge["points"][-1]))
        assert (high if criticality == "subcritical" else low) == pytest.approx(44 / 27, rel=1e-8)
    eta_d, sigma = flips["supercritical"]["points"][-2]
    said = answers(rmap, {"eta_d": eta_d, "sigma": 0.999 * sigma}, circle=False)["nearest border"]
    assert said["label"] == "PD"
    assert "supercritical" in said["text"]
    assert "changes its criticality at GPD, eta_d = 1.62963" in said["text"]
    again = type(rmap).load(rmap.save(tmp_path / "map"))
    assert list(again.graph.edges(data=True)) == list(rmap.graph.edges(data=True))


def test_a_curve_that_is_given_as_a_border_brings_its_criticality_and_says_where_it_was_cut():
    # r' = r (a + b r^2 - r^4): the Hopf curve a = 0 is supercritical for b < 0, and folds begin at b = 0.
    field = "(a + b*(x**2 + y**2) - (x**2 + y**2)**2)"
    flow = gb.System.from_equations(
        "flow", {"x": f"x*{field} - y", "y": f"y*{field} + x"}, parameters={"a": -0.1, "b": 0.2}
    )
    window = {"a": (-0.3, 0.3), "b": (-1.0, 1.0)}
    start = gb.trace(gb.point(flow, [0.0, 0.0]), {"a": (-0.3, 0.3)})["H1"]
    hopf = gb.trace(start, window)
    (line,) = traced_lines(hopf, Window.of(flow, window), 1e-3)
    arrangement = arrange([Line(line.unit, 0, "H", True)])
    numbers = list(range(len(arrangement.faces)))
    borders = borders_between(arrangement, numbers, ["converges"] * len(numbers), (), line.window, 1e-6, [line])
    assert {b.criticality for b in borders} == {"subcritical", "supercritical"}
    assert cut_short(hopf) == []
    # One sentence for each end.
    cut = cut_short([gb.trace(start, window, max_points=3)])
    assert len(cut) == 2
    assert all("given as a border (H) was cut: Stopped after" in text for text in cut)

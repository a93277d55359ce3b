"""Regime maps against systems whose borders are known in closed form, and against brute force."""

import json
import math
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import networkx as nx
import numpy as np
import pytest
import shapely
from scipy.optimize import linprog

import gan_bifurcation as gb
from gan_bifurcation.models.kernel_theory import kernel_curvature
from gan_bifurcation.regimes import RegimeMap, from_json
from gan_bifurcation.regimes.arrangement import Line, arrange, merged
from gan_bifurcation.regimes.questions import _push


def rotation(name="rotation"):
    """Multipliers 1 - a +- b i: stable inside the unit circle about (1, 0) of the (a, b) plane."""
    return gb.System.from_equations(
        "map", {"x": "(1-a)*x - b*y", "y": "b*x + (1-a)*y"}, parameters={"a": 0.5, "b": 0.6}, name=name
    )


def planted(kind):
    """The normal form: growth mu, cubic coefficient k."""
    if kind == "flow":
        equations = {"x": "mu*x - y + k*x*(x**2 + y**2)", "y": "x + mu*y + k*y*(x**2 + y**2)"}
    else:
        size = "(1 + mu + k*(x**2 + y**2))"
        equations = {"x": f"{size}*(cos(1)*x - sin(1)*y)", "y": f"{size}*(sin(1)*x + cos(1)*y)"}
    return gb.System.from_equations(kind, equations, parameters={"mu": -0.1, "k": -0.5})


def dirac(rule, gamma=0.5):
    return gb.tie(gb.system(gb.models.dirac_gan(gamma=gamma), rule), eta_g="eta_d")


def radius(system, state):
    return np.abs(np.linalg.eigvals(system.jacobian(state)[:, : system.n])).max()


@pytest.fixture(scope="module")
def disc():
    return gb.regime_map(rotation(), {"a": (0, 2), "b": (0.5, 2.5)}, steps=200)


@pytest.fixture(scope="module")
def r1():
    return gb.regime_map(dirac(gb.Simultaneous()), {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)}, steps=500)


def test_faces_that_meet_through_slivers_alone_are_joined() -> None:
    """Curves of two symmetric equilibria coincide but for rounding; what lies between them is no border."""
    y = np.linspace(0.0, 1.0, 9)
    wave = 1e-7 * np.cos(4 * np.pi * y)
    lines = [Line(np.column_stack([0.5 + sign * wave, y]), k, "NS") for k, sign in enumerate((1.0, -1.0))]
    arrangement = arrange(lines)
    wide = [k for k, face in enumerate(arrangement.faces) if face.area > 0.1]
    assert len(wide) == 2
    keys = ["same" if k in wide else f"sliver {k}" for k in range(len(arrangement.faces))]
    _, polygons = merged(arrangement, keys, thin=1e-4)
    assert [p.area for p in polygons] == pytest.approx([1.0], abs=1e-9)
    keys[wide[0]] = "other"
    # The square's halves.
    assert [p.area for p in merged(arrangement, keys, thin=1e-4)[1]] == pytest.approx([0.5, 0.5], abs=1e-6)


def test_a_thin_face_that_no_sample_meets_is_found_by_its_spectra() -> None:
    """A real multiplier passes that of a rotation, 0.7, in a strip alone: no bifurcation, so no curve leads there."""
    width, place = 0.008, "a - 0.35 - 0.05*b"
    strip = gb.System.from_equations(
        "map",
        {"x": f"(0.5 + 0.4*exp(-(({place})/{width})**2))*x", "y": "0.42*y - 0.56*z", "z": "0.56*y + 0.42*z"},
        parameters={"a": 0.5, "b": 0.5},
    )
    made = gb.regime_map(strip, {"a": (0, 1), "b": (0, 1)}, steps=200, tolerance=1e-3)
    assert [f.detail for f in made.faces if f.area > 0.1] == ["spiralling", "spiralling"]
    # 0.5 + 0.4 exp(-(d/w)^2) = 0.7 at d = w sqrt(log 2).
    (thin,) = (f for f in made.faces if f.detail == "monotone")
    assert thin.area == pytest.approx(2 * width * math.sqrt(math.log(2)), rel=1e-2)


# -- planes whose borders are known --------------------------------------------------------------------------------


def test_disc_has_the_area_of_the_cap(disc):
    assert {f.verdict for f in disc.faces} == {"converges", "diverges"}
    safe = next(f for f in disc.faces if f.verdict == "converges")
    # The part of the unit disc above b = 1/2: pi/3 - sqrt(3)/4, in a window of area 4.
    assert safe.area == pytest.approx((math.pi / 3 - math.sqrt(3) / 4) / 4, abs=2e-5)
    assert sum(f.area for f in disc.faces) == pytest.approx(1.0, abs=1e-9)
    assert safe.detail == "spiralling"


def test_points_of_a_border_are_exact(disc):
    (border,) = disc.borders
    assert border.label == "NS"
    # All but the two ends on the frame, where the polyline was cut, are solutions: on the circle about (1, 0).
    assert np.abs(np.hypot(border.points[:, 0] - 1, border.points[:, 1]) - 1).max() < 1e-9


def test_largest_circle_touches_the_arc_and_the_frame(disc):
    circle = disc.largest_safe_circle()
    # Between the line b = 1/2 and the top of the unit circle: radius 1/4, that is 1/8 of the window.
    assert circle.radius == pytest.approx(0.125, abs=1e-8)
    assert circle.centre["a"] == pytest.approx(1.0, abs=1e-4)
    assert circle.centre["b"] == pytest.approx(0.75, abs=1e-8)
    assert set(circle.touches) == {"frame", "NS"}
    assert circle.extent["b"] == (pytest.approx(0.5, abs=1e-8), pytest.approx(1.0, abs=1e-8))


def test_a_push_away_from_walls_is_the_best_one():
    rng = np.random.default_rng(5)
    for trust in (1e-2, 1e-5):
        for count in (1, 2, 5, 12):
            distances = 0.3 + trust * rng.uniform(0.0, 3.0, count)
            angles = rng.uniform(0.0, 2.0 * np.pi, count)
            normals = np.column_stack([np.cos(angles), np.sin(angles)])
            step, promised = _push([("NS", float(d), n) for d, n in zip(distances, normals, strict=True)], trust)
            # An independent solver of the same linear program, in units of the trust region.
            ends = (distances - distances.min()) / trust
            rows = np.column_stack([-normals, np.ones(count)])
            solved = linprog([0.0, 0.0, -1.0], A_ub=rows, b_ub=ends, bounds=[(-1, 1), (-1, 1), (None, None)])
            assert (promised - distances.min()) / trust == pytest.approx(solved.x[2], abs=1e-6)
            assert np.min(distances + normals @ step) == pytest.approx(promised, abs=1e-12)


def test_nearest_border_and_smallest_change(disc):
    a, b = 0.9, 0.6
    near = disc.nearest_border(a=a, b=b)
    r = math.hypot(a - 1, b)
    # Radially outwards to the unit circle, half of it in unit coordinates.
    assert near.distance == pytest.approx((1 - r) / 2, abs=1e-10)
    assert near.parameters["a"] == pytest.approx(1 + (a - 1) / r, abs=1e-9)
    assert near.exact
    assert near.label == "NS"
    change = disc.smallest_change(to="converges", from_={"a": 1.9, "b": 1.2})
    r = math.hypot(0.9, 1.2)
    assert change.distance == pytest.approx((r - 1) / 2, abs=1e-10)
    assert change.change["a"] == pytest.approx(0.9 / r - 0.9, abs=1e-9)
    assert disc.smallest_change(to="converges", from_={"a": 1.0, "b": 0.7}).distance == 0.0
    with pytest.raises(gb.MisuseError, match="oscillates"):
        disc.smallest_change(to="oscillates", from_={"a": 1.0, "b": 0.7})


def test_best_rate_of_the_disc_lies_on_the_frame(disc):
    best = disc.best_rate()
    # The smallest modulus of 1 - a +- b i in the window: at a = 1, b = 1/2.
    assert best.radius == pytest.approx(0.5, abs=1e-9)
    assert best.parameters["a"] == pytest.approx(1.0, abs=1e-4)
    assert best.iterations == pytest.approx(1 / math.log(2), abs=1e-6)


@pytest.mark.parametrize("kind", ["map", "flow"])
def test_both_criticalities_of_a_planted_normal_form(kind):
    rmap = gb.regime_map(planted(kind), {"mu": (-0.4, 0.4), "k": (-1, 1)}, steps=2000 if kind == "map" else 400)
    label = "NS" if kind == "map" else "H"
    # mu < 0 attracts; beyond, k < 0 saturates the growth and k > 0 does not.
    assert rmap.at(mu=-0.2, k=0.7).verdict == "converges"
    assert rmap.at(mu=0.2, k=-0.7).verdict == "oscillates"
    assert rmap.at(mu=0.2, k=0.7).verdict == "diverges"
    words = {
        (b.criticality, frozenset(rmap.faces[f].verdict for f in b.faces)) for b in rmap.borders if b.label == label
    }
    assert ("supercritical", frozenset({"converges", "oscillates"})) in words
    assert ("subcritical", frozenset({"converges", "diverges"})) in words
    inside = [b.points[b.points[:, 0] > 0.1] for b in rmap.borders if b.label == "global"]
    # No local bifurcation explains k = 0; bisection finds it to 1e-4 of the window, in a flow as far as runs can tell.
    assert np.abs(np.vstack(inside)[:, 1]).max() < (4e-4 if kind == "map" else 3e-2)
    assert all(b.curve is None for b in rmap.borders if b.label == "global")


def test_inside_the_cusp_two_equilibria_attract():
    cusp = gb.System.from_equations("flow", {"x": "b + a*x - x**3"}, parameters={"a": 0.5, "b": 0.05})
    rmap = gb.regime_map(cusp, {"a": (-1, 2), "b": (-1, 1.1)}, steps=100)
    folds = np.vstack([b.points for b in rmap.borders if b.label == "LP"])
    # The discriminant of the cubic: 4 a**3 = 27 b**2.
    assert np.abs(4 * folds[:, 0] ** 3 - 27 * folds[:, 1] ** 2).max() < 1e-7
    assert len(rmap.at(a=1.0, b=0.1).attractors) == 2
    assert len(rmap.at(a=1.0, b=0.5).attractors) == 1
    assert {b.label for b in rmap.borders} == {"LP"}
    assert any(s["label"] == "CP" for b in rmap.borders for s in b.special)


# -- Dirac-GAN -----------------------------------------------------------------------------------------------------


def test_r1_borders_are_those_of_the_closed_forms(r1):
    by_label = {
        label: np.vstack([b.points[1:-1] for b in r1.borders if b.label == label]) for label in ("NS", "PD", "focus")
    }
    # dirac_and_rules C.1 with f' = 1/2 and equal rates: h = 4 gamma below gamma = 1, the critical damping; above it
    # the flip h (gamma/2 + sqrt(gamma**2/4 - 1/4)) = 2.
    h, gamma = by_label["NS"].T
    assert np.abs(h - 4 * gamma).max() < 1e-8
    h, gamma = by_label["PD"].T
    assert np.abs(h * (gamma / 2 + np.sqrt(np.maximum(gamma**2 / 4 - 0.25, 0))) - 2).max() < 2e-6
    away = gamma > 1.01
    assert np.abs(h[away] * (gamma[away] / 2 + np.sqrt(gamma[away] ** 2 / 4 - 0.25)) - 2).max() < 1e-8
    assert np.abs(by_label["focus"][:, 1] - 1).max() < 1e-8


def test_alternating_r1_border():
    rmap = gb.regime_map(dirac(gb.Alternating()), {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)}, steps=500)
    h, gamma = np.vstack([b.points[1:-1] for b in rmap.borders if b.label == "PD"]).T
    # The same note: 2 h gamma + h**2/4 = 4.
    assert np.abs(2 * h * gamma + h**2 / 4 - 4).max() < 1e-8
    assert not any(b.label == "NS" for b in rmap.borders)


def agrees_with_brute_force(rmap, state, cells=40):
    """No cell of a grid that is farther than one step from the border disagrees about stability."""
    safe = shapely.union_all([f.shape for f in rmap.faces if f.verdict == "converges"], grid_size=1e-9)
    wrong = 0
    for i in range(cells):
        for j in range(cells):
            unit = np.array([(i + 0.5) / cells, (j + 0.5) / cells])
            system = rmap.system.with_parameters(**rmap.window.values(unit))
            stable = radius(system, state(system)) < 1
            point = shapely.Point(*unit)
            if stable != safe.contains(point) and safe.boundary.distance(point) > 1 / cells:
                wrong += 1
    return wrong == 0


def test_r1_map_agrees_with_a_grid_of_spectral_radii(r1):
    assert agrees_with_brute_force(r1, lambda s: np.zeros(2))


def test_runs_agree_beyond_the_border(r1):
    from gan_bifurcation.regimes import classify

    for h, gamma in ((1.0, 0.1), (2.0, 0.3), (5.0, 1.5)):
        found = classify(r1.system.with_parameters(eta_d=h, gamma=gamma), [0.01, 0.02], steps=3000)
        assert r1.at(eta_d=h, gamma=gamma).verdict == found.kind


# -- one parameter -------------------------------------------------------------------------------------------------


def test_logistic_map_in_one_parameter():
    logistic = gb.System.from_equations("map", {"x": "r*x*(1-x)"}, parameters={"r": 2.8})
    rmap = gb.regime_map(logistic, {"r": (0.5, 4.5)}, initial={"x": 0.3})
    assert [(f.verdict, f.detail) for f in rmap.faces[:2]] == [("converges", "monotone"), ("converges", "spiralling")]
    assert [f.verdict for f in rmap.faces[2:]] == ["oscillates", "diverges"]
    # The multiplier 2 - r is negative from r = 2 on and -1 at r = 3; beyond r = 4 orbits leave the unit interval. At
    # r = 1 another fixed point takes over, and training converges as before: no border.
    assert [b.label for b in rmap.borders] == ["mode", "PD", "global"]
    assert [b.points[0, 0] for b in rmap.borders] == [
        pytest.approx(2, abs=1e-10),
        pytest.approx(3, abs=1e-10),
        pytest.approx(4, abs=1e-3),
    ]
    assert rmap.best_rate().radius < 1e-9
    assert rmap.largest_safe_circle().extent["r"] == (0.5, pytest.approx(3, abs=1e-10))
    assert rmap.nearest_border(r=2.9).change["r"] == pytest.approx(0.1, abs=1e-10)
    assert from_json(rmap.to_json()).number_of_edges() == 3


# -- graph, disk, workers ------------------------------------------------------------------------------------------


def same_graph(a, b):
    return (
        dict(a.nodes(data=True)) == dict(b.nodes(data=True))
        and list(a.edges(keys=True, data=True)) == list(b.edges(keys=True, data=True))
        and a.graph == b.graph
    )


def test_graph_holds_plain_values_and_survives_json(r1):
    graph = r1.graph
    assert isinstance(graph, nx.MultiGraph)
    json.dumps([d for _, d in graph.nodes(data=True)], allow_nan=False)
    assert same_graph(graph, from_json(r1.to_json()))
    total = sum(shapely.from_wkt(d["polygon"]).area for _, d in graph.nodes(data=True))
    # The faces tile the window, 5.95 by 1.95.
    assert total == pytest.approx(5.95 * 1.95, rel=1e-9)


def test_graphml_is_read_by_networkx(r1, tmp_path):
    path = r1.to_graphml(tmp_path / "graph.graphml")
    again = nx.read_graphml(path, node_type=int)
    assert again.number_of_edges() == r1.graph.number_of_edges()
    assert json.loads(again.nodes[0]["attractors"]) == r1.graph.nodes[0]["attractors"]


def test_map_survives_the_disk(r1, tmp_path):
    r1.save(tmp_path / "map")
    again = RegimeMap.load(tmp_path / "map")
    assert same_graph(r1.graph, again.graph)
    here = {"eta_d": 0.7, "gamma": 0.4}
    assert again.at(**here).verdict == "converges"
    assert again.nearest_border(**here) == r1.nearest_border(**here)
    (tmp_path / "map" / "map.json").write_text("{}")
    with pytest.raises(gb.ResultsError, match="damaged"):
        RegimeMap.load(tmp_path / "map")


def test_same_result_for_any_number_of_workers(r1):
    free = {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)}
    with ThreadPoolExecutor(2) as pool:
        threads = gb.regime_map(dirac(gb.Simultaneous()), free, steps=500, executor=pool)
    assert threads.to_json() == r1.to_json()


@pytest.mark.slow
def test_same_result_with_processes(r1):
    free = {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)}
    with ProcessPoolExecutor(2) as pool:
        processes = gb.regime_map(dirac(gb.Simultaneous()), free, steps=500, executor=pool)
    assert processes.to_json() == r1.to_json()


def test_interruption_is_said():
    rmap = gb.regime_map(
        rotation(), {"a": (0, 2), "b": (0.5, 2.5)}, steps=200, progress=lambda done, total, text: text != "regimes"
    )
    assert rmap.outcome.code == "interrupted"
    assert not rmap.outcome.converged


def test_misuse_is_one_sentence(disc):
    with pytest.raises(gb.UnknownNameError, match="Unknown parameter 'c'"):
        gb.regime_map(rotation(), {"c": (0, 1)})
    with pytest.raises(gb.MisuseError, match="one or two parameters"):
        gb.regime_map(rotation(), {})
    with pytest.raises(gb.MisuseError, match="at least 64 steps"):
        gb.regime_map(rotation(), {"a": (0, 2), "b": (0.5, 2.5)}, steps=3)
    with pytest.raises(gb.MisuseError, match="outside the map's window"):
        disc.at(a=3.0, b=0.7)
    with pytest.raises(gb.MisuseError, match="needs a value for b"):
        disc.at(a=1.0)
    with pytest.raises(gb.UnknownNameError, match="Unknown verdict"):
        disc.largest_safe_circle("convergent")


# -- kernel GAN ----------------------------------------------------------------------------------------------------


def kernel(rule, q=0.8, lam=0.5):
    game = gb.models.kernel_gan(sigma=1.0, lam=lam, p=1.0, q=q)
    return gb.tie(gb.system(game, rule), eta_g="eta_d"), kernel_curvature(game)


def test_kernel_gan_in_rate_and_width():
    system, k2 = kernel(gb.Simultaneous())
    rmap = gb.regime_map(system, {"eta_d": gb.log_range(0.01, 5), "sigma": (0.1, 3)}, steps=500)
    points = {label: np.vstack([b.points[1:-1] for b in rmap.borders if b.label == label]) for label in ("NS", "focus")}
    # kernel_gan.md 5.3 with p = 1, q = P = 0.8, Delta = 0.2, lam = 1/2, mu = 1 and the features' own curvature:
    # sigma**2 = q (eta_d p - Delta/lam)/lam.
    eta, sigma = points["NS"].T
    assert np.abs(sigma**2 / (k2 * 0.8 * (eta - 0.4) / 0.5) - 1).max() < 1e-8
    # 5.2: sqrt(S) = sqrt(p) - sqrt(P), S = lam**2 sigma**2/q.
    sigma = points["focus"][:, 1]
    assert np.abs(0.5 * sigma / np.sqrt(k2 * 0.8) - (1 - math.sqrt(0.8))).max() < 1e-8
    structural = [b for b in rmap.borders if b.curve is not None and b.curve.structural]
    # The common multiplier 1 - eta_d lam of the 24 free directions of the discriminator is -1 at eta_d = 4.
    assert structural
    assert all(np.abs(b.points[:, 0] - 4).max() < 1e-8 for b in structural)
    assert rmap.at(eta_d=0.1, sigma=1.0).detail == "spiralling"
    assert agrees_with_brute_force(rmap, lambda s: s.equilibrium_guess(), cells=20)


def test_kernel_gan_in_regularisation_and_width():
    system, k2 = kernel(gb.Alternating(), q=1.2)
    rmap = gb.regime_map(
        system.with_parameters(eta_d=0.1), {"lam": gb.log_range(0.2, 5), "sigma": gb.log_range(0.2, 1)}, steps=500
    )
    lam, sigma = np.vstack([b.points[1:-1] for b in rmap.borders if b.label == "NS"]).T
    # 5.4: lam**2 sigma**2 = q |Delta| (1 - h) with |Delta| = 0.2.
    assert np.abs(lam**2 * sigma**2 / (k2 * 1.2 * 0.2 * (1 - 0.1 * lam)) - 1).max() < 1e-8
    assert rmap.at(lam=4.0, sigma=0.9).verdict == "converges"


def test_an_ending_that_is_no_success_has_its_name(tmp_path) -> None:
    # x -> 0 and y -> 2 c, so that the two are within 0.1 of each other for |c| < 0.05, and c alone decides.
    pair = gb.System.from_equations("map", {"x": "x/2", "y": "y/2 + c"}, parameters={"c": 0.0})
    rmap = gb.regime_map(pair, {"c": (-1.0, 1.0)}, endings=[("0.1 - abs(x - y)", "mode collapse")], steps=100)
    assert [f.verdict for f in rmap.faces] == ["converges", "stalls", "converges"]
    assert [float(b.points[0, 0]) for b in rmap.borders] == pytest.approx([-0.05, 0.05], abs=1e-10)
    rmap.save(tmp_path / "map")
    again = RegimeMap.load(tmp_path / "map").at(c=0.01)
    assert (again.verdict, again.detail) == ("stalls", "mode collapse")
    # By runs alone, and with basins, the same.
    told = gb.regime_map(pair.with_parameters(c=0.0), {"c": (-1.0, 1.0)}, initial={"x": 1.0, "y": 0.0}, steps=100,
                         endings=[("0.1 - abs(x - y)", "mode collapse")])  # fmt: skip
    assert (told.at(c=0.0).detail, told.at(c=0.5).verdict) == ("mode collapse", "converges")
    with pytest.raises(gb.MisuseError, match="'z'"):
        gb.regime_map(pair, {"c": (-1.0, 1.0)}, endings=[("z - x", "elsewhere")])
    with pytest.raises(gb.MisuseError, match="at most 40 letters"):
        gb.regime_map(pair, {"c": (-1.0, 1.0)}, endings=[("y - x", "")])

"""Borders of oscillations in regime maps, what is carried across borders, and outcomes that no border divides."""

import networkx as nx
import numpy as np
import pytest
import shapely

import gan_bifurcation as gb
from gan_bifurcation.regimes import RegimeMap
from gan_bifurcation.regimes.contours import contours


@pytest.fixture(scope="module")
def hard():
    """A flip with a quintic term: cycles {x, -x} with mu + k x**2 = x**4, two of them for -k**2/4 < mu < 0 < k."""
    system = gb.System.from_equations("map", {"x": "-x*(1 + mu + k*x**2 - x**4)"}, parameters={"mu": -0.2, "k": 1.0})
    window = {"mu": (-0.5, 0.3), "k": (-1.0, 1.2)}
    return gb.regime_map(system, window, depth=1, box={"x": (-1.2, 1.2)}, steps=1000, tolerance=1e-3)


def test_folds_of_cycles_are_borders(hard):
    folds = [b for b in hard.borders if b.label == "LP"]
    points = np.vstack([b.points[1:-1] for b in folds])
    # Double roots of x**4 - k x**2 - mu.
    assert np.abs(points[:, 0] + points[:, 1] ** 2 / 4).max() < 1e-8
    assert sum(b.length for b in folds) < 0.75
    assert {hard.faces[f].verdict for b in folds for f in b.faces} == {"converges"}
    assert all(b.how == "curve" for b in folds)


def test_a_regime_lists_all_its_attractors(hard):
    two = hard.at(mu=-0.1, k=1.0)
    one = hard.at(mu=-0.1, k=-0.5)
    assert two.number != one.number
    both = {a.verdict: a for a in hard.faces[two.number].attractors}
    assert set(both) >= {"converges", "oscillates"}
    assert {a.verdict for a in hard.faces[one.number].attractors} <= {"converges", "diverges"}
    assert both["oscillates"].period == 2
    # The cycle lies at x**2 = (k + sqrt(k**2 + 4 mu))/2.
    here = hard.faces[two.number].point
    x2 = (here["k"] + np.sqrt(here["k"] ** 2 + 4 * here["mu"])) / 2
    assert both["oscillates"].high[0] == pytest.approx(np.sqrt(x2), rel=1e-6)
    assert 0 < both["oscillates"].share_low < both["oscillates"].share < both["oscillates"].share_high < 1


def test_hysteresis_has_directions(hard):
    """Over the flip training jumps to the cycle; back over the flip it stays there until the fold."""
    verdicts = {(f.number, a.id): a.verdict for f in hard.faces for a in f.attractors}
    steps = {(hard.borders[t.border].label, verdicts.get((t.source, t.attractor)), t.verdict): t.returns
             for t in hard.transitions if hard.at(mu=-0.1, k=1.0).number in (t.source, t.target)}  # fmt: skip
    assert steps["PD", "converges", "oscillates"] is False
    assert steps["LP", "oscillates", "converges"] is False
    assert steps["PD", "oscillates", "oscillates"] is True
    assert steps["LP", "converges", "converges"] is True
    # Ids are the same on both sides: two attractors in all, besides ways to diverge.
    assert len({k[1] for k, v in verdicts.items() if v in ("converges", "oscillates")}) == 2
    graph = hard.hysteresis
    assert isinstance(graph, nx.MultiDiGraph)
    assert graph.number_of_edges() == len(hard.transitions)


def test_attractors_and_transitions_survive_the_disk(hard, tmp_path):
    hard.save(tmp_path / "map")
    again = RegimeMap.load(tmp_path / "map")
    assert again.transitions == hard.transitions
    assert again.to_json() == hard.to_json()


def test_transitions_of_a_map_made_without_them():
    """The cusp: two equilibria attract inside, one jumps at each fold."""
    cusp = gb.System.from_equations("flow", {"x": "b + a*x - x**3"}, parameters={"a": 0.5, "b": 0.05})
    rmap = gb.regime_map(cusp, {"a": (-1, 2), "b": (-1, 1.1)}, steps=100, tolerance=1e-3)
    assert rmap.crossings is None
    inside = rmap.at(a=1.0, b=0.1).number
    into = [t for t in rmap.transitions if t.target == inside]
    out = [t for t in rmap.transitions if t.source == inside]
    assert all(t.returns for t in into)
    # Across either fold one of the two equilibria goes on, and the other ends.
    assert sorted(t.returns for t in out if rmap.borders[t.border].criticality) == [False, False, True, True]


def test_outcomes_without_order_are_one_regime():
    """Beyond a = 3 chaos ends: to the left for ever, to the right at 3, and any small change may decide which."""
    law = "where(x > 2.05, 3 + 0.5*(x - 3), where(x < -2.05, 2*x, a*x - x**3))"
    system = gb.System.from_equations("map", {"x": law, "y": "b*y"}, parameters={"a": 3.1, "b": 0.5})
    rmap = gb.regime_map(
        system, {"a": (3.06, 3.22), "b": (0.2, 0.6)}, initial={"x": 0.2, "y": 0.0}, steps=500, tolerance=1e-3
    )
    (mixed,) = (f for f in rmap.faces if f.area > 0.5)
    assert "without order" in mixed.note
    # The fixed point at 3 may be known by its spectrum or by the runs alone.
    assert sum(a.share for a in mixed.attractors if a.share == a.share) == pytest.approx(1.0)
    # The law is odd where it decides: either way half of the time (4 standard deviations of some 80 runs).
    assert mixed.attractors[0].share == pytest.approx(0.5, abs=0.25)


def test_beyond_a_fold_training_goes_on_from_where_the_equilibrium_was():
    """x' = mu - x**2: nothing is left for mu < 0, and runs escape."""
    fold = gb.System.from_equations("flow", {"x": "mu - x**2", "y": "-s*y"}, parameters={"mu": 0.5, "s": 1.0})
    rmap = gb.regime_map(fold, {"mu": (-1, 1), "s": (0.5, 2)}, steps=100, tolerance=1e-3)
    assert {f.verdict for f in rmap.faces} == {"converges", "diverges"}
    assert [b.label for b in rmap.borders] == ["LP"]


def test_misuse_is_one_sentence(hard):
    system = hard.system
    with pytest.raises(gb.MisuseError, match="between 0 and 4"):
        gb.regime_map(system, {"mu": (-0.5, 0.3), "k": (-1.0, 1.2)}, depth=9)
    with pytest.raises(gb.MisuseError, match="no curves and no depth"):
        gb.regime_map(system, {"mu": (-0.5, 0.3)}, depth=1)
    with pytest.raises(gb.MisuseError, match="trace them first"):
        gb.regime_map(system, {"mu": (-0.5, 0.3), "k": (-1.0, 1.2)}, curves=3)
    with pytest.raises(gb.MisuseError, match="attractors=-1"):
        gb.regime_map(system, {"mu": (-0.5, 0.3), "k": (-1.0, 1.2)}, attractors=-1)
    branch = gb.trace(gb.point(system, {"x": 0.0}), {"mu": (-0.5, 0.3)})
    with pytest.raises(gb.MisuseError, match="no border of a map over mu, k"):
        gb.regime_map(system, {"mu": (-0.5, 0.3), "k": (-1.0, 1.2)}, curves=branch)


@pytest.mark.parametrize(("radius", "tolerance"), [(0.3, 1e-3), (0.3, 1e-4), (0.05, 1e-4), (0.3, 1e-5)])
def test_a_border_found_by_runs_is_as_exact_as_its_tolerance_between_its_points_too(radius, tolerance) -> None:
    asked = 0

    def keys(units, _text):
        nonlocal asked
        asked += len(units)
        return (np.hypot(units[:, 0] - 0.51, units[:, 1] - 0.47) < radius).tolist()

    (line,), finished = contours(keys, shapely.box(0, 0, 1, 1), tolerance, 1e-2, bend=True)
    places = np.vstack([line[:-1] + t * np.diff(line, axis=0) for t in (0.0, 0.25, 0.5, 0.75)])
    # The border is the circle itself; a chord a third of its length from its middle is looked at by nobody.
    assert np.max(np.abs(np.hypot(*(places - [0.51, 0.47]).T) - radius)) < 2.0 * tolerance
    # A chord of length l leaves the circle by l^2/8r, and a point costs a bisection; a grid takes 1/tolerance^2.
    assert finished
    assert asked < 1200 + 40 * (2 * np.pi * radius / np.sqrt(8 * radius * tolerance))


def test_a_border_found_by_runs_goes_on_to_the_frame() -> None:
    lines, _ = contours(lambda u, _: (u[:, 1] < u[:, 0] ** 2).tolist(), shapely.box(0, 0, 1, 1), 1e-4, 1e-2, bend=True)
    # y = x^2 from corner to corner.
    assert max(np.max(np.abs(line[:, 1] - line[:, 0] ** 2)) for line in lines) < 3e-4


def test_borders_cross():
    """Two pitchforks, at a = 0 and b = 0: of the origin, or of what attracts beside it, at the same place."""
    pair = gb.System.from_equations("flow", {"x": "a*x - x**3", "y": "b*y - y**3"}, parameters={"a": 0.3, "b": 0.4})
    rmap = gb.regime_map(pair, {"a": (-0.5, 0.5), "b": (-0.5, 0.5)}, steps=50, tolerance=1e-2)
    assert [round(f.area, 6) for f in rmap.faces] == [0.25] * 4
    # Either axis is crossed once: four halves, each of the curve of what attracts there.
    assert [(b.label, b.how, round(b.length, 6)) for b in rmap.borders] == [("BP", "curve", 0.5)] * 4


def test_a_window_that_begins_where_there_is_no_equilibrium():
    """x' = mu - x**2 at mu = -0.5: there is none, but half of the window has two."""
    fold = gb.System.from_equations("flow", {"x": "mu - x**2", "y": "-s*y"}, parameters={"mu": -0.5, "s": 1.0})
    rmap = gb.regime_map(fold, {"mu": (-1, 1), "s": (0.5, 2)}, steps=50, tolerance=1e-3)
    assert [(b.label, b.how) for b in rmap.borders] == [("LP", "curve")]
    assert rmap.nearest_border(mu=0.3, s=1.0).parameters["mu"] == pytest.approx(0.0, abs=1e-9)


def test_a_window_outside_the_domain_is_one_sentence():
    bounded = gb.System.from_equations("map", {"x": "a*x"}, parameters={"a": 0.5}, domain=[("a - 2", "a is too small")])
    with pytest.raises(gb.MisuseError, match="outside the domain of 'system', where a - 2 >= 0"):
        gb.regime_map(bounded, {"a": (0.1, 0.9)})
    steps = gb.system(gb.models.dirac_gan(gamma=0.5), gb.Simultaneous())
    with pytest.raises(gb.MisuseError, match="learning rate 'eta_d' ends at"):
        gb.regime_map(steps, {"eta_d": (-1.0, -0.1)})


def test_a_border_of_modes_beside_one_of_stability_keeps_to_its_own_condition():
    steps = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.5), gb.Alternating()), eta_g="eta_d")
    rmap = gb.regime_map(steps, {"eta_d": (0.05, 6.0), "gamma": (1.0, 2.0)}, steps=80, tolerance=1e-3)
    (border,) = (b for b in rmap.borders if b.label == "mode")
    # Alternating steps have the trace 2 - h gamma - h^2/4: where it is zero, multipliers have moduli alike. The flip is
    # up to a hundredth of the window away.
    h, gamma = border.points.T
    exact = 2.0 * (np.sqrt(gamma**2 + 2.0) - gamma)
    assert np.max(np.abs(h - exact)) < 1e-3 * 5.95


def test_a_kink_is_named_after_no_bifurcation_and_a_curve_that_ends_on_it_is_a_border() -> None:
    """x+ = mu + a x (x < 0), mu + b x (x >= 0): the multiplier jumps from a = 0.5 to b at mu = 0; a flip at b = -1."""
    system = gb.System.from_equations("map", {"x": "mu + where(x < 0, 0.5*x, b*x)"}, {"mu": -0.2, "b": -1.5})
    rmap = gb.regime_map(system, {"mu": (-1, 1), "b": (-2, -0.5)}, steps=64, tolerance=1e-2)
    (flip,) = (b for b in rmap.borders if b.label == "PD")
    assert flip.how == "curve"
    assert np.median(np.abs(flip.points[:, 1] + 1)) < 1e-2
    kinks = [b for b in rmap.borders if b is not flip]
    assert {b.label for b in kinks} == {"local"}
    assert np.abs(np.concatenate([b.points[:, 0] for b in kinks])).max() < 5e-2

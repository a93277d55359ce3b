"""Attractors, their basins and their ids, on systems whose attractors and basins are known."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shapely

import gan_bifurcation as gb
from gan_bifurcation.facts import Symmetry
from gan_bifurcation.regimes import wilson
from gan_bifurcation.regimes.crossing import sides_of
from gan_bifurcation.regimes.telling_apart import FAMILY


def cubic(a):
    """Odd: two fixed points at sqrt(a - 1) up to a = 2, then two cycles of period two, images of each other."""
    made = gb.System.from_equations("map", {"x": "a*x - x**3"}, parameters={"a": a})
    return replace(made, symmetries=(Symmetry("sign", {"x": (-1, "x")}),))


def within_chance(share, expected, samples):
    """Four standard deviations of a binomial share: one run in 16000 would fail."""
    return abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / samples)


@pytest.fixture(scope="module")
def nested():
    """Cycles of radius 1 and 3 attract, that of radius 2 is their basins' border; each turns once in 2 pi."""
    size = "(-(sqrt(x**2 + y**2) - 1)*(sqrt(x**2 + y**2) - 2)*(sqrt(x**2 + y**2) - 3))"
    flow = gb.System.from_equations("flow", {"x": f"x*{size} - y", "y": f"y*{size} + x"})
    return gb.attractors(flow, {"x": (-4, 4), "y": (-4, 4)}, samples=100, duration=50)


def test_nested_cycles_have_the_areas_of_their_basins(nested):
    outer, inner = nested.attractors
    assert (outer.detail, inner.detail) == ("cycle", "cycle")
    # Extremes of 512 points of a turn: 1 - cos(pi/512) = 2e-5 lower at most.
    assert [a.high[0] for a in nested.attractors] == pytest.approx([3.0, 1.0], rel=3e-5)
    assert inner.period == pytest.approx(2 * math.pi, rel=1e-6)
    # The disc of radius 2 in a square of side 8.
    assert within_chance(inner.share, math.pi * 4 / 64, 100)
    assert np.hypot(*nested.basin(inner.id).T).max() < 2 < np.hypot(*nested.basin(outer.id).T).min()


def test_a_set_survives_the_disk_and_json(nested, tmp_path):
    nested.save(tmp_path / "found")
    again = gb.AttractorSet.load(tmp_path / "found")
    assert again.to_json() == nested.to_json()
    assert np.array_equal(again.member, nested.member)
    assert json.loads(nested.to_json())["attractors"][1]["high"]["x"] == nested[2].high[0]
    (tmp_path / "found.json").write_text("{}")
    with pytest.raises(gb.ResultsError, match="damaged"):
        gb.AttractorSet.load(tmp_path / "found")


@pytest.mark.parametrize(("a", "detail", "period"), [(1.5, "monotone", None), (2.1, "cycle", 2), (2.7, "cycle", 6)])
def test_symmetric_copies_are_named(a, detail, period):
    found = gb.attractors(cubic(a), {"x": (-1.5, 1.5)}, samples=200, steps=1000)
    assert {x.detail for x in found.attractors} == {detail}
    if period is not None:
        assert {x.period for x in found.attractors} == {period}
    # Two copies, or (since orbits cross zero beyond a = 3 sqrt(3)/2 = 2.598) one attractor that is its own image.
    if a < 2.598:
        assert [(x.copy_of, x.symmetry) for x in found.attractors] == [(0, ""), (1, "sign")]
        assert within_chance(found[1].share, 0.5, 200)
    else:
        assert [(x.copy_of, x.symmetry) for x in found.attractors] == [(0, "sign")]


def test_an_image_that_no_run_ends_on_is_noted():
    found = gb.attractors(cubic(1.5), initial=[[0.1], [0.2]])
    assert len(found.attractors) == 1
    assert "under 'sign' attracts too" in found.notes[0]


def test_one_circle_is_one_attractor_near_a_resonance_too():
    """The delayed logistic map turns by 1/6 at its Neimark-Sacker point r = 2: orbits next to it hardly move on."""
    delayed = gb.System.from_equations("map", {"x": "r*x*(1 - y)", "y": "x"}, parameters={"r": 2.003})
    found = gb.attractors(delayed, {"x": (0.3, 0.7), "y": (0.3, 0.7)}, samples=60, steps=2000)
    assert [(x.verdict, x.detail) for x in found.attractors] == [("oscillates", "circle")]


def test_a_continuum_of_circles_is_one_family():
    """Alternating steps on the bilinear game keep an area: every orbit has a circle of its own."""
    bilinear = gb.System.from_equations("map", {"x": "x - h*y", "y": "y + h*(x - h*y)"}, parameters={"h": 0.3})
    found = gb.attractors(bilinear, samples=60, steps=1000)
    assert [x.reason for x in found.attractors] == [FAMILY]


def test_an_angle_that_winds_is_one_attractor():
    """A driven pendulum with friction: at rest at sin q = 1/2, or going round."""
    flow = gb.System.from_equations("flow", {"q": "v", "v": "-0.2*v - sin(q) + 0.5"}, periods={"q": 2 * np.pi})
    found = gb.attractors(flow, {"q": (-3, 3), "v": (-3, 3)}, samples=40, duration=150)
    assert sorted(str(x) for x in found.attractors) == ["converges (spiralling)", "oscillates (winding)"]
    assert math.sin(found.attractors[0].state[0]) == pytest.approx(0.5, abs=1e-10)


def test_ways_to_end_count_as_well():
    found = gb.attractors(cubic(0.5), {"x": (-3, 3)}, samples=400, steps=200)
    # x -> x/2 - x**3 repels at |x| = sqrt(3/2).
    rests, leaves = found.attractors
    assert (rests.verdict, leaves.verdict) == ("converges", "diverges")
    assert within_chance(leaves.share, 1 - math.sqrt(1.5) / 3, 400)
    assert sum(x.share for x in found.attractors) == pytest.approx(1.0)


def test_chaos_that_ends_is_no_attractor():
    """The Lorenz system at r = 18: chaos lasts for a while, yet (below r = 24.06) all runs end in an equilibrium."""
    lorenz = gb.System.from_equations(
        "flow", {"x": "10*(y - x)", "y": "x*(r - z) - y", "z": "x*y - 8/3*z"}, parameters={"r": 18.0}
    )
    found = gb.attractors(lorenz, {"x": (-20, 20), "y": (-20, 20), "z": (0, 30)}, samples=40, duration=50)
    assert {x.verdict for x in found.attractors} == {"converges"}
    # (sqrt(b (r - 1)), same, r - 1).
    assert sorted(x.state[0] for x in found.attractors) == pytest.approx([-math.sqrt(136 / 3), math.sqrt(136 / 3)])


def test_intervals_hold_the_share_as_often_as_they_say():
    """Over all outcomes of 50 trials, weighted by their probability: about 95 % of them hold the true share."""
    for share in (0.1, 0.3, 0.5):
        held = sum(
            math.comb(50, k) * share**k * (1 - share) ** (50 - k)
            for k in range(51)
            if wilson(k, 50)[0] <= share <= wilson(k, 50)[1]
        )
        # Brown, Cai, DasGupta 2001: the score interval covers within about two per cent of what it says.
        assert held == pytest.approx(0.95, abs=0.025)


def test_same_seed_same_result_whatever_the_workers():
    one = gb.attractors(cubic(2.3), {"x": (-1.5, 1.5)}, samples=600, steps=400, seed=3, workers=1)
    with ThreadPoolExecutor(3) as pool:
        other = gb.attractors(cubic(2.3), {"x": (-1.5, 1.5)}, samples=600, steps=400, seed=3, executor=pool)
    assert one.to_json() == other.to_json()
    assert np.array_equal(one.member, other.member)


def test_ids_stay_along_a_hysteresis():
    """x' = b + x - x**3 has two attractors for |b| < 2/(3 sqrt(3)) = 0.385: the lower one comes and goes."""
    flow = gb.System.from_equations("flow", {"x": "b + x - x**3"}, parameters={"b": 0.0})
    path = gb.follow_attractors(flow, {"b": np.linspace(-0.6, 0.6, 7)}, {"x": (-2, 2)}, samples=40, duration=80)
    assert [sorted(a.id for a in found.attractors) for found in path.sets] == [
        [1],
        [1],
        [1, 2],
        [1, 2],
        [1, 2],
        [2],
        [2],
    ]
    assert [(e.step, e.id, e.what, e.into) for e in path.events] == [(1, 2, "appears", ()), (4, 1, "ends", (2,))]
    # At b = 0 the basins are the half lines: 1/2 each.
    assert all(within_chance(a.share, 0.5, 40) for a in path.sets[3].attractors)


def test_an_id_survives_a_place_where_nothing_is_decided():
    """At a = 1 the cubic map's approach to zero is slower than exponential: no decision, but no end either."""
    path = gb.follow_attractors(cubic(0.8), {"a": [0.8, 0.9, 1.0, 1.2]}, {"x": (-0.9, 0.9)}, samples=20, steps=500)
    assert 1 in {a.id for a in path.sets[1].attractors}
    assert 1 in {a.id for a in path.sets[3].attractors}


def test_basins_of_a_plane():
    duffing = gb.System.from_equations("flow", {"x": "y", "y": "x - x**3 - y"})
    picture = gb.basins(duffing, {"x": (-2, 2), "y": (-2, 2)}, resolution=16, duration=60)
    assert picture.member.shape == (16, 16)
    # The half turn exchanges the basins.
    assert np.array_equal(picture.member, 1 - picture.member[::-1, ::-1])
    at = picture.found.attractors[int(picture.member[8, 12])].state
    assert at == pytest.approx((1.0, 0.0), abs=1e-9)


def test_misuse_is_one_sentence():
    system = cubic(1.5)
    with pytest.raises(gb.UnknownNameError, match="Unknown state 'y'"):
        gb.attractors(system, {"y": (0, 1)})
    with pytest.raises(gb.MisuseError, match="budget is given by steps"):
        gb.attractors(system, duration=5.0)
    with pytest.raises(gb.MisuseError, match="between 1 and 1000000"):
        gb.attractors(system, samples=0)
    with pytest.raises(gb.MisuseError, match="not both"):
        gb.attractors(system, {"x": (0, 1)}, initial=[[0.1]])
    with pytest.raises(gb.MisuseError, match="equally many values"):
        gb.follow_attractors(system, {"a": []})
    with pytest.raises(gb.MisuseError, match="over two states"):
        gb.basins(system, {"x": (0, 1)})


def test_basins_are_a_part_with_their_sampling_error(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        """
title = "Basins"
seed = 3
[system]
kind = "flow"
equations = {x = "x - x**3", y = "-y"}
[[basins]]
name = "two"
plane = {x = [-2.0, 2.0], y = [-1.0, 1.0]}
resolution = 6
samples = 40
duration = 50
[[figure]]
name = "picture"
kind = "basins"
of = ["two"]
[[claim]]
text = "Half of the plane ends at 1"
basins = "two"
near = {x = 0.7}
expected = "1/2"
[[claim]]
text = "All of it converges"
basins = "two"
verdict = "converges"
expected = 1
[[claim]]
text = "A wrong one"
basins = "two"
attractor = 1
expected = 0.9
"""
    )
    results = gb.run_study(tmp_path / "study.toml", tmp_path / "out")
    # 40 starts drawn from both halves: Wilson's interval of about 20 has 0.5 in it, and not 0.9.
    assert [claim.agrees for claim in results.claims] == [True, True, False]
    assert "40 initial conditions" in results.claims[0].computed
    assert results.claims[0].tolerance == "95 % interval"
    gb.write_report(results)
    picture = gb.load(tmp_path / "out").basins["two"]
    # x - x^3 ends at the sign of x: the left half of the picture at -1, the right half at 1.
    ends = np.array([a.state[0] for a in picture.found.attractors])[picture.member]
    assert ends == pytest.approx(np.tile([-1, -1, -1, 1, 1, 1], (6, 1)))
    for attractor in picture.found.attractors:
        inside = np.mean(np.sign(picture.found.initial[:, 0]) == np.sign(attractor.state[0]))
        assert attractor.share == inside
        # Wilson's interval of about 20 of 40.
        assert 0.1 < attractor.share_high - attractor.share_low < 0.31
        assert attractor.share_low < 0.5 < attractor.share_high
    page = (tmp_path / "out" / "report.html").read_text()
    assert "40 initial conditions drawn evenly from this plane (seed 3)" in page
    other = (tmp_path / "study.toml").read_text().replace('name = "two"\nplane = {x =', 'name = "two"\nplane = {z =')
    (tmp_path / "study.toml").write_text(other)
    with pytest.raises(gb.StudyFileError, match="Unknown state 'z'"):
        gb.run_study(tmp_path / "study.toml", tmp_path / "other")


def test_there_is_a_place_on_both_sides_of_a_border_however_thin_a_regime_is() -> None:
    # Ids of attractors pass through a regime only where there is one.
    wide, thin = shapely.box(0.0, 0.0, 0.5, 1.0), shapely.Polygon([(0.5, 0.0), (0.5007, 1.0), (0.5, 1.0)])
    border = SimpleNamespace(unit=np.array([[0.5, 0.0], [0.5, 1.0]]), faces=(0, 1))
    left, right = sides_of(border, [SimpleNamespace(shape=wide), SimpleNamespace(shape=thin)])
    assert wide.contains(shapely.Point(*left))
    assert thin.contains(shapely.Point(*right))
    # The wedge is thicker in its upper half, where there is room for a larger step.
    assert right[1] > 0.5
    assert left[0] == pytest.approx(0.48)

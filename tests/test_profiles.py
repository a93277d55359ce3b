"""Profiles: what lies between their points, and what does not fit."""

import itertools

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.profiles import packed, unpacked


@pytest.mark.parametrize("count", [8, 15])
def test_a_circle_is_the_trigonometric_polynomial_through_its_points(count: int) -> None:
    turn = np.arange(count) / count

    def curve(t: np.ndarray) -> np.ndarray:
        return np.column_stack([np.cos(2 * np.pi * t) + 0.2 * np.sin(6 * np.pi * t), 3 + np.sin(2 * np.pi * t)])

    circle = gb.Profile(turn, curve(turn), rotation_number=0.3)
    anywhere = np.array([0.0, 0.123, 0.7, 1.0, 2.35, -0.4])
    # Three modes: given exactly by eight points.
    assert circle.at(anywhere) == pytest.approx(curve(anywhere), abs=1e-13)


def test_a_cycle_is_a_polynomial_on_each_interval() -> None:
    mesh = np.array([0.0, 0.2, 0.5, 1.0])
    phases = np.unique(np.concatenate([np.linspace(a, b, 5) for a, b in itertools.pairwise(mesh)]))
    # Of degree four, with one value at both ends: t (1 - t) (t^2 + 1).
    states = (phases * (1 - phases) * (phases**2 + 1))[:, None]
    cycle = gb.Profile(phases, states, period=2.0, mesh=mesh)
    t = np.linspace(0.0, 0.999, 57)
    assert cycle.degree == 4
    assert cycle.at(t)[:, 0] == pytest.approx(t * (1 - t) * (t**2 + 1), abs=1e-14)


def test_profiles_survive_packing() -> None:
    turn = np.arange(5) / 5
    one = gb.Profile(turn, np.column_stack([turn, turn**2]), rotation_number=0.25)
    two = gb.Profile(np.linspace(0, 1, 9), np.ones((9, 2)), period=3.0, mesh=np.array([0.0, 0.5, 1.0]))
    again = unpacked(packed([one, two]))
    assert [p.degree for p in again] == [0, 4]
    assert again[0].rotation_number == 0.25
    assert again[1].period == 3.0
    assert np.array_equal(again[0].states, one.states)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(gb.MisuseError, match="row of states for each phase"):
        gb.Profile(np.arange(3) / 3, np.zeros((4, 2)))
    with pytest.raises(gb.MisuseError, match="do not fit a mesh"):
        gb.Profile(np.linspace(0, 1, 8), np.zeros((8, 2)), mesh=np.linspace(0, 1, 4))

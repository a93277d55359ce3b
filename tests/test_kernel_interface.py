"""How kernel GANs are made: names of states and parameters, symmetries, the domain, and what is refused."""

from typing import Any

import pytest

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.expressions import parse, symbol


@pytest.mark.parametrize(
    "settings",
    [
        {"points": 3, "q": 0.2, "modes": 2},
        {"q": (0.2, 0.3), "modes": 2},
        {"dimension": 2, "modes": 2, "points": 2},
        {"features": "taylor", "modes": 4, "dimension": 2},
        {"features": "random", "modes": 4},
        {"true_points": [-1.0, 1.0], "q": (0.5, 0.5), "length": 2.0, "modes": 4},
        {"sigma": [0.9, 1.0], "ell": 1.0, "modes": 3},
    ],
)
def test_games_are_consistent(settings: dict[str, Any]) -> None:
    # Gradients by differences, every symmetry, every known equilibrium.
    gb.check_game(gb.models.kernel_gan(**settings))


def test_symmetries_are_those_of_the_lattice_and_of_equal_points() -> None:
    names = [s.name for s in gb.models.kernel_gan(points=3, q=0.1, modes=2).symmetries]
    assert names == ["reflection", "swap of points 1 and 2", "cycle of 3 points"]
    # Masses with names of their own may part, so that nothing is claimed of them.
    assert [s.name for s in gb.models.kernel_gan(q1=0.1, q2=0.1, modes=2).symmetries] == ["reflection"]
    plane = gb.models.kernel_gan(dimension=2, modes=2).symmetries
    assert [s.order for s in plane] == [2, 2, 2]


def test_masses_and_positions_are_parameters_under_their_names() -> None:
    game = gb.models.kernel_gan(true_points=[-1.0, 2.0], p=(0.3, 0.7), q1=0.1, q2=0.2, q3=0.3, sigma=0.8)
    assert dict(game.parameters) == {
        "sigma": 0.8, "lam": 0.5, "p1": 0.3, "p2": 0.7, "q1": 0.1, "q2": 0.2, "q3": 0.3, "true1": -1.0, "true2": 2.0,
    }  # fmt: skip
    assert game.generator.states == ("x1", "x2", "x3")
    assert gb.models.kernel_gan(dimension=2, modes=1, points=2).generator.states == ("x1_1", "x1_2", "x2_1", "x2_2")


def test_the_domain_ends_half_a_circle_from_the_true_point() -> None:
    # Section 9: |x - nearest true point| < L/2 = 3 sigma.
    bound, _ = gb.models.kernel_gan().domain
    state = {symbol(name): 0.0 for name in gb.models.kernel_gan().states}
    expression = parse(bound.expression, {s.name: s for s in (*state, symbol("sigma"))})
    inside = [expression.xreplace({symbol("x1"): x, symbol("sigma"): 0.5}) > 0 for x in (1.49, -1.49, 1.51)]
    assert inside == [True, True, False]


def test_a_window_of_widths_that_are_none_is_refused() -> None:
    system = gb.system(gb.models.kernel_gan(modes=1), gb.Simultaneous(), eta_d=0.1, eta_g=0.1)
    with pytest.raises(MisuseError, match="The width of a kernel is positive"):
        gb.regime_map(system, {"sigma": (-1.0, -0.5), "eta_d": (0.1, 0.5)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma": 0.5, "length": 6.0, "modes": 12}, "expected at least 2\\*length/sigma = 24"),
        ({"true_points": [-1.0, 1.0], "length": 1.0}, "brings true points 2 apart"),
        ({"true_points": [-1.0, 1.0], "features": "taylor"}, "one true point"),
        ({"sigma": -1.0}, "'sigma' must be positive"),
        ({"q": (0.1, 0.2), "points": 3}, "expected those of 3 points"),
        ({"p2": 0.5}, "1 were placed"),
        ({"dimension": 3}, "'dimension' must be 1 or 2"),
        ({"ell": 5.0, "features": "random"}, "belongs to features='fourier'"),
        ({"weights": [1.0]}, "belong to a mixture"),
        ({"true_points": [0.0]}, "between 2 and 100"),
    ],
)
def test_what_cannot_be_resolved_is_refused_at_the_door(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        gb.models.kernel_gan(**settings)


def test_an_unknown_argument_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sigma'"):
        gb.models.kernel_gan(sigm=1.0)


def test_every_model_of_the_family_is_listed_with_its_paper() -> None:
    for name in ("kernel_gan", "kernel_gan_reduced", "second_moment_gan", "single_point_gan"):
        assert name in gb.models.names()
        assert "Becker" in gb.models.citation(gb.models.get(name)().paper)


def test_matched_masses_rest_at_the_true_points() -> None:
    # Section 3: f = 0 where masses agree; parted masses have no equilibrium in closed form.
    game = gb.models.kernel_gan(true_points=[-1.0, 1.0], q=(0.25, 0.5, 0.25), length=2.0, modes=4)
    system = gb.system(game, gb.Simultaneous())
    state = system.equilibrium_guess()
    assert state is not None
    assert state[-3:].tolist() == [-1.0, 1.0, -1.0]
    assert abs(system.rhs(state) - state).max() < 1e-16
    assert system.with_parameters(p1=0.6).equilibrium_guess() is None

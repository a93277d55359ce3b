"""Path angle, cost in gradient calls, and the panels of fields."""

import math
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.errors import MisuseError


def spiral(damping: float, turning: float) -> Any:
    return lambda w: np.array([-damping * w[0] - turning * w[1], turning * w[0] - damping * w[1]])


@pytest.mark.parametrize(
    ("damping", "turning", "miss", "switch", "rotates"),
    [
        # Berard et al. (2020), section 4 and figure 2: attraction switches the sign, rotation makes a bump.
        (1.0, 0.0, 0.01, 1, False),
        (0.0, 1.0, 0.01, 0, True),
        (0.0, 1.0, 0.0, 0, True),
        (0.3, 1.0, 0.01, 1, True),
        (-0.3, 1.0, 0.01, -1, True),
        (-1.0, 0.0, 0.0, -1, False),
    ],
)
def test_what_the_path_angle_says(damping: float, turning: float, miss: float, switch: int, rotates: bool) -> None:
    found = gb.path_angle(spiral(damping, turning), [1.0, 0.0], [0.0, miss])
    assert found.sign_switch == switch
    assert found.rotates == rotates
    words = {1: "attracted", 0: "turns around", -1: "driven away"}
    assert words[switch] in found.reading


def test_cosine_and_norm_on_the_way_into_a_spiral() -> None:
    # On the line through the centre the field -(a + ib) w makes the angle arctan(b/a) with the line, on all of it.
    found = gb.path_angle(spiral(1.0, 2.0), [3.0, 4.0], [0.0, 0.0], window=(0.0, 1.5), points=31)
    before = found.alpha < 1.0
    assert found.cosine[before] == pytest.approx(1 / math.sqrt(5), rel=1e-10)
    assert found.cosine[found.alpha > 1.0] == pytest.approx(-1 / math.sqrt(5), rel=1e-10)
    assert np.isnan(found.cosine[found.alpha == 1.0]).all()
    # |field| = sqrt(5) |w| and |w| = 5 |1 - alpha|.
    assert found.norm == pytest.approx(5 * math.sqrt(5) * np.abs(1 - found.alpha), abs=1e-12)
    assert list(found.to_dataframe().columns) == ["cosine", "norm"]


def test_paths_of_systems_and_of_weights_of_any_shape() -> None:
    game = gb.models.dirac_gan(gamma=0.3)
    ends = {"psi": 1.0, "theta": 1.0}, {"psi": 0.0, "theta": 0.01}
    flow = gb.path_angle(gb.system(game, gb.Flow()), *ends)
    steps = gb.path_angle(gb.system(game, gb.Simultaneous(), eta_d=0.1, eta_g=0.1), *ends)
    # A simultaneous step is the rate times the field.
    assert steps.cosine == pytest.approx(flow.cosine, abs=1e-9)
    assert steps.norm == pytest.approx(0.1 * flow.norm, rel=1e-9)
    layer = gb.path_angle(lambda w: -w, np.ones((2, 3)), np.zeros((2, 3)))
    assert layer.sign_switch == 1


def test_the_cost_of_rules_on_the_same_game() -> None:
    # C.1: with R1 the multipliers of a simultaneous step are 1 + h lambda, lambda = -gamma/2 + i sqrt(1 - gamma**2)/2.
    h, gamma = 0.2, 0.3
    game = gb.models.dirac_gan(gamma=gamma)
    radius = abs(1 + h * complex(-gamma / 2, math.sqrt(0.25 - gamma**2 / 4)))
    cost = gb.training_cost(gb.system(game, gb.Simultaneous(), eta_d=h, eta_g=h))
    assert cost.spectral_radius == pytest.approx(radius, rel=1e-12)
    assert cost.iterations_to_1_over_e == pytest.approx(-1 / math.log(radius), rel=1e-10)
    assert (cost.discriminator_calls, cost.generator_calls) == (1, 1)
    assert cost.total == pytest.approx(2 * cost.iterations_to_1_over_e, rel=1e-14)
    five = gb.training_cost(gb.system(game, gb.Alternating(5), eta_d=h, eta_g=h))
    assert (five.discriminator_calls, five.generator_calls) == (5, 1)
    twice = gb.training_cost(gb.iterate(gb.system(game, gb.Simultaneous(), eta_d=h, eta_g=h), 2))
    # Half as many iterations of twice the calls.
    assert twice.total == pytest.approx(cost.total, rel=1e-9)
    assert gb.training_cost(gb.point(gb.system(game, gb.Simultaneous(), eta_d=h, eta_g=h))).total == pytest.approx(
        cost.total, rel=1e-9
    )
    # C.4: alternating steps on the bilinear game never converge.
    never = gb.training_cost(gb.system(gb.models.bilinear(), gb.Simultaneous()))
    assert math.isinf(never.total)


def test_a_manifold_of_equilibria_may_be_left_out_of_the_cost() -> None:
    # x -> x/2 and y + z -> (y + z)/2, while y - z stays: half the distance each step, 1/log(2) iterations to 1/e.
    x, y, z = gb.symbol("x"), gb.symbol("y"), gb.symbol("z")
    game = gb.Game(
        "flat",
        gb.Player(("x",), x**2 / 2, "eta_d"),
        gb.Player(("y", "z"), (y + z) ** 2 / 2, "eta_g"),
        equilibria=(gb.Equilibrium("origin", {"x": 0 * x, "y": 0 * y, "z": 0 * z}),),
    )
    made = gb.system(game, gb.Simultaneous(), eta_d=0.5, eta_g=0.25)
    cost = gb.training_cost(made, ignore_manifold=True)
    assert cost.neutral == 1
    assert cost.iterations_to_1_over_e == pytest.approx(1 / math.log(2), rel=1e-12)
    assert math.isinf(gb.training_cost(made).total)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: gb.path_angle(3.0, [0.0], [1.0]), "System or a function"),
        (lambda: gb.path_angle(lambda w: w, [0.0], [0.0]), "no length"),
        (lambda: gb.path_angle(lambda w: w, [0.0], [1.0, 2.0]), "1 and 2 numbers"),
        (lambda: gb.path_angle(lambda w: [1.0], [0.0, 1.0], [1.0, 2.0]), "returned 1 numbers for 2"),
        (lambda: gb.path_angle(lambda w: w * np.nan, [0.0], [1.0]), "not finite at alpha"),
        (lambda: gb.path_angle(lambda w: w, [0.0], [1.0], window=(2.0, 3.0)), "inside"),
        (lambda: gb.path_angle(lambda w: w, [0.0], [1.0], points=3), "11 to"),
        (lambda: gb.training_cost(gb.system(gb.models.dirac_gan(), gb.Flow())), "takes no steps"),
        (lambda: gb.training_cost(gb.System.from_equations("map", {"x": "x/2"})), "game and a rule"),
        (lambda: gb.training_cost(3.0), "a System or of a Point"),
        (
            lambda: gb.training_cost(gb.system(gb.models.dirac_gan(target=1.0), gb.Simultaneous())),
            "No equilibrium",
        ),
        (lambda: gb.figures.field_panels(games={}), "Panels are 1 to"),
    ],
)
def test_misuse_is_one_sentence(make: Any, part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        make()


def test_panels_and_path_figure_hold_what_they_say() -> None:
    games = {name: gb.figures.mescheder_games()[name] for name in ("GAN", "WGAN, clipped")}
    drawn = gb.figures.field_panels(games, steps=50, arrows=5)
    assert len(drawn.axes) == 6
    assert [ax.get_title() for ax in drawn.axes[:2]] == ["GAN", "WGAN, clipped"]
    # What is clipped is shaded, above and below the bounds.
    assert len(drawn.axes[1].patches) == 2
    assert len(drawn.axes[0].patches) == 0
    found = gb.path_angle(spiral(0.3, 1.0), [1.0, 0.0], [0.0, 0.01])
    figure, ax = gb.figures.figure()
    gb.figures.path_angle(found, ax=ax)
    assert len(figure.axes) == 2
    assert "attracted" in ax.get_title()

"""Lyapunov exponents, the test for chaos, and the devil's staircase, against known values."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.cli import main
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.lyapunov import largest_exponents

S = gb.System.from_equations
HENON = S("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 1.4, "b": 0.3})
LORENZ = S("flow", {"x": "10*(y - x)", "y": "x*(28 - z) - y", "z": "x*y - 8*z/3"})
LOGISTIC = S("map", {"x": "r*x*(1 - x)"}, parameters={"r": 4.0})
DELAYED = S("map", {"x": "r*x*(1 - y)", "y": "x"}, parameters={"r": 2.1})
CIRCLE = S("map", {"x": "x + w - k/(2*pi)*sin(2*pi*x)"}, parameters={"w": 0.2, "k": 0.9}, periods={"x": 1.0})
TURNS = S("flow", {"x": "w*(y + x*(1 - x**2 - y**2))", "y": "w*(-x + y*(1 - x**2 - y**2))"}, parameters={"w": 0.05})
PENDULUM = S("flow", {"x": "y", "y": "-sin(x) - c*y + d"}, parameters={"c": 0.2, "d": 1.2}, periods={"x": 2 * math.pi})


def test_the_command_line_measures_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["measure", "dirac_gan", "--set", "gamma=0.3", "--tie", "eta_g=eta_d"]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--set", "eta_d=1.25", "--orbit", "psi=0.1", "--json"])
    assert stopped.value.code == 0
    said = json.loads(capsys.readouterr().out)
    # On the circle beyond the Neimark-Sacker point at 1.2: near it the angle is that of the multiplier there.
    assert said["rotation_number"] == pytest.approx(np.arccos(1 - 0.3 * 1.2 / 2) / (2 * np.pi), abs=0.01)
    assert said["rotation_number_error"] < 1e-12
    assert abs(said["exponents"][0]) < 1e-3  # along the circle distances neither grow nor shrink
    assert (said["chaotic"], said["exponents"][1] < 0) == (False, True)
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--set", "eta_d=9", "--orbit", "psi=1"])
    assert stopped.value.code == 2
    assert "nothing to measure" in capsys.readouterr().err


def test_the_command_line_takes_rotation_numbers_over_a_parameter(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["measure", "dirac_gan", "--set", "gamma=0.3", "--tie", "eta_g=eta_d", "--orbit", "psi=0.1"]
    free = ["--free", "eta_d=1.22:1.3", "--points", "5", "--length", "1000"]
    with pytest.raises(SystemExit) as stopped:
        main([*words, *free, "--figure", str(tmp_path / "stairs"), "--json"])
    assert stopped.value.code == 0
    said = json.loads(capsys.readouterr().out)
    # As above, for each: the angle near the Neimark-Sacker point at 1.2.
    expected = np.arccos(1 - 0.3 * 1.2 / 2) / (2 * np.pi)
    assert said["rotation_number"] == pytest.approx([expected] * 5, abs=0.01)
    assert said["values"] == pytest.approx([1.22, 1.24, 1.26, 1.28, 1.3])
    assert (tmp_path / "stairs.svg").exists()
    for more, sentence in (
        ([*free, "--count", "1"], "leave --free out"),
        (["--points", "5"], "belong to --free"),
        (["--free", "eta_d=1:2", "--free", "gamma=0.1:0.2"], "over one parameter, got 2"),
        (["--free", "eta_d=1.22:1.3", "--length", "200.5"], "a whole number of steps"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main([*words, *more])
        assert stopped.value.code == 2
        assert sentence in capsys.readouterr().err


# -- exponents --------------------------------------------------------------------------------------------------------


def test_the_henon_map() -> None:
    found = gb.lyapunov_exponents(HENON, [0.1, 0.1], steps=400_000)
    # Sprott, Chaos and Time-Series Analysis (2003): 0.41922 and -1.62319; their sum is log |det| = log 0.3 exactly.
    assert found.values[0] == pytest.approx(0.41922, abs=max(4 * found.errors[0], 1e-3))
    assert sum(found.values) == pytest.approx(math.log(0.3), abs=1e-9)
    assert found.chaotic
    assert found.dimension == pytest.approx(1.258, abs=2e-3)  # Kaplan and Yorke's, 1 + 0.41922 / 1.62319


def test_the_lorenz_flow() -> None:
    found = gb.lyapunov_exponents(LORENZ, [1.0, 1.0, 20.0], duration=500.0)
    # Sprott (2003): 0.9056, 0, -14.572; their sum is the divergence -41/3 exactly.
    np.testing.assert_allclose(found.values, [0.9056, 0.0, -14.572], atol=0.06)
    assert sum(found.values) == pytest.approx(-41.0 / 3.0, abs=1e-6)
    assert found.chaotic


def test_the_logistic_map_at_its_end() -> None:
    found = gb.lyapunov_exponents(LOGISTIC, {"x": 0.2})
    assert found.largest == pytest.approx(math.log(2.0), abs=1e-3)  # Ulam and von Neumann: conjugate to the tent map
    assert found.chaotic
    doubled = gb.lyapunov_exponents(gb.iterate(LOGISTIC, 2), {"x": 0.2}, steps=20_000)
    assert doubled.largest == pytest.approx(2.0 * math.log(2.0), abs=5e-3)  # per application of the second iterate


def test_periodic_orbits_have_the_exponents_of_their_multipliers() -> None:
    found = gb.lyapunov_exponents(LOGISTIC.with_parameters(r=3.2), {"x": 0.3}, steps=20_000)
    # The cycle of two has the multiplier 4 + 2 r - r**2.
    assert found.largest == pytest.approx(0.5 * math.log(abs(4 + 2 * 3.2 - 3.2**2)), abs=1e-9)
    assert not found.chaotic
    flow = gb.lyapunov_exponents(TURNS.with_parameters(w=1.0), [0.3, 0.1], duration=300.0, discard=50.0)
    np.testing.assert_allclose(flow.values, [0.0, -2.0], atol=1e-6)  # along the circle, and r' = r (1 - r**2) at r = 1


def test_circles_are_regular_and_their_averages_have_many_digits() -> None:
    on_circle = gb.simulate(DELAYED, [0.5, 0.5], steps=5000)
    found = gb.lyapunov_exponents(on_circle, steps=50_000)
    assert abs(found.largest) < 1e-3  # along the circle distances neither grow nor shrink
    assert (found.chaotic, found.digits > 12) == (False, True)
    winding = gb.lyapunov_exponents(CIRCLE, [0.2], steps=50_000)
    assert abs(winding.largest) < 1e-3
    assert (winding.chaotic, winding.digits > 9) == (False, True)


def test_training_that_oscillates_is_regular() -> None:
    # The Dirac-GAN with a Wasserstein loss and no regularisation: bilinear.
    game = gb.models.dirac_gan(variant="wgan")
    flow = gb.system(game, gb.Flow())
    found = gb.lyapunov_exponents(flow, {"psi": 1.0, "theta": 0.0}, duration=200.0)
    np.testing.assert_allclose(found.values, 0.0, atol=1e-6)  # rigid rotation: psi**2 + theta**2 is kept
    assert not found.chaotic


def test_the_largest_exponents_of_many_cells_agree_with_single_ones() -> None:
    x, p = np.full((3, 1), 0.2), np.array([[4.0], [3.2], [3.83]])
    values, errors = largest_exponents(LOGISTIC, x, p, np.full(3, 20_000))
    assert values[0] == pytest.approx(math.log(2.0), abs=0.02)  # as above
    assert values[1] == pytest.approx(0.5 * math.log(abs(4 + 2 * 3.2 - 3.2**2)), abs=1e-3)
    assert values[2] < 0.0  # the window of period three (May 1976)
    assert (errors < 0.02).all()
    flows, _ = largest_exponents(LORENZ, np.array([[1.0, 1.0, 20.0]]), np.zeros((1, 0)), np.array([100.0]))
    assert flows[0] == pytest.approx(0.9056, abs=0.15)  # Sprott (2003), over a short time


def test_an_orbit_that_leaves_has_no_exponents() -> None:
    found = gb.lyapunov_exponents(LOGISTIC.with_parameters(r=4.5), {"x": 0.3}, steps=1000)
    assert found.outcome.code == "not finite"
    assert math.isnan(found.largest)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": 1000}, "give an initial state"),
        ({"initial": [0.1, 0.1], "duration": 10.0}, "is a map: give steps, not duration"),
        ({"initial": [0.1, 0.1], "count": 3}, "has 2 exponents, but 3"),
        ({"initial": [0.1, 0.1], "steps": 3}, "32 steps or more"),
    ],
)
def test_bad_questions_for_exponents_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        gb.lyapunov_exponents(HENON, **arguments)


# -- staircase --------------------------------------------------------------------------------------------------------


def test_the_staircase_of_the_sine_circle_map() -> None:
    stairs = gb.rotation_numbers(CIRCLE, {"w": (0.0, 1.0)}, {"x": 0.2}, points=120, steps=2000)
    assert np.all(np.diff(stairs.rotation) > -1e-5)  # monotone in w (Herman)
    first, last = stairs.locked[0], stairs.locked[-1]
    # A fixed point exists for w <= k/(2 pi) and no farther.
    assert (first.turns, first.iterations, last.turns) == (0, 1, 1)
    assert first.high == pytest.approx(0.9 / (2 * math.pi), abs=2e-6)
    assert last.low == pytest.approx(1 - 0.9 / (2 * math.pi), abs=2e-6)
    half = next(step for step in stairs.locked if step.iterations == 2)
    assert half.low + half.high == pytest.approx(1.0, abs=2e-6)  # by the symmetry w -> 1 - w, x -> -x
    assert 0.3 < stairs.locked_share < 1.0


def test_angles_are_found_without_being_named_and_what_has_none_is_refused() -> None:
    unnamed = S("map", {"x": "x + w - k*sin(x)"}, parameters={"w": 0.0, "k": 0.9})
    stairs = gb.rotation_numbers(unnamed, {"w": (0.0, 1.0)}, {"x": 0.2}, points=20, steps=500)
    # A fixed point exists for w <= k; a turn is 2 pi.
    assert stairs.locked[0].high == pytest.approx(0.9, abs=1e-4)
    assert 0.0 < stairs.rotation[-1] < 1.0 / (2.0 * math.pi)
    for system in (S("map", {"x": "x + w"}, parameters={"w": 0.0}), S("map", {"x": "w*x*(1 - x)"}, {"w": 0.5})):
        with pytest.raises(MisuseError, match=r"goes round.*periods"):
            gb.rotation_numbers(system, {"w": (0.1, 0.9)}, [0.2], points=5, steps=200)


def test_without_coupling_nothing_is_locked_but_the_rationals_themselves() -> None:
    stairs = gb.rotation_numbers(
        CIRCLE.with_parameters(k=0.0), {"w": (0.1234567, 0.2345678)}, {"x": 0.2}, points=50, steps=1000
    )
    np.testing.assert_allclose(stairs.rotation, stairs.values, atol=1e-12)  # a rigid rotation by w
    assert stairs.locked_share < 1e-6


def test_the_circle_of_the_delayed_logistic_map_begins_at_one_sixth() -> None:
    stairs = gb.rotation_numbers(DELAYED, {"r": (2.01, 2.2)}, [0.5, 0.5], points=40, steps=4000)
    # At r = 2 the multipliers are exp(+-i pi/3): 1/6 (NUMERICS.md 19); and the tongue 1:7 is crossed near 2.19.
    assert stairs.rotation[0] == pytest.approx(1 / 6, abs=5e-3)
    assert (stairs.rotation < 1 / 6).all()
    assert any((s.turns, s.iterations) == (1, 7) for s in stairs.locked)


def test_the_staircase_can_be_drawn() -> None:
    from matplotlib.axes import Axes

    stairs = gb.rotation_numbers(CIRCLE, {"w": (0.0, 0.5)}, {"x": 0.2}, points=30, steps=500)
    ax = gb.figures.staircase(stairs)
    assert isinstance(ax, Axes)
    assert ax.get_ylabel() == "rotation number (turns per iteration)"


def test_bad_questions_for_rotation_numbers_are_refused() -> None:
    with pytest.raises(MisuseError, match=r"take its gb\.poincare"):
        gb.rotation_numbers(LORENZ, {"a": (0, 1)}, [1, 1, 1])
    with pytest.raises(MisuseError, match="over one parameter, got 2"):
        gb.rotation_numbers(CIRCLE, {"w": (0, 1), "k": (0, 1)}, [0.2])
    with pytest.raises(MisuseError, match="whole numbers"):
        gb.rotation_numbers(CIRCLE, {"w": (0, 1)}, [0.2], steps=200.5)  # type: ignore[arg-type]
    for measure in (gb.rotation_number, gb.lyapunov_exponents):
        with pytest.raises(MisuseError, match="got str"):
            measure("orbit")  # type: ignore[operator]


# -- what verdicts make of them ---------------------------------------------------------------------------------------


def test_chaos_has_its_exponent() -> None:
    verdict = gb.simulate(LOGISTIC, {"x": 0.2}, steps=4000).verdict
    assert (verdict.kind, verdict.detail) == ("oscillates", "chaotic")
    assert verdict.exponent == pytest.approx(math.log(2.0), rel=0.1)  # Ulam and von Neumann


def test_angles_that_wind_oscillate() -> None:
    # Beyond the torque 1 the pendulum has no equilibrium: it turns, at the mean speed d/c for small gravity.
    verdict = gb.simulate(PENDULUM.with_parameters(d=3.0), [0.0, 0.0], duration=500.0).verdict
    assert (verdict.kind, verdict.detail) == ("oscillates", "winding")
    assert verdict.period == pytest.approx(2 * math.pi * 0.2 / 3.0, rel=1e-2)
    assert verdict.amplitude["x"] == pytest.approx(2 * math.pi)
    assert gb.simulate(PENDULUM.with_parameters(d=0.5), [0.0, 0.0], duration=500.0).verdict.kind == "converges"
    circle = gb.simulate(CIRCLE.with_parameters(k=0.0), [0.2], steps=4000).verdict
    assert (circle.detail, circle.rotation) == ("winding", pytest.approx(0.2, rel=1e-9))  # a rigid rotation by w
    # Without the fact that x is an angle the same orbit grows without bound.
    plain = S("map", {"x": "x + w"}, parameters={"w": 0.2})
    assert gb.simulate(plain, [0.2], steps=4000).verdict.kind != "oscillates"


def test_the_torus_gan_knows_its_angles() -> None:
    system = gb.system(gb.models.torus_gan(), gb.Simultaneous())
    assert dict(system.periods) == {"omega": 2 * math.pi, "theta": 2 * math.pi}


def test_a_torus_of_a_map_is_no_circle() -> None:
    turn = {
        "a": "cos(w)*a - sin(w)*b",
        "b": "sin(w)*a + cos(w)*b",
        "c": "cos(v)*c - sin(v)*d",
        "d": "sin(v)*c + cos(v)*d",
    }
    both = S("map", turn, parameters={"w": 1.0, "v": math.sqrt(2.0)})
    assert gb.simulate(both, [1.0, 0.0, 0.7, 0.0], steps=4000).verdict.detail == "torus"
    assert gb.simulate(both, [1.0, 0.0, 0.0, 0.0], steps=4000).verdict.detail == "circle"  # one phase only


@pytest.mark.parametrize("duration", [500.0, 800.0])
def test_a_slow_cycle_is_a_cycle_even_if_it_returns_seldom(duration: float) -> None:
    verdict = gb.simulate(TURNS, [0.3, 0.1], duration=duration / 2).verdict
    assert (verdict.kind, verdict.detail) == ("oscillates", "cycle")
    assert verdict.period == pytest.approx(40 * math.pi, rel=1e-6)  # 2 pi / w

"""The integrator against closed forms: orders, variational equations, events, and how it says that it failed."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest

from gan_bifurcation import flow_kernels as fk
from gan_bifurcation import flow_steps as fs
from gan_bifurcation.dormand_prince import DOP853, defects
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.flow_modes import Modes, Pieces
from gan_bifurcation.integrator import Event, integrate
from gan_bifurcation.system import System

LORENZ = System.from_equations(
    "flow",
    {"x": "s*(y - x)", "y": "x*(r - z) - y", "z": "x*y - b*z"},
    parameters={"s": 10.0, "r": 28.0, "b": 8.0 / 3.0},
)
OSCILLATOR = System.from_equations("flow", {"x": "y", "y": "-w**2*x"}, parameters={"w": 1.0})
PENDULUM = System.from_equations("flow", {"angle": "speed", "speed": "-sin(angle)"})


def test_the_table_meets_its_conditions_and_notices_a_wrong_digit() -> None:
    assert max(defects(DOP853).values()) < 1e-13
    wrong = DOP853.a.copy()
    wrong[7, 3] += 1e-9
    assert max(defects(DOP853._replace(a=wrong)).values()) > 1e-12


def fixed_steps(steps: int, times: Any) -> tuple[float, float]:
    """Errors of the final state and of the dense output on cos, sin over [0, 4] with equal steps."""
    y = np.array([[1.0, 0.0]])
    clock = fs.make_clock(1, 0.0, 4.0)
    clock.real[0, 2] = 4.0 / steps
    wanted = np.array(times, dtype=float)
    states = np.zeros((1, len(wanted), 2))
    # A tolerance that never binds, so that the largest step is the step.
    settings = fs.Settings(1e9, 1e9, 4.0 / steps, 1e9, 10**6)
    scratch = fs.make_scratch(OSCILLATOR.tape, 2)
    p = OSCILLATOR.parameter_vector()[None]
    fk.march(OSCILLATOR.tape.data, p, y, clock, settings, wanted, states, scratch, None, None)
    assert clock.counts[0, 0] == steps
    end = max(abs(y[0, 0] - math.cos(4.0)), abs(y[0, 1] + math.sin(4.0)))
    return float(end), float(np.abs(states[0, :, 0] - np.cos(wanted)).max())


def test_the_step_has_order_eight_and_the_dense_output_order_seven() -> None:
    # The error of a method of order q over a fixed time goes as h^q: the slope of its logarithm is the order.
    steps = np.array([4, 6, 8, 12, 16])
    errors = np.array([fixed_steps(int(n), np.linspace(0.05, 3.95, 53)) for n in steps])
    order_end, order_dense = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order_end == pytest.approx(8.0, abs=0.4)
    # Local error of the interpolant h^8, divided by nothing: it is not accumulated.
    assert 6.8 < order_dense < 8.5


def test_the_oscillator_follows_cosine_and_sine() -> None:
    times = np.linspace(0.0, 30.0, 301)
    found = integrate(OSCILLATOR, {"x": 1.0, "y": 0.0}, 30.0, times=times, parameters={"w": 2.0}, tolerance=1e-12)
    assert found.outcome
    np.testing.assert_allclose(found.states[:, 0], np.cos(2.0 * times), atol=3e-10)
    np.testing.assert_allclose(found.final_state, [math.cos(60.0), -2.0 * math.sin(60.0)], atol=1e-10)
    assert not found.stiff


def test_the_pendulum_has_the_period_of_the_elliptic_integral() -> None:
    # Period 4 K(k), k = sin(half the amplitude).
    period = float(4 * mpmath.ellipk(mpmath.sin(mpmath.mpf(1)) ** 2))
    found = integrate(PENDULUM, [2.0, 0.0], 4 * period, events=[Event("speed", direction=-1)], tolerance=1e-13)
    np.testing.assert_allclose(found.event_times[:3], period * np.arange(1, 4), rtol=1e-11)


def test_the_lorenz_orbit_is_that_of_taylor_series_with_many_digits() -> None:
    def rhs(_: Any, v: Any) -> list[Any]:
        return [10 * (v[1] - v[0]), v[0] * (28 - v[2]) - v[1], v[0] * v[1] - mpmath.mpf(8) / 3 * v[2]]

    reference = [float(c) for c in mpmath.odefun(rhs, 0, [1, 1, 1], tol=mpmath.mpf(10) ** -14)(1)]
    found = integrate(LORENZ, [1.0, 1.0, 1.0], 1.0, tolerance=1e-13)
    np.testing.assert_allclose(found.final_state, reference, rtol=1e-10)


def test_volumes_shrink_as_liouville_says() -> None:
    found = integrate(LORENZ, [1.0, 1.0, 1.0], 1.0, tangent=np.eye(3), tolerance=1e-13)
    assert found.final_tangent is not None
    # d/dt log det = divergence = -(s + 1 + b), constant for the Lorenz equations. Aligned columns cost digits.
    assert np.log(np.linalg.det(found.final_tangent)) == pytest.approx(-(10 + 1 + 8 / 3), rel=1e-6)


def test_derivatives_by_state_and_parameters_agree_with_differences() -> None:
    start, p = np.array([1.0, 2.0, 20.0]), LORENZ.parameter_vector()
    tangent, directions = np.hstack([np.eye(3), np.zeros((3, 3))]), np.hstack([np.zeros((3, 3)), np.eye(3)])
    found = integrate(LORENZ, start, 0.8, times=[0.4, 0.8], tangent=tangent, parameter_directions=directions)
    assert found.final_tangent is not None
    assert found.tangents is not None
    np.testing.assert_allclose(found.tangents[1], found.final_tangent, rtol=1e-12)

    def end(z: Any) -> Any:
        changed = dict(zip(LORENZ.parameters, z[3:], strict=True))
        return integrate(LORENZ, z[:3], 0.8, parameters=changed, tolerance=1e-13).final_state

    z, h = np.concatenate([start, p]), 1e-4
    differences = np.array([(end(z + h * e) - end(z - h * e)) / (2 * h) for e in np.eye(6)]).T
    # Central differences: error h^2 times a third derivative of order 10.
    np.testing.assert_allclose(found.final_tangent, differences, rtol=1e-5, atol=1e-5)


def test_events_of_the_oscillator_are_located_to_twelve_digits() -> None:
    events = [Event("x", direction=-1), Event("x", direction=1), Event("x - 0.9")]
    found = integrate(OSCILLATOR, [1.0, 0.0], 12.2, events=events, tolerance=1e-13)
    down = found.event_times[found.event_indices == 0]
    up = found.event_times[found.event_indices == 1]
    # cos t falls through 0 at pi/2 + 2 pi k and rises at 3 pi/2 + 2 pi k.
    np.testing.assert_allclose(down, [math.pi / 2, 5 * math.pi / 2], atol=1e-12)
    np.testing.assert_allclose(up, [3 * math.pi / 2, 7 * math.pi / 2], atol=1e-12)
    # cos t = 0.9 twice around 2 pi, within one step of the integration.
    near = found.event_times[found.event_indices == 2]
    a = math.acos(0.9)
    np.testing.assert_allclose(near, [a, 2 * math.pi - a, 2 * math.pi + a, 4 * math.pi - a], atol=1e-12)
    assert np.all(np.diff(found.event_times) > 0.0)
    np.testing.assert_allclose(found.event_states[found.event_indices == 0][:, 1], -1.0, atol=1e-12)


def test_an_event_carries_the_tangent_vectors() -> None:
    found = integrate(OSCILLATOR, [1.0, 0.0], 9.0, tangent=np.eye(2), events=[Event("x", -1, "stop")], tolerance=1e-13)
    assert found.outcome.code == "stopped"
    assert found.event_tangents is not None
    # The flow of the oscillator is a rotation; at pi/2 a quarter turn.
    np.testing.assert_allclose(found.event_tangents[0], [[0.0, 1.0], [-1.0, 0.0]], atol=1e-12)


def test_a_start_on_the_section_is_no_event_so_returns_are_whole_periods() -> None:
    state, total = np.array([0.0, 1.0]), 0.0
    for _ in range(5):
        found = integrate(OSCILLATOR, state, 100.0, events=[Event("x", 1, "stop")], tolerance=1e-13)
        state, total = found.final_state, total + found.final_time
    assert total == pytest.approx(10 * math.pi, abs=1e-11)


def test_many_events_and_backward_time() -> None:
    # sin(50 t) = 0 at multiples of pi/50: more events than there is room for in one call.
    forward = integrate(OSCILLATOR, [0.0, 50.0], 20.0, parameters={"w": 50.0}, events=[Event("x")], tolerance=1e-12)
    np.testing.assert_allclose(forward.event_times, np.pi / 50 * np.arange(1, 319), atol=1e-9)
    back = integrate(OSCILLATOR, [0.0, 1.0], -5.0, times=[-1.0, -4.0], events=[Event("x")], tolerance=1e-12)
    np.testing.assert_allclose(back.states[:, 0], np.sin([-1.0, -4.0]), atol=1e-11)
    np.testing.assert_allclose(back.event_times, [-math.pi], atol=1e-11)


def test_a_brief_touch_is_seen() -> None:
    # cos t exceeds 1 - 1e-8 for a time of 2 sqrt(2e-8) about 2 pi k, a small part of a step: twice a turn it is met.
    high = 1.0 - 1e-8
    found = integrate(
        OSCILLATOR, [-1.0, 0.0], 20.0, parameters={"w": 1.0}, events=[Event(f"x - {high!r}")], tolerance=1e-9
    )
    half = math.acos(high)
    expected = [k * math.pi + sign * half for k in (1, 3, 5) for sign in (-1, 1)]
    np.testing.assert_allclose(found.event_times, expected, atol=1e-5)


BANG = System.from_equations("flow", {"x": "v", "v": "-force*sign(x)"}, parameters={"force": 1.0})


@pytest.mark.parametrize("action", ["record", "restart"])
def test_kinks_are_met_and_cost_hardly_a_step(action: Any) -> None:
    # x'' = -sign(x) from (1, 0): parabolas, one period lasts 4 sqrt(2). The caller's event lies on the kink itself.
    period = 4 * math.sqrt(2.0)
    found = integrate(BANG, [1.0, 0.0], 3 * period, events=[Event("x", 0, action)], tolerance=1e-10)
    np.testing.assert_allclose(found.final_state, [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.event_times, math.sqrt(2.0) * np.arange(1, 12, 2), atol=1e-12)
    np.testing.assert_allclose(found.switch_times, found.event_times, atol=1e-12)
    # Quadratic pieces are exact for the method: no step is rejected, where the step control alone would reject dozens.
    assert found.rejected == 0
    assert found.steps < 40


def test_an_orbit_stops_on_a_kink_and_goes_on_from_there_both_ways() -> None:
    there = integrate(BANG, [1.0, 0.0], 9.0, events=[Event("x", -1, "stop")])
    assert there.outcome.code == "stopped"
    # Falls from 1 to 0 in sqrt(2), to the speed -sqrt(2).
    assert there.final_time == pytest.approx(math.sqrt(2.0), abs=1e-12)
    on = integrate(BANG, there.final_state, 2 * math.sqrt(2.0))
    np.testing.assert_allclose(on.final_state, [0.0, math.sqrt(2.0)], atol=1e-11)
    back = integrate(BANG, there.final_state, -5 * math.sqrt(2.0))
    np.testing.assert_allclose(back.final_state, [1.0, 0.0], atol=1e-11)


def test_tangent_vectors_jump_at_kinks_as_differences_do() -> None:
    # Over one period: the period of amplitude A is 4 sqrt(2 A / force), which changes with both.
    tangent, directions = np.hstack([np.eye(2), np.zeros((2, 1))]), np.array([[0.0, 0.0, 1.0]])
    found = integrate(BANG, [1.0, 0.3], 5.0, tangent=tangent, parameter_directions=directions, tolerance=1e-12)

    def end(z: Any) -> Any:
        return integrate(BANG, z[:2], 5.0, parameters={"force": z[2]}, tolerance=1e-13).final_state

    z, h = np.array([1.0, 0.3, 1.0]), 1e-5
    differences = np.array([(end(z + h * e) - end(z - h * e)) / (2 * h) for e in np.eye(3)]).T
    # Central differences over pieces that are polynomials: error h^2.
    np.testing.assert_allclose(found.final_tangent, differences, atol=1e-8)


def test_sliding_along_a_surface_and_off_it() -> None:
    # x' = y - 2 sign(x), y' = 1/2 - x: on x = 0 while |y| < 2, where y grows by 1/2 per unit of time.
    flow = System.from_equations("flow", {"x": "y - 2*sign(x)", "y": "1/2 - x"})
    found = integrate(flow, [1.0, 0.0], 6.0, times=[1.0, 3.0], tolerance=1e-12)
    enters, leaves = found.switch_times
    # Before: x'' + x = 1/2 with x(0) = 1, x'(0) = -2, so x = 1/2 + cos(t)/2 - 2 sin(t), y = x' + 2.
    assert 0.5 + 0.5 * math.cos(enters) - 2 * math.sin(enters) == pytest.approx(0.0, abs=1e-12)
    y = 2 - 0.5 * math.sin(enters) - 2 * math.cos(enters)
    assert leaves - enters == pytest.approx((2 - y) / 0.5, abs=1e-10)
    np.testing.assert_allclose(found.states, [[0.0, y + 0.5 * (t - enters)] for t in (1.0, 3.0)], atol=1e-11)
    # After: the same oscillation from x = 0, y = 2, that is x = 1/2 - cos(s)/2.
    s = 6.0 - leaves
    np.testing.assert_allclose(found.final_state, [0.5 - 0.5 * math.cos(s), 2 + 0.5 * math.sin(s)], atol=1e-10)


def test_starts_on_a_kink_that_repels_follow_the_field_as_written_there() -> None:
    # sign(0) = 0: y alone decides the side, and (x - 1)' = x - 1 + ... grows from there.
    flow = System.from_equations("flow", {"x": "y + sign(x)", "y": "0*x"})
    for y, side in ((0.5, 1.0), (-0.5, -1.0)):
        found = integrate(flow, [0.0, y], 1.0)
        assert found.final_state[0] == pytest.approx(y + side, abs=1e-12)


def test_switching_functions_are_named_once_and_only_those_that_move() -> None:
    system = System.from_equations(
        "flow",
        {"x": "abs(x - y) - abs(y - x) + where(x > a, 1, y)", "y": "-max(x, y, 0) + abs(a)"},
        parameters={"a": 2.0},
    )
    names = {str(function) for function in system.switching_functions}
    # Each up to its sign; abs(a) never changes, so it is none.
    assert names == {"a - x", "x", "y", "x - y"}
    assert OSCILLATOR.switching_functions == ()


@pytest.mark.parametrize(
    "text", ["max(x, y, 1/2)", "min(abs(x), y)", "where(x > y and y > 0, x, -y)", "abs(sign(x)*y - 1)"]
)
def test_pieces_agree_with_the_right_hand_side_as_it_is_written(text: str) -> None:
    # The same flow with the kinks left to the step control of an independent code, at a tight tolerance.
    from scipy.integrate import solve_ivp

    flow = System.from_equations("flow", {"x": f"y + ({text})/3", "y": f"-x - ({text})/2"})
    own = integrate(flow, [1.0, 0.3], 12.0, tolerance=1e-11)
    other = solve_ivp(lambda _, z: flow.rhs(z), (0.0, 12.0), [1.0, 0.3], rtol=1e-9, atol=1e-10, max_step=0.02)
    assert own.outcome
    assert len(own.switch_times) >= 2
    np.testing.assert_allclose(own.final_state, other.y[:, -1], atol=1e-5)


@pytest.mark.parametrize(
    ("equation", "code"),
    [
        # x = 1/(1 - t): the bound of 1e12 is passed just before t = 1.
        ("x**2", "too large"),
        # x = sqrt(1 - t): the right-hand side has no value beyond t = 1.
        ("-1/(2*sqrt(x**2)) + 0*sqrt(x)", "not finite"),
    ],
)
def test_a_solution_that_ends_says_so(equation: str, code: str) -> None:
    found = integrate(System.from_equations("flow", {"x": equation}), [1.0], 2.0)
    assert found.outcome.code in (code, "step too small")
    assert not found.outcome
    assert found.final_time == pytest.approx(1.0, abs=1e-4)


def test_stiffness_is_noticed_and_the_limit_of_steps_names_it() -> None:
    stiff = System.from_equations("flow", {"c": "-s", "s": "c", "x": "-1e5*(x - c)"})
    found = integrate(stiff, [1.0, 0.0, 1.0], 10.0, most_steps=2000)
    assert found.stiff
    assert found.outcome.code == "step limit"
    assert "stiff" in found.outcome.message
    # Twelve stages reach 6.1/1e5 per step for stability, so the limit came near 2000 * 6.1e-5.
    assert found.final_time == pytest.approx(0.12, rel=0.3)


def test_an_equilibrium_stays_and_costs_few_steps() -> None:
    found = integrate(OSCILLATOR, [0.0, 0.0], 1e6)
    assert found.final_state.tolist() == [0.0, 0.0]
    assert found.steps < 30


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"duration": math.nan}, "duration"),
        ({"duration": 1.0, "tolerance": 1e-20}, "tolerance"),
        ({"duration": 1.0, "times": [0.5, 2.0]}, "between 0 and the duration"),
        ({"duration": 1.0, "times": [0.5, 0.2]}, "order"),
        ({"duration": 1.0, "tangent": np.eye(3)}, "expected \\(2, k\\)"),
        ({"duration": 1.0, "parameters": {"v": 1.0}}, "Unknown parameter 'v'"),
        ({"duration": 1.0, "events": [Event("x + q")]}, "q"),
    ],
)
def test_misuse_is_one_sentence(keywords: dict[str, Any], words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        integrate(OSCILLATOR, [1.0, 0.0], **keywords)


def test_a_map_is_not_integrated() -> None:
    with pytest.raises(MisuseError, match="Only a flow"):
        integrate(System.from_equations("map", {"x": "x/2"}), [1.0], 1.0)


def test_sliding_on_two_surfaces_at_once_is_refused_in_words() -> None:
    corner = System.from_equations("flow", {"x": "-sign(x)", "y": "-sign(y)"})
    found = integrate(corner, [1.0, 1.5], 3.0, times=[0.5, 1.2, 2.0])
    # x slides from time 1 on, y comes to zero at 1.5; then no smooth piece leads on.
    assert found.outcome.code == "chattering"
    assert not found.outcome.converged
    assert "two kinks at once" in found.outcome.message
    assert found.states == pytest.approx(np.array([[0.5, 1.0], [0.0, 0.3]]), abs=1e-12)
    assert found.final_time == pytest.approx(1.5, abs=1e-9)


@pytest.mark.parametrize(
    ("right_hand_side", "crosses"),
    [
        # Two straight springs: it only crosses.
        ({"x": "y", "y": "-x - maximum(x, 0) - y/10"}, True),
        # A mass on a belt: it sticks, and slips again.
        ({"x": "y", "y": "-x - sign(y - 0.3)/(1 + abs(y - 0.3))"}, False),
        # The second kink is where the first one is.
        ({"x": "y", "y": "-x - maximum(x, 0)*sign(x) - abs(x)/5"}, True),
    ],
)
def test_crossings_are_made_in_compiled_code(
    right_hand_side: dict[str, str], crosses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System.from_equations("flow", right_hand_side)
    asked: list[int] = []
    switch = Modes.switch
    monkeypatch.setattr(Modes, "switch", lambda *given: [asked.append(1), switch(*given)][1])
    x, times = np.array([1.0, 0.5]), np.linspace(0.0, 40.0, 81)
    slowly = integrate(system, x, 40.0, times=times, tolerance=1e-11)
    by_hand, asked[:] = len(asked), []
    pieces = Pieces(system, x, np.zeros(0))
    states = np.zeros((1, 81, 2))
    # In two windows, as a map of regimes goes on.
    for part in (slice(0, 41), slice(41, 81)):
        clock = fs.make_clock(1, 0.0, 20.0)
        kept = states[:, part].copy()
        settings = fs.Settings(1e-11, 1e-11, np.inf, 1e6, 10_000)
        assert pieces.march(clock, settings, times[part] - (0.0 if part.start == 0 else 20.0), kept) == fk.FINISHED
        states[:, part] = kept
    # The same orbit as with every switch decided in Python, to the tolerance of both.
    assert states[0] == pytest.approx(slowly.states, abs=1e-8)
    assert by_hand >= 10
    assert (len(asked) == 0) == crosses

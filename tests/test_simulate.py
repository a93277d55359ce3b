"""Orbits of maps and flows, and the interpreter that runs many of them in lanes."""

import math
import pickle
import sys
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

from gan_bifurcation import lanes
from gan_bifurcation.derived import iterate, tie
from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.expressions import Mean, NodeTable, parse, symbol
from gan_bifurcation.observables import guarded_tape
from gan_bifurcation.roots import roots
from gan_bifurcation.simulate import simulate
from gan_bifurcation.system import System

HENON = System.from_equations("map", {"x": "1 - a*x**2 + y", "y": "b*x"}, parameters={"a": 1.4, "b": 0.3})


def in_lanes(system: System, x: Any) -> Any:
    """f(x) by the interpreter of lanes, for the rows of x."""
    tape = guarded_tape(system)
    x = np.array(x, dtype=float)
    low, high, ahead = np.zeros((3, *x.shape))
    exits = np.zeros((len(x), 2), dtype=np.int64)
    p = np.repeat(system.parameter_vector()[None], len(x), axis=0)
    scratch = lanes.make_lane_scratch(tape, system.n, len(x))
    record = np.zeros((len(x), system.n, 0))
    lanes.sweep(tape.by_kind, system.iterations, x, p, 0, np.inf, scratch, low, high, ahead, exits, record, 1)
    return ahead


# Every operation of the tape, with arguments from where the function has values.
OPERATIONS = {
    "x + 2": (-3, 3),
    "x - y": (-3, 3),
    "x*y/(1 + y**2)": (-3, 3),
    "x**7": (-3, 3),
    "x**1.7": (0.1, 3),
    "-x": (-3, 3),
    "sqrt(x)": (0.1, 3),
    "exp(x)": (-600, 600),
    "log(x)": (0.1, 3),
    "sin(x)": (-9e4, 9e4),
    "cos(x)": (-9e4, 9e4),
    "tan(x)": (-1, 1),
    "sinh(x)": (-3, 3),
    "cosh(x)": (-3, 3),
    "tanh(x)": (-3, 3),
    "asin(x)": (-1, 1),
    "acos(x)": (-1, 1),
    "atan(x)": (-3, 3),
    "erf(x)": (-3, 3),
    "erfc(x)": (-3, 3),
    "sigmoid(x)": (-600, 600),
    "logsigmoid(x)": (-30, 30),
    "softplus(x)": (-30, 30),
    "abs(x)": (-3, 3),
    "sign(x)": (-3, 3),
    "minimum(x, y)": (-3, 3),
    "maximum(x, y)": (-3, 3),
    "where(x > y, x, 2*y)": (-3, 3),
    "where(x >= y, x, 2*y)": (-3, 3),
}


def test_lanes_compute_what_many_digits_compute() -> None:
    rng = np.random.default_rng(4)
    for text, (low, high) in OPERATIONS.items():
        system = System.from_equations("map", {"x": text, "y": "y"})
        x = np.column_stack([rng.uniform(low, high, 75), rng.uniform(0.1, 2.0, 75)])
        found = in_lanes(system, x)[:, 0]
        with mpmath.workdps(40):
            expected = [float(system.tape.evaluate([mpmath.mpf(v) for v in row], mpmath)[0]) for row in x.tolist()]
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-300, err_msg=text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        # Limits and values of the functions where exponentials leave the range of numbers.
        ("exp(x)", {800.0: math.inf, -800.0: 0.0, 0.0: 1.0}),
        ("sigmoid(x)", {800.0: 1.0, -800.0: 0.0, 0.0: 0.5}),
        ("sin(x)", {1e300: math.sin(1e300), math.inf: math.nan}),
        ("sqrt(x)", {-1.0: math.nan}),
        ("log(x)", {0.0: -math.inf, -1.0: math.nan}),
    ],
)
def test_lanes_at_the_ends_of_the_range(text: str, values: dict[float, float]) -> None:
    system = System.from_equations("map", {"x": text})
    found = in_lanes(system, [[v] for v in values])
    np.testing.assert_allclose(found[:, 0], list(values.values()), rtol=1e-15)


@pytest.mark.parametrize("text", ["exp(x)", "sigmoid(x)", "sin(x)", "cos(x) + sin(x)"])
def test_what_a_lane_computes_does_not_depend_on_its_neighbours(text: str) -> None:
    # One that is out of the range of the vectorised function goes to the library; the others must not change by a bit.
    system = System.from_equations("map", {"x": text})
    x = np.random.default_rng(5).uniform(-3, 3, (9, 1))
    expected = in_lanes(system, x)
    for far in (1e7, -1e7, math.inf, math.nan):
        np.testing.assert_array_equal(in_lanes(system, [*x, [far]])[:-1], expected)


def test_operations_of_one_kind_together_are_the_same_program() -> None:
    x, y, t, u = (symbol(name) for name in "xytu")
    table = NodeTable("two points", (t,), np.array([-1.0, 2.0]), np.array([0.4, 0.6]))
    text = "sin(x) + cos(x)*y - where(x > y, x*y - y, x/(1 + y**2)) + x*x*y - y*y*x + sin(x*y)"
    plain = parse(text, {"x": x, "y": y})
    root = roots([u], [u**3 + u - x * y], [x])[0]
    system = System("map", "all", ("x", "y"), {}, (), (plain + root * y, Mean(sympy.sin(x * t) * y + x * t, table) * x))
    code, again = system.tape.data.code, system.tape.by_kind.code
    assert sorted(code[:, 0]) == sorted(again[:, 0])
    # Fewer changes from one kind to another, which is what it is for.
    assert np.count_nonzero(np.diff(again[:, 0])) < np.count_nonzero(np.diff(code[:, 0]))
    starts = np.random.default_rng(6).uniform(-2, 2, (7, 2))
    # The interpreter of one orbit takes the operations as they came.
    expected = [[float(v) for v in system.tape.evaluate(row)] for row in starts.tolist()]
    np.testing.assert_allclose(in_lanes(system, starts), expected, rtol=1e-14)


def test_expectations_loop_over_their_nodes_in_lanes() -> None:
    x, t = symbol("x"), symbol("t")
    table = NodeTable("three points", (t,), np.array([-1.0, 0.5, 2.0]), np.array([0.2, 0.5, 0.3]))
    system = System("map", "mean", ("x",), {}, (), (Mean((x * t) ** 2 + t, table),))
    # E[t^2] x^2 + E[t] with E[t^2] = .2 + .125 + 1.2 = 1.525, E[t] = -.2 + .25 + .6 = .65
    np.testing.assert_allclose(in_lanes(system, [[0.0], [1.0], [2.0]])[:, 0], [0.65, 2.175, 6.75], rtol=1e-15)


def test_a_map_is_applied_step_by_step() -> None:
    orbit = simulate(HENON, {"x": 0.1, "y": 0.2}, steps=25)
    x, y = 0.1, 0.2
    for k in range(26):
        assert orbit.states[k].tolist() == pytest.approx([x, y], rel=1e-10)
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
    assert orbit.outcome.code == "completed"
    assert orbit.times.tolist() == list(range(26))
    assert orbit.final_state == {"x": orbit["x"][-1], "y": orbit["y"][-1]}
    with pytest.raises(UnknownNameError, match="state"):
        _ = orbit["z"]


def test_samples_thin_the_orbit_but_keep_both_ends() -> None:
    whole = simulate(HENON, [0.1, 0.2], steps=1003)
    thin = simulate(HENON, [0.1, 0.2], steps=1003, samples=11)
    assert thin.times.tolist() == [*range(0, 1001, 100), 1003]
    np.testing.assert_array_equal(thin.states, whole.states[thin.times.astype(int)])


def test_a_run_in_pieces_is_the_run_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = simulate(HENON, [0.1, 0.2], steps=1000, samples=201)
    monkeypatch.setattr(sys.modules[simulate.__module__], "_CHUNK", 70)
    pieces = simulate(HENON, [0.1, 0.2], steps=1000, samples=201)
    np.testing.assert_array_equal(whole.states, pieces.states)
    np.testing.assert_array_equal(whole.times, pieces.times)


def test_an_iterate_and_a_tied_system_run_as_well() -> None:
    twice = simulate(iterate(HENON, 2), [0.1, 0.2], steps=10)
    np.testing.assert_allclose(twice.states, simulate(HENON, [0.1, 0.2], steps=20).states[::2], rtol=1e-12)
    # A bound of the domain may speak of a parameter that is tied away.
    shrinking = System.from_equations("map", {"x": "a*x + b"}, {"a": 1.5, "b": 0.0}, domain=[("3*a - x", "too far")])
    orbit = simulate(tie(shrinking, b="a - 1.5"), [1.0], steps=20)
    # 1.5^4 = 5.06 is the first power above 4.5.
    assert orbit.times[-1] == 4
    assert orbit.outcome.code == "left the domain"


def test_leaving_the_domain_ends_the_orbit_with_its_reason() -> None:
    bounds = [("2 - x", "the point ran away"), ("x + 2", "it fell off")]
    growing = System.from_equations("map", {"x": "r*x"}, {"r": 1.1}, domain=bounds)
    orbit = simulate(growing, [1.0], steps=100)
    # 1.1^7 = 1.949, 1.1^8 = 2.144: the first state outside is kept.
    assert orbit.times[-1] == 8
    assert orbit.final_state["x"] == pytest.approx(1.1**8)
    assert "the point ran away" in orbit.outcome.message
    assert "it fell off" in simulate(growing, [-1.0], steps=100).outcome.message
    flow = System.from_equations("flow", {"x": "x"}, domain=bounds)
    run = simulate(flow, [1.0], duration=2.0, samples=201)
    # e^t = 2 at t = 0.693: the next sample is 0.70.
    assert run.times[-1] == pytest.approx(0.70)
    assert not run.outcome


def test_a_state_that_is_no_number_ends_the_orbit() -> None:
    root = System.from_equations("map", {"x": "sqrt(x) - 1"})
    orbit = simulate(root, [4.0], steps=10)
    # 4 -> 1 -> 0 -> -1, whose root does not exist.
    assert orbit.states[:, 0].tolist() == [4.0, 1.0, 0.0, -1.0]
    assert orbit.outcome.code == "not finite"
    square = simulate(System.from_equations("map", {"x": "x**2"}), [10.0], steps=100)
    assert square.outcome.code in ("too large", "not finite")
    assert np.all(np.isfinite(square.states))


def test_a_flow_is_sampled_evenly() -> None:
    decay = System.from_equations("flow", {"x": "-k*x"}, {"k": 2.0})
    orbit = simulate(decay, {"x": 1.0}, duration=3.0, samples=31, parameters={"k": 1.0})
    np.testing.assert_allclose(orbit.times, np.linspace(0.0, 3.0, 31))
    np.testing.assert_allclose(orbit["x"], np.exp(-orbit.times), rtol=1e-8)
    assert orbit.system.parameters["k"] == 1.0


def test_an_orbit_is_plain_data() -> None:
    orbit = simulate(HENON, [0.1, 0.2], steps=5)
    frame = orbit.to_dataframe()
    assert list(frame.columns) == ["x", "y"]
    assert frame.index.name == "step"
    np.testing.assert_array_equal(frame.to_numpy(), orbit.states)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(orbit)).states, orbit.states)  # noqa: S301
    with pytest.raises(ValueError, match="read-only"):
        orbit.states[0, 0] = 1.0


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({}, "is a map: give steps"),
        ({"duration": 5.0}, "is a map: give steps"),
        ({"steps": -1}, "whole number"),
        ({"steps": 1.5}, "whole number"),
        ({"steps": 10, "samples": 1}, "at least 2"),
        ({"steps": 10**9}, "too many to keep"),
        ({"steps": 10, "parameters": {"c": 1.0}}, "Unknown parameter 'c'"),
    ],
)
def test_misuse_is_one_sentence(keywords: dict[str, Any], words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        simulate(HENON, [0.1, 0.2], **keywords)


def test_a_flow_needs_a_duration() -> None:
    with pytest.raises(MisuseError, match="is a flow: give a duration"):
        simulate(System.from_equations("flow", {"x": "-x"}), [1.0], steps=5)

"""Messages name what was got, what was expected and what to do; ranges refuse what is no range."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb
from gan_bifurcation.errors import (
    GanBifurcationError,
    MisuseError,
    Outcome,
    ResultsError,
    StudyFileError,
    UnknownNameError,
    unknown_name,
)
from gan_bifurcation.ranges import Range, as_range, log_range


def test_the_tree_of_errors() -> None:
    # Misuse can be caught as the ValueError that it is, and everything by the one base (DESIGN.md, Errors).
    assert issubclass(MisuseError, ValueError)
    assert issubclass(UnknownNameError, MisuseError)
    assert issubclass(StudyFileError, MisuseError)
    assert issubclass(ResultsError, GanBifurcationError)
    assert not issubclass(ResultsError, ValueError)


@pytest.mark.parametrize(
    ("got", "nearest"),
    [("eta", "eta_d"), ("ETA_G", "eta_g"), ("sgima", "sigma"), ("lambda", "lam"), ("eta_g ", "eta_g")],
)
def test_an_unknown_name_is_answered_with_the_nearest(got: str, nearest: str) -> None:
    assert f"Did you mean '{nearest}'?" in str(unknown_name("parameter", got, ["eta_d", "eta_g", "sigma", "lam"]))


def test_a_message_stays_on_one_line_and_short_whatever_came_in() -> None:
    message = str(unknown_name("name", "x\n\x1b[31m" + "y" * 10_000, [f"name{i}" for i in range(1000)]))
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 400


def test_an_outcome_is_true_only_if_it_converged() -> None:
    assert Outcome("converged", "The step converged.", converged=True)
    failed = Outcome("singular", "The Jacobian is singular; start elsewhere.", converged=False)
    assert not failed
    assert str(failed) == "The Jacobian is singular; start elsewhere."


@pytest.mark.parametrize(
    ("pair", "part"),
    [
        ((2, 1), "reversed"),
        ((-1e308, 1e308), "too wide"),
        ((1, 1), "equal"),
        ((0, math.inf), "finite"),
        ((math.nan, 1), "finite"),
        ((0, "1"), "two numbers"),
        ((True, 2), "two numbers"),
        ((1, 2, 3), "3 values"),
        ("12", "pair"),
        (1.0, "pair"),
        ({"low": 1}, "pair"),
    ],
)
def test_what_is_no_range_is_refused(pair: object, part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        as_range(pair)


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_a_logarithmic_range_is_positive(low: float) -> None:
    with pytest.raises(MisuseError, match="positive"):
        log_range(low, 1.0)


def test_ranges_take_numpy_numbers_and_give_plain_ones() -> None:
    made = as_range(np.array([0.0, 2.0]))
    assert made == Range(0.0, 2.0)
    assert type(made.low) is float
    assert as_range(made) is made


@settings(derandomize=True)
@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_fractions_of_a_range_go_forth_and_back(low: float, ratio: float, fraction: float, log: bool) -> None:
    made = Range(low, low * ratio, log)
    value = made.from_unit(fraction)
    assert made.low * (1 - 1e-12) <= value <= made.high * (1 + 1e-12)
    # Rounding of the value, relative to the width of the range, is all that may be lost.
    assert made.to_unit(value) == pytest.approx(fraction, abs=1e-15 * ratio / (ratio - 1) * 20)
    assert (made.from_unit(0.0), made.from_unit(1.0)) == (made.low, made.high)


def test_the_middle_of_a_logarithmic_range_is_the_geometric_mean() -> None:
    # sqrt(1e-4 * 1) = 1e-2.
    assert log_range(1e-4, 1).from_unit(0.5) == pytest.approx(1e-2, rel=1e-14)


def test_what_is_no_system_no_branch_and_no_event_is_refused_in_a_sentence() -> None:
    system = gb.System.from_equations("flow", {"x": "a - x"}, {"a": 0.5})
    for wrong, words in (
        (lambda: gb.register("x"), "made of a System"),
        (lambda: gb.to_contclass("x"), "Expected a Branch"),
        (lambda: gb.to_pointset(3), "Expected a Branch"),
        (lambda: gb.to_trajectory(None), "made of an orbit"),
        (lambda: gb.trace(gb.point(system, [0]), {"a": (0, 1)}, events=["a"]), "An event is made with"),
        (lambda: gb.System.from_equations("flow", ["x"]), "Equations are a mapping"),
        (lambda: gb.restrict(system, "half turn"), "Unknown symmetry"),
    ):
        with pytest.raises(gb.MisuseError, match=words):
            wrong()


def test_numbers_that_are_none_and_names_that_no_file_can_have() -> None:
    henon = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.1, "b": 0.3})
    for attempt in (
        lambda: gb.log_range(1, 10**400),
        lambda: henon.with_parameters(a=(0, 1)),
        lambda: henon.state_vector({"x": None, "y": 0.0}),
        lambda: henon.state_vector([10**400, 0]),
        lambda: gb.System.from_equations("map", {"x": "a*x"}, "a"),  # type: ignore[arg-type]
        lambda: gb.run_study("s" * 5000, "out"),
    ):
        with pytest.raises(gb.GanBifurcationError) as caught:
            attempt()
        assert len(str(caught.value)) < 400

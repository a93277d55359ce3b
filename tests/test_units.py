"""What continuation finds does not depend on the units of the states."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb

# Kind, equations, parameters, start, window: AUTO's demo ab, Lorenz' equations (from an equilibrium whose z is on its
# own), Henon's map and the delayed logistic map.
SYSTEMS = {
    "ab": (
        "flow", {"u": "-u + p*(1 - u)*exp(v)", "v": "-v + 14*p*(1 - u)*exp(v) - 2*v"}, {"p": 0.01}, [0, 0], (0, 0.2)
    ),
    "lorenz": (
        "flow", {"x": "10*(y - x)", "y": "r*x - y - x*z", "z": "x*y - 8/3*z"}, {"r": 0.5}, [0, 0, 0], (0, 30)
    ),
    "henon": ("map", {"x": "a - x**2 + 0.3*y", "y": "x"}, {"a": 0.1}, [0.1, 0.1], (-1, 2)),
    "delayed": ("map", {"x": "r*x*(1 - y)", "y": "x"}, {"r": 1.8}, [0.4, 0.4], (1.5, 2.4)),
}  # fmt: skip


def traced(name: str, exponents: list[int]) -> list[tuple]:
    """Labels, parameters and criticality of a branch whose states are given in other units."""
    kind, equations, parameters, start, window = SYSTEMS[name]
    units = {state: 10.0**e for state, e in zip(equations, exponents, strict=False)}
    rhs = {}
    for state, text in equations.items():
        for other, unit in units.items():
            text = re.sub(rf"\b{other}\b", f"({other}/{unit!r})", text)
        rhs[state] = f"{units[state]!r}*({text})"
    system = gb.System.from_equations(kind, rhs, parameters)
    at = np.array(start) * list(units.values())
    (free,) = parameters
    branch = gb.trace(gb.point(system, at), {free: window})
    assert [o.code for o in branch.outcome] == ["window", "window"]
    return [(p.name, p.parameters[free], p.criticality) for p in branch.special_points]


@pytest.mark.parametrize("name", SYSTEMS)
@settings(max_examples=6, deadline=None)
@given(exponents=st.lists(st.sampled_from([-4, 0, 4, 8]), min_size=3, max_size=3))
def test_units_of_states_change_nothing(name: str, exponents: list[int]) -> None:
    """Labels, places and signs of normal forms against those in the usual units."""
    usual = traced(name, [0, 0, 0])
    other = traced(name, exponents)
    assert [p[::2] for p in other] == [p[::2] for p in usual]
    assert [p[1] for p in other] == pytest.approx([p[1] for p in usual], rel=1e-9)


@pytest.mark.parametrize("strength", [1e-9, 1e9])
def test_a_state_that_is_only_driven(strength: float) -> None:
    """A pitchfork at a = 0 and a state that it drives, with nothing back to tell the unit of."""
    system = gb.System.from_equations("flow", {"x": "a*x - x**3", "y": f"{strength}*x - y"}, {"a": -0.5})
    branch = gb.trace(gb.point(system, [0, 0]), {"a": (-1, 1)})
    assert [(p.name, round(p.parameters["a"], 12)) for p in branch.special_points] == [("BP1", 0.0)]
    assert branch["BP1"].normal_form["kind"] == "pitchfork"


def test_slow_equations_beside_fast_ones_are_no_manifold() -> None:
    """A pitchfork at a = 0 whose rate is 1e18 times smaller than that of another state."""
    system = gb.System.from_equations("flow", {"x": "-1e12*(x - a)", "y": "1e-6*(a*y - y**3)"}, {"a": -0.9})
    branch = gb.trace(gb.point(system, [-0.9, 0]), {"a": (-1, 1)})
    assert [(p.name, round(p.parameters["a"], 12)) for p in branch.special_points] == [("BP1", 0.0)]
    assert [o.code for o in branch.outcome] == ["window", "window"]

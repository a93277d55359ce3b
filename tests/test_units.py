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
    assert not any(p.note for p in branch.special_points)  # each located by its extended system
    return [(p.name, p.parameters[free], p.criticality, coefficient(p)) for p in branch.special_points]


def coefficient(point: gb.Point) -> float:
    """The deciding coefficient, which goes with a power of the length of the critical vector; 0 at a branch point."""
    name = {"H": "l1", "LP": "a", "PD": "b", "NS": "d"}.get(point.label, "")
    return point.normal_form[name].real if name else 0.0


def lengths(name: str, exponents: list[int]) -> list[float]:
    """By what coefficients are larger in the usual units: powers of the length that their critical vectors get."""
    kind, equations, parameters, start, window = SYSTEMS[name]
    system = gb.System.from_equations(kind, equations, parameters)
    branch = gb.trace(gb.point(system, start), {next(iter(parameters)): window})
    factors = []
    for p in branch.special_points:
        values, vectors = np.linalg.eig(p.system.jacobian(p.x)[:, : system.n])
        q = vectors[:, np.argmin(np.abs(np.abs(values) - 1.0 if kind == "map" else values.real))]
        units = 10.0 ** np.array(exponents[: system.n], dtype=float)
        factors.append((np.linalg.norm(q * units) / np.linalg.norm(q)) ** (1 if p.label == "LP" else 2))
    return factors


@pytest.mark.parametrize("name", SYSTEMS)
@settings(max_examples=6, deadline=None)
@given(exponents=st.lists(st.sampled_from([-25, -4, 0, 4, 25]), min_size=3, max_size=3))
def test_units_of_states_change_nothing(name: str, exponents: list[int]) -> None:
    """Labels, places and normal forms against those in the usual units."""
    usual = traced(name, [0, 0, 0])
    other = traced(name, exponents)
    assert [p[:3:2] for p in other] == [p[:3:2] for p in usual]
    assert [p[1] for p in other] == pytest.approx([p[1] for p in usual], rel=1e-9)
    scaled = [p[3] * factor for p, factor in zip(other, lengths(name, exponents), strict=True)]
    assert scaled == pytest.approx([p[3] for p in usual], rel=1e-7)


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


@pytest.mark.parametrize("size", [1e-30, 1e-18, 1e20])
def test_states_of_any_size(size: float) -> None:
    """A fold, a pitchfork and a transcritical point at a = 0 whose states are of one size, however small or large."""
    of = {"x": f"x/({size})", "s": str(size)}
    fields = {"LP": "s*(a - x**2)", "pitchfork": "s*(a*x - x**3)", "transcritical": "s*(a*x - x**2)"}
    for expected, field in fields.items():
        right = field.replace("x", f"({of['x']})").replace("s", f"({of['s']})")
        system = gb.System.from_equations("flow", {"x": right}, {"a": 1.0})
        branch = gb.trace(gb.point(system, [1.1 * size]), {"a": (-1, 2)})
        (found,) = branch.special_points
        assert found.normal_form.get("kind", found.label) == expected
        assert abs(found.parameters["a"]) < 1e-9
        # -1/2 D2f of a fold, the second derivative of x - x^3 over 6, that of a x - x^2 over 2, in this unit.
        coefficient = found.normal_form["c" if expected == "pitchfork" else "a"]
        assert coefficient == pytest.approx(-1.0 / size ** (2 if expected == "pitchfork" else 1), rel=1e-9, abs=0.0)


@pytest.mark.parametrize("size", [1.0, 1e8, 1e-8])
def test_runs_of_a_map_may_go_as_far_as_its_states_are_large(size: float) -> None:
    # The fixed point x = size has the multiplier a: from beside it runs come to it up to a = 1 and leave it beyond.
    steps = gb.System.from_equations("map", {"x": f"{size} + a*(x - {size})"}, parameters={"a": 0.5})
    found = gb.regime_map(steps, {"a": (0.5, 1.5)}, initial={"x": 1.001 * size}, steps=400)
    assert {face.verdict for face in found.faces} == {"converges", "diverges"}
    assert sum(face.area for face in found.faces if face.verdict == "converges") == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("guess", [1e16, 1e30, 1e150])
def test_a_guess_that_is_far_off_says_nothing_of_units(guess: float) -> None:
    """Of the Henon map: in units of the guess the residual is small long before its fixed point is near."""
    henon = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.1, "b": 0.3})
    x = gb.point(henon, {"x": guess, "y": 0.1}).state["x"]
    assert x**2 + 0.7 * x == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_other_branch_of_a_branch_point_in_any_units(unit: float) -> None:
    """Lorenz' y in units of its own: all states are zero where the branch begins, and say nothing of them."""
    equations = {"x": f"10*({unit}*y - x)", "y": f"x*(r - z)/{unit} - y", "z": f"{unit}*x*y - 8/3*z"}
    system = gb.System.from_equations("flow", equations, {"r": 0.5})
    start = gb.branch_point_to_branch(gb.trace(gb.point(system, [0, 0, 0]), {"r": (0.1, 30)})["BP1"])
    # The Hopf point at sigma (sigma + b + 3)/(sigma - b - 1) = 470/19.
    assert gb.trace(start, {"r": (0.1, 30)})["H1"].parameters["r"] == pytest.approx(470 / 19, rel=1e-12)

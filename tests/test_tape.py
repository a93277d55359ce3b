"""The tape against mpmath: values, derivatives, jets at ordinary and extreme arguments; records on disk."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb
from gan_bifurcation import evaluation
from gan_bifurcation.expressions import Mean, NodeTable, symbol
from gan_bifurcation.lowering import build
from gan_bifurcation.tracing import erf as traced_erf

equations = gb.System.from_equations

# Arguments inside each function's domain, with the extreme ones: tails, overflow, almost saturated.
POINTS: dict[str, Sequence[float]] = {
    "sqrt": (1e-12, 0.3, 2.0, 1e12),
    "exp": (-700.0, -1.0, 0.0, 3.0, 700.0),
    "log": (1e-300, 1e-5, 0.7, 1.0, 1e300),
    "sin": (-40.0, 0.0, 0.3, 1e4),
    "cos": (-40.0, 0.0, 0.3, 1e4),
    "tan": (-1.2, 0.0, 0.4, 1.5),
    "sinh": (-20.0, 0.0, 0.4, 300.0),
    "cosh": (-20.0, 0.0, 0.4, 300.0),
    "tanh": (-3.0, 0.0, 0.4, 3.0),
    "asin": (-0.99, 0.0, 0.4, 0.999),
    "acos": (-0.99, 0.0, 0.4, 0.999),
    "atan": (-1e6, 0.0, 0.4, 30.0),
    "erf": (-6.0, -0.4, 0.0, 0.4, 3.0),
    "erfc": (-5.0, 0.0, 0.4, 5.0, 25.0),
    "sigmoid": (-700.0, -40.0, -1.0, 0.0, 1.0, 40.0),
    "softplus": (-700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 1e5),
    "logsigmoid": (-1e5, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0),
}

HIGH = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "logsigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
}


def system(text: str, **parameters: float) -> gb.System:
    return equations("map", {"x": text}, parameters)


def close(got: float, exact: mpmath.mpf, tolerance: float, size: float = 0.0) -> bool:
    return abs(got - float(exact)) <= tolerance * max(abs(float(exact)), size)


@pytest.mark.parametrize("name", POINTS)
def test_elementary_functions(name: str) -> None:
    s = system(f"{name}(x)")
    evaluator = evaluation.make_evaluator(s.tape.data, 1, 1, 2)
    f, j, h, one = np.empty(1), np.empty((1, 1)), np.empty((1, 1)), np.ones((1, 1))
    for x in POINTS[name]:
        # mpmath differences numerically, to an absolute precision: 420 digits where values are tiny.
        with mpmath.workdps(60 if 1e-4 < abs(x) < 20 else 420):
            exact = mpmath.taylor(HIGH.get(name, getattr(mpmath, name, None)), mpmath.mpf(x), 5)
        # sin(1e4): the argument is exact in binary, its rounding is not ours; conditioning is left to 1e-13.
        assert close(s.rhs([x])[0], exact[0], 4e-15, 1e-308), (name, x)
        assert close(s.jacobian([x])[0, 0], exact[1], 2e-13, 1e-300), (name, x)
        evaluation.second(evaluator, np.array([x]), np.array([1.0]), f, j, h)
        if abs(exact[2]) < 1e300:
            assert close(h[0, 0], 2 * exact[2], 2e-12, 1e-300), (name, x)
            sums = np.zeros((1, 1))
            evaluation.add_curvatures(evaluator, np.array([x]), one, one, np.zeros(1, dtype=np.int64), 1, sums)
            assert close(sums[0, 0], 2 * exact[2], 2e-12, 1e-300), (name, x)
        jet = s.jet(np.array([[x, 1.0, 0.0, 0.0, 0.0, 0.0]]))[0]
        scale = max(abs(float(c)) for c in exact[1:]) * 1e-3
        for k in (k for k in range(6) if abs(exact[k]) < 1e300):
            assert close(jet[k], exact[k], 1e-11, scale if k else 0.0), (name, x, k)


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_derivative_of_saturated_functions(name: str) -> None:
    # 1 - tanh^2 cancels where tanh is almost one: what matters for a GAN is that it is not negative and not NaN.
    slope = system(f"{name}(x)").jacobian([19.5])[0, 0]
    assert 0 <= slope < 1e-15


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "a", "0.5", "2", "x*a", "1.25"]),
    lambda e: st.one_of(
        st.tuples(e, st.sampled_from(["+", "-", "*"]), e).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        e.map(lambda t: f"sin({t})"), e.map(lambda t: f"tanh({t})"), e.map(lambda t: f"sigmoid({t})"),
        e.map(lambda t: f"exp(-({t})**2)"), e.map(lambda t: f"sqrt(1 + ({t})**2)"),
        e.map(lambda t: f"(1 + ({t})**2)**-2"), e.map(lambda t: f"(2 + cos({t}))**1.5"),
        e.map(lambda t: f"softplus({t})"), e.map(lambda t: f"log(2 + sin({t}))"),
        e.map(lambda t: f"1/(2 + sin({t}))"), e.map(lambda t: f"atan({t})"), e.map(lambda t: f"erfc({t})"),
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_random_expressions(text: str, x: float, a: float) -> None:
    s = equations("map", {"x": f"x + ({text})"}, {"a": a})
    p = mpmath.mpf(a)
    with mpmath.workdps(50):
        f = lambda u, v: s.tape.evaluate([u, v], mpmath)[0]  # noqa: E731
        exact = mpmath.taylor(lambda t: f(x + t, p + 2 * t), 0, 3)
        slope_a = mpmath.diff(lambda v: f(mpmath.mpf(x), v), p)
    size = max(1.0, *(abs(float(c)) for c in exact))
    assert abs(s.rhs([x])[0] - float(exact[0])) < 1e-13 * size
    assert abs(s.jacobian([x])[0, 1] - float(slope_a)) < 1e-12 * size
    jet = s.jet(np.array([[x, 1.0, 0.0, 0.0], [a, 2.0, 0.0, 0.0]]))[0]
    assert np.abs(jet - [float(c) for c in exact]).max() < 1e-11 * size
    complex_jet = s.jet(np.array([[x, 1j, 0.0, 0.0], [a, 2j, 0.0, 0.0]]))[0]
    assert np.abs(complex_jet - [float(c) * 1j**k for k, c in enumerate(exact)]).max() < 1e-11 * size


@pytest.mark.parametrize("power", ["x**7", "x**-3", "x**2.5", "x**0.5", "x**a", "2**x", "x**0", "(-x)**3", "x**21"])
def test_powers(power: str) -> None:
    s = system(power, a=1.7)
    for x in (0.3, 1.0, 2.4):
        with mpmath.workdps(40):
            a = mpmath.mpf(1.7)
            exact = mpmath.taylor(lambda t, a=a: eval_power(power, t, a), mpmath.mpf(x), 4)
        assert np.allclose(
            s.jet(np.array([[x, 1, 0, 0, 0], [1.7, 0, 0, 0, 0]]))[0], [float(c) for c in exact], rtol=1e-12
        )
        assert s.jacobian([x])[0, 0] == pytest.approx(float(exact[1]), rel=1e-13)


def eval_power(text: str, x: mpmath.mpf, a: mpmath.mpf) -> mpmath.mpf:
    table = {
        "x**7": lambda: x**7, "x**-3": lambda: x**-3, "x**2.5": lambda: x ** mpmath.mpf("2.5"), "x**a": lambda: x**a,
        "x**0.5": lambda: mpmath.sqrt(x), "2**x": lambda: mpmath.mpf(2) ** x, "x**0": lambda: mpmath.mpf(1) + 0 * x,
        "(-x)**3": lambda: (-x) ** 3, "x**21": lambda: x**21,
    }  # fmt: skip
    return table[text]()


def test_integer_powers_at_zero_and_below() -> None:
    s = system("x**3 + x**2")
    # Jet of x^2 + x^3 at 0 along 1: coefficients 0, 0, 1, 1; no 0/0 from a recurrence that divides by x.
    assert s.jet(np.array([[0.0, 1.0, 0.0, 0.0]]))[0].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert s.jacobian([-2.0])[0, 0] == 8.0  # 3 x^2 + 2 x


def test_choices_and_their_marks() -> None:
    s = equations("map", {"x": "where(x > a, x**2, -x) + abs(x) + minimum(x, a) + maximum(x, a) + sign(x)"}, {"a": 0.5})
    assert not s.smooth
    # x = 2: 4 + 2 + 0.5 + 2 + 1; x = -1: 1 + 1 - 1 + 0.5 - 1.
    assert s.rhs([2.0])[0] == 9.5
    assert s.rhs([-1.0])[0] == 0.5
    assert s.jacobian([2.0])[0].tolist() == [2 * 2 + 1 + 0 + 1 + 0, 1.0]  # d/dx, and d/da through the minimum
    assert s.jacobian([-1.0])[0].tolist() == [-1 - 1 + 1 + 0, 1.0]  # through the maximum
    assert equations("flow", {"x": "exp(-x**2)"}).smooth


def test_expectations_are_sums() -> None:
    nodes, weights = np.linspace(-1, 1, 7)[:, None], np.full(7, 1 / 7)
    e, x, a = symbol("e"), symbol("x"), symbol("a")
    table = NodeTable("noise", (e,), nodes, weights)
    import sympy

    body = sympy.tanh(a * x + e) * x + e**2
    tape = build([], [Mean(body, table) + x], ["x", "a"], 1)
    loop = gb.System("map", "loop", ("x",), {"a": 0.7}, (), (Mean(body, table) + x,))
    explicit = gb.System(
        "map", "sum", ("x",), {"a": 0.7}, (),
        (sum(float(w) * body.subs(e, float(v)) for v, w in zip(nodes[:, 0], weights, strict=True)) + x,),
    )  # fmt: skip
    assert tape.operations < explicit.tape.operations
    for value in (-0.4, 1.3):
        assert loop.rhs([value]) == pytest.approx(explicit.rhs([value]), rel=1e-14)
        assert loop.jacobian([value]) == pytest.approx(explicit.jacobian([value]), rel=1e-13)
        path = np.array([[value, 1.0, 0.5, 0.0, 0.0], [0.7, -1.0, 0.0, 0.0, 0.0]])
        assert loop.jet(path) == pytest.approx(explicit.jet(path), rel=1e-12)
        f, j, h = (np.empty((2, 1)), np.empty((2, 1, 2)), np.empty((2, 1, 2)))
        for k, s in enumerate((loop, explicit)):
            evaluator = evaluation.make_evaluator(s.tape.data, 1, 1, 2)
            evaluation.second(evaluator, np.array([value, 0.7]), np.array([0.3, -0.4]), f[k], j[k], h[k])
        assert h[0] == pytest.approx(h[1], rel=1e-12)
        # From the result backwards, by the sum written out.
        sums, which = np.zeros((1, 2)), np.zeros(1, dtype=np.int64)
        backwards = evaluation.make_evaluator(loop.tape.data, 1, 1, 1)
        evaluation.add_curvatures(
            backwards, np.array([value, 0.7]), np.array([[1.0]]), np.array([[2.0]]), which, 1, sums
        )  # fmt: skip
        evaluation.second(evaluator, np.array([value, 0.7]), np.array([1.0, 0.0]), f[1], j[1], h[1])
        assert sums == pytest.approx(2.0 * h[1], rel=1e-12)


def test_iterates_are_compositions() -> None:
    henon = equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.9, "b": 0.3})
    third = gb.iterate(henon, 3)
    x = np.array([0.3, -0.2])
    y = henon.rhs(henon.rhs(henon.rhs(x)))
    assert third.rhs(x) == pytest.approx(y, rel=1e-15)
    with mpmath.workdps(50):
        p = [mpmath.mpf(0.9), mpmath.mpf(0.3)]

        def compose(t: mpmath.mpf) -> list[mpmath.mpf]:
            z = [mpmath.mpf(0.3) + t, mpmath.mpf(-0.2) - t / 2]
            q = [p[0] + t, p[1] + 3 * t]
            for _ in range(3):
                z = henon.tape.evaluate([*z, *q], mpmath)
            return z

        exact = [mpmath.taylor(lambda t, i=i: compose(t)[i], 0, 4) for i in range(2)]
    jet = third.jet(np.array([[0.3, 1, 0, 0, 0], [-0.2, -0.5, 0, 0, 0], [0.9, 1, 0, 0, 0], [0.3, 3, 0, 0, 0]]))
    assert jet == pytest.approx(np.array(exact, float), rel=1e-12)
    direction = np.array([1.0, -0.5, 1.0, 3.0])
    assert third.jacobian(x) @ direction == pytest.approx([float(e[1]) for e in exact], rel=1e-12)
    evaluator = evaluation.make_evaluator(third.tape.data, 3, 2, 2)
    f, j, h = np.empty(2), np.empty((2, 4)), np.empty((2, 4))
    evaluation.second(evaluator, np.array([*x, 0.9, 0.3]), direction, f, j, h)
    assert h @ direction == pytest.approx([2 * float(e[2]) for e in exact], rel=1e-12)
    # Sums of the outputs' second derivatives, in two directions at once, from the results backwards.
    directions, weights = np.array([[1.0, -0.5], [0.2, 0.9]]), np.array([[0.6, -1.1], [0.3, 0.8]])
    sums, expected = np.zeros((2, 4)), np.zeros((2, 4))
    evaluation.add_curvatures(evaluator, np.array([*x, 0.9, 0.3]), directions, weights, np.array([1, 0]), 2, sums)
    for k, (d, w) in enumerate(zip(directions, weights, strict=True)):
        evaluation.second(evaluator, np.array([*x, 0.9, 0.3]), np.array([*d, 0.0, 0.0]), f, j, h)
        expected[1 - k] = w @ h
    assert sums == pytest.approx(expected, rel=1e-12)


def test_ties_and_restriction() -> None:
    s = equations("map", {"x": "x - eta_d*x + a*y", "y": "y - eta_g*y + a*x"}, {"eta_d": 0.1, "eta_g": 0.4, "a": 0.2})
    tied = gb.tie(s, eta_g="2*eta_d")
    assert tuple(tied.parameters) == ("eta_d", "a")
    assert tied.rhs([1.0, 2.0]) == pytest.approx(s.with_parameters(eta_g=0.2).rhs([1.0, 2.0]))
    # d/d eta_d = -x and -2 y by the chain rule.
    assert tied.jacobian([1.0, 2.0])[:, 2].tolist() == [-1.0, -4.0]
    even = gb.restrict(gb.tie(s, eta_g="eta_d"), gb.Symmetry("swap", {"x": (1, "y"), "y": (1, "x")}))
    assert even.states == ("x",)
    assert even.rhs([2.0])[0] == pytest.approx(2 - 0.2 + 0.4)
    with pytest.raises(gb.MisuseError, match="only the origin"):
        gb.restrict(s, gb.Symmetry("minus", {"x": (-1, "x"), "y": (-1, "y")}))


def test_linear_states_are_found_only_where_they_are() -> None:
    field = {"u": "0.9*u + x**2", "v": "0.9*v + sin(x)", "w": "0.9*w + a", "x": "x + u*x + v - w*x**2"}
    assert equations("map", field, {"a": 0.1}).linear_states == (0, 1, 2)
    coupled = field | {"w": "0.9*w + u"}
    assert (
        2 not in equations("map", coupled, {"a": 0.1}).linear_states
        or len(equations("map", coupled, {"a": 0.1}).linear_states) < 3
    )
    assert equations("map", field | {"u": "0.9*u*x", "v": "0.8*v"}, {"a": 0.1}).linear_states == ()
    # The spectrum by elimination is that of the whole Jacobian.
    s = equations("map", field, {"a": 0.1})
    point = gb.point(s, [0.0, 0.0, 1.0, 0.0])
    own = np.sort_complex(point.spectrum)
    full = np.sort_complex(np.linalg.eigvals(s.jacobian(point.x)[:, :4]))
    assert np.abs(own - full).max() < 1e-7  # the whole one has a defective triple eigenvalue, good to 1e-16^(1/2) only


def test_functions_are_traced() -> None:
    def field(x: np.ndarray, p: object) -> list[object]:
        matrix = np.array([[1.0, 2.0], [0.5, -1.0]])
        y = np.tanh(matrix @ x) ** 2
        total = y.sum() + traced_erf(x[0])
        for _ in range(60):  # shared values: written out, this would be 2^60 operations
            total = total * 0.5 + total**2 / (4 + total**2)
        return [total * p.a, x[0] / (1 + x[1] ** 2)]  # type: ignore[attr-defined]

    s = gb.System.from_function(field, states=["x", "y"], parameters={"a": 2.0})
    x = np.array([0.3, 0.7])
    y = np.tanh(np.array([[1.0, 2.0], [0.5, -1.0]]) @ x) ** 2
    total = y.sum() + float(mpmath.erf(0.3))
    for _ in range(60):
        total = total * 0.5 + total**2 / (4 + total**2)
    assert s.rhs(x) == pytest.approx([2 * total, 0.3 / 1.49], rel=1e-13)
    with pytest.raises(gb.MisuseError, match="branches on the value"):
        gb.System.from_function(lambda x, p: [x[0] if x[0] > 0 else 0.0], states=["x"])
    with pytest.raises(gb.MisuseError, match="2 values for 1 states"):
        gb.System.from_function(lambda x, p: [x[0], 1.0], states=["x"])


def test_pickles_and_digests() -> None:
    make = lambda text: equations("map", {"x": text, "y": "x"}, {"a": 0.5})  # noqa: E731
    s = make("a - x**2 + 0.3*y")
    copy = pickle.loads(pickle.dumps(s))  # noqa: S301
    assert copy.rhs([0.1, 0.2]).tolist() == s.rhs([0.1, 0.2]).tolist()
    assert copy.tape.digest == s.tape.digest == make("a - x**2 + 0.3*y").tape.digest
    assert make("a - x**2 + 0.4*y").tape.digest != s.tape.digest
    assert make("a - x**2 + 0.3*x").tape.digest != s.tape.digest


# -- records ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> tuple[gb.Branch, Path]:
    field = {"x": "a - x**2 + 0.3*y*erf(1 + 0*x)**0 + where(x > 99, 1, 0)", "y": "x"}
    branch = gb.trace(gb.point(equations("map", field, {"a": 0.1}), [0.1, 0.1]), {"a": (-1, 2)})
    return branch, branch.save(tmp_path / "branch")


def test_a_branch_comes_back(saved: tuple[gb.Branch, Path]) -> None:
    branch, path = saved
    again = gb.Branch.load(path)
    assert np.array_equal(again.states, branch.states)
    assert np.array_equal(again.spectrum, branch.spectrum)
    assert [p.name for p in again.special_points] == [p.name for p in branch.special_points]
    assert dict(again["PD1"].normal_form) == dict(branch["PD1"].normal_form)
    assert again.outcome == branch.outcome
    # The system computes again, so that work can go on from a loaded point.
    assert again.system.rhs([0.3, 0.1]).tolist() == branch.system.rhs([0.3, 0.1]).tolist()
    assert gb.normal_form(again["PD1"])["b"] == pytest.approx(branch["PD1"].normal_form["b"])
    more = gb.trace(gb.flip_to_period_two(again["PD1"]), {"a": (-1, 2)})
    assert len(more) > 5


def test_damaged_records_are_refused(saved: tuple[gb.Branch, Path]) -> None:
    _, base = saved
    text, arrays = base.with_suffix(".json"), base.with_suffix(".npz")
    good_text, good_arrays = text.read_text(), arrays.read_bytes()

    def refused(match: str) -> None:
        with pytest.raises(gb.ResultsError, match=match):
            gb.Branch.load(base)
        text.write_text(good_text)
        arrays.write_bytes(good_arrays)

    text.write_text(good_text[: len(good_text) // 2])
    refused("damaged")
    arrays.write_bytes(good_arrays[: len(good_arrays) // 2])
    refused("damaged")
    text.write_text("[]")
    refused("damaged")
    text.write_text(json.dumps(json.loads(good_text) | {"format": 99}))
    refused("format 99")
    text.write_text(json.dumps(json.loads(good_text) | {"free": None}))
    refused("damaged")
    text.write_text(json.dumps({k: v for k, v in json.loads(good_text).items() if k != "curve"}))
    refused("damaged")
    text.unlink()
    refused("does not exist")
    gb.Branch.load(base)


@pytest.mark.parametrize("what", ["forward", "negative", "opcode", "output", "shape"])
def test_tampered_tapes_are_refused(saved: tuple[gb.Branch, Path], what: str) -> None:
    _, base = saved
    with np.load(base.with_suffix(".npz")) as stored:
        arrays = {k: stored[k].copy() for k in stored.files}
    code = arrays["tape_code"]
    if what == "forward":
        code[0, 1] = 10**6  # compiled code would read outside its arrays
    elif what == "negative":
        code[-1, 1] = -5
    elif what == "opcode":
        code[0, 0] = 977
    elif what == "output":
        arrays["tape_outputs"][0] = 10**6
    else:
        arrays["tape_code"] = code[:, :3]
    np.savez(base.with_suffix(".npz"), **arrays)
    with pytest.raises(gb.ResultsError, match="damaged"):
        gb.Branch.load(base)

"""Systems whose next state solves an equation: values and derivatives of every order, and all that is built on them."""

import mpmath
import numpy as np
import pytest
import sympy

import gan_bifurcation as gb
from gan_bifurcation import evaluation
from gan_bifurcation.expressions import symbol
from gan_bifurcation.lowering import build
from gan_bifurcation.records import check_tape, system_from_record, system_record
from gan_bifurcation.roots import roots

X, Y, ETA, S = map(symbol, ("x", "y", "eta", "s"))
U, W = symbol("x__next"), symbol("y__next")
Q = [0.4, 0.5, 0.3, 1.2]


def implicit() -> gb.System:
    """The implicit step of x' = -sin(y) - x^3/3, y' = s sinh(x)."""
    residuals = [U - X + ETA * (sympy.sin(W) + U**3 / 3), W - Y - ETA * S * sympy.sinh(U)]
    return gb.System("map", "implicit", ("x", "y"), {"eta": 0.3, "s": 1.2}, (), roots([U, W], residuals, [X, Y]))


SYSTEM = implicit()


def exact(*q: float) -> list[mpmath.mpf]:
    """The same step by mpmath's own solver."""
    x, y, eta, s = q
    equations = [
        lambda u, w: u - x + eta * (mpmath.sin(w) + u**3 / 3),
        lambda u, w: w - y - eta * s * mpmath.sinh(u),
    ]
    return list(mpmath.findroot(equations, (x, y), tol=1e-50))


def derivative(i: int, orders: tuple[int, ...]) -> float:
    with mpmath.workdps(40):
        return float(mpmath.diff(lambda *q: exact(*q)[i], [mpmath.mpf(v) for v in Q], orders))


def test_value_and_jacobian_against_mpmath() -> None:
    with mpmath.workdps(40):
        expected = [float(v) for v in exact(*map(mpmath.mpf, Q))]
    assert SYSTEM.rhs(Q[:2]) == pytest.approx(expected, abs=1e-15)
    j = SYSTEM.jacobian(Q[:2])
    for i in range(2):
        for c in range(4):
            orders = tuple(int(k == c) for k in range(4))
            assert j[i, c] == pytest.approx(derivative(i, orders), abs=1e-14)


@pytest.mark.parametrize("times", [1, 2])
def test_second_derivatives_against_the_jacobian(times: int) -> None:
    # D2f(u, e_c) by central differences of the Jacobian along u, for the map and its second iterate.
    evaluator = evaluation.make_evaluator(SYSTEM.tape.data, times, 2, 2)
    z, u = np.array(Q), np.array([0.3, -0.2, 0.7, 0.1])
    f, j, h = np.zeros(2), np.zeros((2, 4)), np.zeros((2, 4))
    evaluation.second(evaluator, z, u, f, j, h)
    twice = gb.iterate(SYSTEM, times)
    step = 1e-5
    above, below = (twice.jacobian((z + d * u)[:2], (z + d * u)[2:]) for d in (step, -step))
    assert h == pytest.approx((above - below) / (2 * step), abs=1e-9)
    # A weighted sum from the results backwards, through the roots, in a direction of the states.
    directions, weights, sums = np.array([[0.3, -0.2]]), np.array([[0.6, -1.1]]), np.zeros((1, 4))
    evaluation.second(evaluator, z, np.array([0.3, -0.2, 0.0, 0.0]), f, j, h)
    evaluation.add_curvatures(evaluator, z, directions, weights, np.zeros(1, dtype=np.int64), 1, sums)
    assert sums[0] == pytest.approx(weights[0] @ h, rel=1e-12)


def test_jets_solve_the_equations_order_by_order() -> None:
    # The residuals along the curve and its image, expanded by mpmath, vanish to order 5.
    curve = np.zeros((4, 6))
    curve[:, 0], curve[:, 1], curve[0, 2] = Q, [0.3, -0.2, 0.7, 0.1], 0.3
    found = SYSTEM.jet(curve)

    def residual(i: int, t: mpmath.mpf) -> mpmath.mpf:
        x, y, eta, s, u, w = (mpmath.polyval(row[::-1], t) for row in (*curve.tolist(), *found.tolist()))
        return (u - x + eta * (mpmath.sin(w) + u**3 / 3), w - y - eta * s * mpmath.sinh(u))[i]

    with mpmath.workdps(40):
        for i in range(2):
            coefficients = mpmath.taylor(lambda t, i=i: residual(i, t), 0, 5)
            assert max(abs(float(c)) for c in coefficients) < 1e-15


def test_lanes_give_the_same_as_one_orbit() -> None:
    # Cells that need more iterations of Newton's method than others change nothing for these.
    from gan_bifurcation import lanes

    rng = np.random.default_rng(1)
    starts = rng.normal(0.0, 0.7, (40, 2))
    scratch = lanes.make_lane_scratch(SYSTEM.tape, 2, 40)
    x, p = starts.copy(), np.repeat(SYSTEM.parameter_vector()[None], 40, axis=0)
    low, high, ahead = np.zeros((3, 40, 2))
    exits, record = np.zeros((40, 2), dtype=np.int64), np.zeros((40, 2, 0))
    lanes.sweep(SYSTEM.tape.data, 1, x, p, 20, 1e100, scratch, low, high, ahead, exits, record, 1)
    alone = np.array([gb.simulate(SYSTEM, start, steps=20).states[-1] for start in starts])
    assert (x == alone).all()


def test_no_solution_ends_the_orbit_with_a_reason() -> None:
    # u = x + u^2 + 1 has no real solution near x = 0.
    made = gb.System("map", "none", ("x",), {}, (), roots([U], [U - X - U**2 - 1], [X]))
    assert np.isnan(made.rhs([0.0])).all()
    orbit = gb.simulate(made, {"x": 0.0}, steps=10)
    assert orbit.outcome.code == "not finite"
    assert "Newton's method" in orbit.outcome.message


def test_equations_as_text() -> None:
    made = gb.System.from_residual({"x": "x_next - x + h*x_next**3"}, {"h": 0.5})
    value = made.rhs([1.0])[0]
    assert value + 0.5 * value**3 == pytest.approx(1.0, abs=1e-15)
    assert str(made.equations()["x"]) == "Root(x__next: 0 = h*x__next**3 - x + x__next)"
    assert r"\colon 0 =" in sympy.latex(made.equations()["x"])
    with pytest.raises(gb.MisuseError, match="rename the other one"):
        gb.System.from_residual({"x": "x_next", "x_next": "x"})
    with pytest.raises(gb.MisuseError, match="diagonal entry"):
        gb.System.from_residual({"x": "y_next", "y": "z_next", "z": "x_next - x"})
    with pytest.raises(gb.MisuseError, match="register it under an explicit rule"):
        gb.register(made)


def test_normal_form_of_an_implicit_map_is_that_of_the_explicit_one() -> None:
    # Henon's map written as an equation in its next state has the same flip, to the coefficient.
    a, b = symbol("a"), symbol("b")
    explicit = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
    residuals = [(U - (a - X**2 + b * Y)) * (1 + U**2 / 4), W * sympy.exp(W / 3) - X * sympy.exp(X / 3)]
    hidden = gb.System("map", "henon", ("x", "y"), {"a": 0.1, "b": 0.3}, (), roots([U, W], residuals, [X, Y]))
    points = []
    for made in (explicit, hidden):
        branch = gb.trace(gb.point(made, {"x": 0.3, "y": 0.3}), {"a": (0.05, 1.0)})
        points.append(branch["PD1"])
    assert points[0].parameters["a"] == pytest.approx(0.3675, abs=1e-10)  # 3 (1 - b)^2 / 4
    assert points[1].parameters["a"] == pytest.approx(0.3675, abs=1e-10)
    assert points[1].normal_form["b"] == pytest.approx(points[0].normal_form["b"], rel=1e-9)
    curves = [gb.trace(p, {"a": (0.05, 1.0), "b": (0.1, 0.5)}) for p in points]
    for curve in curves:
        values = curve.parameters
        assert np.abs(values[:, 0] - 0.75 * (1 - values[:, 1]) ** 2).max() < 1e-8


def test_implicit_steps_of_a_kernel_gan() -> None:
    # The implicit step is the inverse of the explicit one with the opposite rate, exactly.
    game = gb.models.kernel_gan()
    forward = gb.system(game, gb.Implicit(), eta_d=0.05, eta_g=0.05)
    backward = gb.system(game, gb.Simultaneous(), eta_d=-0.05, eta_g=-0.05)
    guess = forward.equilibrium_guess()
    assert guess is not None
    x = guess + 0.05 * np.random.default_rng(0).standard_normal(forward.n)
    ahead = forward.rhs(x)
    assert backward.rhs(ahead) == pytest.approx(x, abs=1e-12)
    n = forward.n
    assert forward.jacobian(x)[:, :n] @ backward.jacobian(ahead)[:, :n] == pytest.approx(np.eye(n), abs=1e-11)


def test_regime_map_of_the_implicit_rule() -> None:
    made = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.3), gb.Implicit()), eta_g="eta_d")
    rmap = gb.regime_map(made, {"eta_d": (0.1, 2.0), "gamma": (0.1, 1.0)}, steps=400, tolerance=1e-2)
    # The implicit step contracts wherever the flow does.
    assert {node["verdict"] for _, node in rmap.graph.nodes(data=True)} == {"converges"}


def test_records_keep_a_block_of_roots_and_refuse_a_damaged_one() -> None:
    text, arrays = system_record(SYSTEM)
    copy = system_from_record(text, arrays)
    again = build(copy.assignments, copy.rhs_expressions, copy.tape.inputs, 2)
    assert again.evaluate(Q) == pytest.approx(SYSTEM.tape.evaluate(Q), abs=1e-15)
    code = SYSTEM.tape.code.tolist()
    for i, row in enumerate(code):
        if row[0] in (64, 65, 66, 67):
            for column in (0, 1):
                damaged = np.array(code, dtype=np.int32)
                damaged[i, column] += 1
                if row[0] == 65 and column == 1:
                    damaged[i, column] = 10_000
                with pytest.raises(gb.GanBifurcationError, match="damaged"):
                    check_tape(type(SYSTEM.tape)(
                        SYSTEM.tape.inputs, damaged, SYSTEM.tape.constants, SYSTEM.tape.outputs, (), SYSTEM.tape.prefix
                    ))  # fmt: skip

"""The parser gives the value that Python would, and refuses everything that could run or hang."""

import math
import pickle
import time

import numpy as np
import pytest
import scipy.special
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_bifurcation.errors import MisuseError, UnknownNameError
from gan_bifurcation.expressions import (
    LogSigmoid,
    Mean,
    NodeTable,
    Sigmoid,
    Softplus,
    derivative,
    explicit,
    gauss_hermite,
    gauss_legendre,
    is_smooth,
    parse,
    product_table,
    sample_table,
    symbol,
)

X, A = symbol("x"), symbol("a")
NAMES = {"x": X, "a": A}

# What Python's own evaluation gets to see of the functions: the standard library and SciPy.
PYTHON = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
    "atan": math.atan,
    "erf": math.erf,
    "erfc": math.erfc,
    "abs": abs,
    "minimum": min,
    "maximum": max,
    "sigmoid": scipy.special.expit,
    "logsigmoid": scipy.special.log_expit,
    "softplus": lambda x: float(np.logaddexp(0.0, x)),
    "where": lambda condition, a, b: a if condition else b,
}

numbers = st.one_of(
    st.integers(0, 9).map(str), st.floats(0.01, 9, allow_nan=False).map(lambda value: repr(round(value, 4)))
)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from([" + ", " - ", " * "]), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        pairs.map(lambda t: f"{t[0]} / (1 + abs({t[1]}))"),
        inner.map(lambda t: f"-{t}"),
        st.tuples(inner, st.integers(0, 3)).map(lambda t: f"({t[0]})**{t[1]}"),
        inner.map(lambda t: f"sqrt(1 + abs({t}))"),
        st.tuples(
            st.sampled_from(["sin", "cos", "tanh", "atan", "erf", "erfc", "sigmoid", "logsigmoid", "softplus"]), inner
        ).map(lambda t: f"{t[0]}({t[1]})"),
        inner.map(lambda t: f"exp(-abs({t}))"),
        pairs.map(lambda t: f"minimum({t[0]}, {t[1]})"),
        pairs.map(lambda t: f"maximum({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"where({t[0]} < 0.5, {t[1]}, {t[2]})"),
    )


texts = st.recursive(st.one_of(numbers, st.sampled_from(["x", "a"])), compound, max_leaves=8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(texts, st.floats(-2, 2), st.floats(-2, 2))
def test_a_parsed_expression_has_the_value_that_python_gives(text: str, x: float, a: float) -> None:
    try:
        expected = eval(text, {"__builtins__": {}, **PYTHON, "x": x, "a": a})  # noqa: S307 - written by this test
    except OverflowError:
        return
    if not abs(expected) < 1e12:
        return
    expression = parse(text, NAMES).xreplace({X: sympy.Rational(x), A: sympy.Rational(a)})
    value = sympy.N(expression, 30)
    # Python rounds at every step, SymPy only at the end: products of numbers below 1e12 leave at least these digits.
    assert float(value) == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_numbers_are_kept_exact() -> None:
    # 0.1 is one tenth, and not the float nearest to it.
    assert parse("0.1*3 - 0.3", {}) == 0
    assert parse("2**0.5", {}) == sympy.sqrt(2)
    assert parse("1e-3", {}) == sympy.Rational(1, 1000)


def test_constants_give_way_to_given_names() -> None:
    assert parse("e", {}) == sympy.E
    e = symbol("e")
    assert parse("e + pi", {"e": e}) == e + sympy.pi


def test_a_comparison_chain_and_words_make_a_condition() -> None:
    expression = parse("piecewise(0 < x and x <= 1, 10, not x < 2 or x < -5, 20, 30)", NAMES)
    # By hand: 0.5 is in (0, 1], 3 is at least 2, -6 is below -5, the rest is 30.
    assert [expression.subs(X, at) for at in (0.5, 3, -6, 1.5, 0)] == [10, 20, 20, 30, 30]


ATTACKS = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "x.free_symbols",
    "exp.__globals__",
    "lambda: 1",
    "(lambda: 1)()",
    "[x for x in (1, 2)]",
    "{x}",
    "{'a': x}",
    "x[0]",
    "f'{x}'",
    "'text'",
    "b'bytes'",
    "x if a else 1",
    "(x := 1)",
    "exp(*[x])",
    "exp(x=1)",
    "print(x)",
    "eval('1')",
    "getattr(x, 'name')",
    "await x",
    "x; x",
    "import os",
    "x = 1",
    "...",
    "None",
    "True",
    "1j",
    "x @ a",
    "x // a",
    "x % a",
    "x & a",
    "~x",
    "x and a",
    "x < a",
    "where(x == 1, 1, 2)",
    "where(x, 1, 2)",
    "where(x < 1, 2)",
    "minimum(x)",
    "sin",
    "x(a)",
    "2 x",
    "",
    "   ",
    "\x00",
    "x\n+ import",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_what_is_no_formula_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse(text, NAMES)
    message = str(caught.value)
    assert 10 < len(message) < 300
    assert "\n" not in message
    assert message.endswith((".", "?"))


BOMBS = [
    "9**9**9",
    "9.5**9.5**9.5**9.5",
    "(10**1000)**1000",
    "((2*x)**1000)**1000",
    "exp(exp(exp(1000)))",
    "2**1000000",
    "1e999",
    "9" * 5000,
    "(" * 150 + "x" + ")" * 150 + "**" + "(" * 300,
    "-" * 5000 + "x",
    "not " * 3000 + "x",
    "sin(" * 90 + "x" + ")" * 90,
    "x" * 100_000,
    "+".join(["x"] * 60_000),
    "(1e-300)**1000",
    "1/0",
    "x/0",
    "0**-1",
    "sqrt(-1)",
    "log(0)",
    "asin(2)",
    "(-8)**(1/3)",
    "1e300*1e300",
]


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: text[:20])
def test_what_would_hang_or_has_no_finite_value_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(MisuseError) as caught:
        parse(text, NAMES)
    assert time.process_time() - start < 1.0
    assert len(str(caught.value)) < 500


def test_long_sums_are_no_deep_nesting() -> None:
    assert parse("+".join(f"{k}*x" for k in range(1500)), NAMES) == 1500 * 1499 // 2 * X


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sigma'"):
        parse("1/sgima", {"sigma": symbol("sigma")})
    with pytest.raises(UnknownNameError, match="Did you mean 'tanh'"):
        parse("tanhh(x)", NAMES)
    with pytest.raises(MisuseError, match=r"write \*\*"):
        parse("x^2", NAMES)


def test_text_must_be_text() -> None:
    with pytest.raises(MisuseError, match="given as text"):
        parse(3, NAMES)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "1x", "a b", "x-y", None])
def test_names_of_symbols_are_identifiers(name: str) -> None:
    with pytest.raises(MisuseError, match="letters, digits"):
        symbol(name)


@pytest.mark.parametrize(
    ("function", "reference"),
    [(Sigmoid, scipy.special.expit), (LogSigmoid, scipy.special.log_expit), (Softplus, lambda x: np.logaddexp(0.0, x))],
)
@pytest.mark.parametrize("at", [-40.0, -3.0, -0.1, 0.0, 0.7, 5.0, 40.0])
def test_functions_of_losses_against_scipy(function: type, reference: object, at: float) -> None:
    assert float(function(sympy.Float(at, 30))) == pytest.approx(float(reference(at)), rel=1e-14)  # type: ignore[operator]
    h = 1e-5
    slope = float(sympy.diff(function(X), X).subs(X, sympy.Float(at, 30)))
    difference = (reference(at + h) - reference(at - h)) / (2 * h)  # type: ignore[operator]
    assert slope == pytest.approx(float(difference), rel=1e-5, abs=1e-10)


@pytest.mark.parametrize(
    "text",
    ["abs(x**2 - 1)", "minimum(x, x**2, 1)", "maximum(sin(x), x/2, -1)", "sign(x)*x**3", "abs(logsigmoid(x) + 1)"],
)
@pytest.mark.parametrize("at", [-1.3, -0.4, 0.6, 1.7])
def test_derivatives_of_kinked_functions_are_those_of_the_piece(text: str, at: float) -> None:
    expression = parse(text, NAMES)
    slope = derivative(expression, X)
    assert not is_smooth(expression)
    assert not slope.has(sympy.Heaviside, sympy.DiracDelta, sympy.Derivative)
    h = sympy.Rational(1, 10**6)
    point = sympy.Rational(str(at))
    difference = (expression.subs(X, point + h) - expression.subs(X, point - h)) / (2 * h)
    # Central differences of exact arithmetic: the error is h**2.
    assert float(slope.subs(X, point)) == pytest.approx(float(sympy.N(difference, 30)), abs=1e-9)


def test_quadrature_rules_have_the_moments_of_their_distributions() -> None:
    normal = gauss_hermite("eps", 12)
    # Moments of the standard normal distribution: 1, 0, 1, 0, 3, 0, 15.
    assert [float(normal.weights @ normal.nodes[:, 0] ** k) for k in range(7)] == pytest.approx(
        [1, 0, 1, 0, 3, 0, 15], abs=1e-12
    )
    uniform = gauss_legendre("z", 6, 1.0, 3.0)
    # Of the uniform distribution on [1, 3]: (3**(k+1) - 1) / (2 (k+1)).
    assert [float(uniform.weights @ uniform.nodes[:, 0] ** k) for k in range(4)] == pytest.approx(
        [1, 2, 13 / 3, 10], abs=1e-12
    )


def test_an_expectation_binds_its_columns() -> None:
    table = sample_table("z", [1.0, 2.0, 6.0])
    (z,) = table.columns
    mean = Mean(X * z + z**2, table)
    assert mean.free_symbols == {X}
    # By hand: E z = 3, E z**2 = 41/3.
    assert float(explicit(mean).subs(X, 2)) == pytest.approx(6 + 41 / 3, rel=1e-15)
    assert float(derivative(mean, X)) == pytest.approx(3.0, rel=1e-15)
    assert mean.xreplace({z: A}) == mean
    assert mean.subs(z, 5) == mean
    assert mean.xreplace({X: A}).free_symbols == {A}
    assert sympy.diff(mean, z) == 0
    assert (2 * mean).atoms(Mean) == {mean}
    with pytest.raises(MisuseError, match="rename the column"):
        mean.xreplace({X: z + 1})


def test_an_expectation_of_a_constant_is_the_constant() -> None:
    assert Mean(X**2, gauss_hermite("eps", 8)) == X**2
    half = NodeTable("half", (symbol("z"),), np.array([[1.0]]), np.array([0.5]))
    assert Mean(X, half) == 0.5 * X


def test_equal_tables_make_equal_expectations_and_survive_pickling() -> None:
    first, second = gauss_hermite("eps", 8), gauss_hermite("eps", 8)
    other = gauss_hermite("eps", 9)
    body = sympy.exp(X * first.columns[0])
    assert first is not second
    assert Mean(body, first) == Mean(body, second)
    assert hash(Mean(body, first)) == hash(Mean(body, second))
    assert Mean(body, first) != Mean(body, other)
    again = pickle.loads(pickle.dumps(Mean(body, first)))  # noqa: S301 - written by this test
    assert again == Mean(body, first)
    with pytest.raises(ValueError, match="read-only"):
        first.nodes[0] = 1.0


def test_the_expectation_of_an_exponential_under_normal_noise() -> None:
    # E exp(s eps) = exp(s**2 / 2).
    table = gauss_hermite("eps", 30)
    value = Mean(sympy.exp(X * table.columns[0]), table).xreplace({X: sympy.Float(0.8)})
    assert float(value) == pytest.approx(math.exp(0.32), rel=1e-13)


def test_a_product_of_tables_is_independent() -> None:
    table = product_table(gauss_hermite("u", 5), gauss_legendre("v", 4, 0.0, 1.0))
    u, v = table.columns
    # E (u + v)**2 = 1 + 1/3.
    assert float(Mean((u + v) ** 2, table)) == pytest.approx(4 / 3, rel=1e-13)
    normal, uniform = gauss_hermite("u", 5), gauss_legendre("v", 4)
    with pytest.raises(MisuseError, match="product_table"):
        Mean(Mean(X * u * v, normal), uniform)
    # An inner expectation that does not see the outer variable is a number: E u**2 E v**2 = 1/3.
    assert float(Mean(Mean(u**2, normal) * v**2, uniform)) == pytest.approx(1 / 3, rel=1e-13)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: gauss_hermite("eps", 0), "whole number"),
        (lambda: gauss_hermite("eps", 1000), "whole number"),
        (lambda: gauss_legendre("z", 4, 1.0, 1.0), "smaller one first"),
        (lambda: sample_table("z", []), "at least one row"),
        (lambda: sample_table("z", [1.0, math.nan]), "not finite"),
        (lambda: sample_table(("x", "y"), [[1.0], [2.0]]), "needs nodes"),
        (lambda: sample_table(("x", "x"), [[1.0, 2.0]]), "twice"),
    ],
)
def test_bad_tables_are_refused(make: object, part: str) -> None:
    with pytest.raises(MisuseError, match=part):
        make()  # type: ignore[operator]

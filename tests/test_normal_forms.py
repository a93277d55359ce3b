"""Normal-form coefficients: planted ones demanded back, independent computations, predictions simulated."""

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import gan_bifurcation as gb

equations = gb.System.from_equations


# -- planted normal forms ---------------------------------------------------------------------------------------------


class Disguise:
    """x = S(T y) + mu k: a random linear map, a triangular quadratic shear (explicit inverse), a drift with mu."""

    def __init__(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.n = n
        # Moderate condition: an orthogonal matrix times sizes between 1/2 and 2.
        self.T = np.linalg.qr(rng.normal(size=(n, n)))[0] * rng.uniform(0.5, 2.0, n)
        self.inverse = np.linalg.inv(self.T)
        self.c = np.zeros((n, n, n))
        for i in range(n):
            self.c[i, :i, :i] = rng.uniform(-0.5, 0.5, (i, i))
        self.k = rng.uniform(-0.5, 0.5, n)
        self.rng = rng

    def back(self, x: Any, mu: Any) -> tuple[list[Any], list[Any]]:
        """(y, w) of x, with w = T y."""
        w: list[Any] = []
        for i in range(self.n):
            shear = sum(float(self.c[i, j, k]) * w[j] * w[k] for j in range(i) for k in range(i))
            w.append(x[i] - mu * float(self.k[i]) - shear)
        return [sum(float(self.inverse[i, j]) * w[j] for j in range(self.n)) for i in range(self.n)], w

    def there(self, y: Sequence[Any], mu: Any) -> list[Any]:
        w = [sum(float(self.T[i, j]) * y[j] for j in range(self.n)) for i in range(self.n)]
        x = []
        for i in range(self.n):
            shear = sum(float(self.c[i, j, k]) * w[j] * w[k] for j in range(i) for k in range(i))
            x.append(w[i] + shear + mu * float(self.k[i]))
        return x

    def push(self, w: list[Any], v: Sequence[Any]) -> list[Any]:
        """Derivative of the change of coordinates applied to a velocity of y."""
        u = [sum(float(self.T[i, j]) * v[j] for j in range(self.n)) for i in range(self.n)]
        out = []
        for i in range(self.n):
            c = self.c[i] + self.c[i].T
            out.append(u[i] + sum(float(c[j, k]) * w[j] * u[k] for j in range(i) for k in range(i)))
        return out

    def system(self, kind: str, field: Callable[[list[Any], Any], list[Any]], mu: float) -> gb.System:
        def function(x: Any, p: Any) -> list[Any]:
            y, w = self.back(x, p.mu)
            return self.push(w, field(y, p.mu)) if kind == "flow" else self.there(field(y, p.mu), p.mu)

        names = [f"x{i}" for i in range(self.n)]
        return gb.System.from_function(function, kind=kind, states=names, parameters={"mu": mu}, name="planted")  # type: ignore[arg-type]

    def branch(
        self, kind: str, field: Callable[[list[Any], Any], list[Any]], y: Sequence[float], mu: float
    ) -> gb.Branch:
        system = self.system(kind, field, mu)
        return gb.trace(gb.point(system, self.there(y, mu)), {"mu": (-0.3, 0.4)})


CASES = [(2, 1), (3, 1), (3, 2), (4, 1), (6, 1)]


def rest(rng: np.random.Generator, count: int, kind: str) -> np.ndarray:
    """Eigenvalues of the directions that are not critical."""
    return -rng.uniform(0.5, 3.0, count) if kind == "flow" else rng.uniform(-0.7, 0.7, count)


@pytest.mark.parametrize(("n", "seed"), CASES)
def test_planted_hopf(n: int, seed: int) -> None:
    d = Disguise(n, seed)
    omega = d.rng.uniform(0.5, 2)
    c, e = d.rng.uniform(-2, 2, 2)
    alpha, beta = d.rng.uniform(-1, 1, 2)
    lam = rest(d.rng, n - 2, "flow")

    def field(y: list[Any], mu: Any) -> list[Any]:
        x, z, v = y[0], y[1], y[2:]
        r = x * x + z * z
        slaved = float(beta) * v[0] if v else 0.0
        growth, turn = mu + float(c) * r + slaved, float(omega) + float(e) * r
        return [
            growth * x - turn * z,
            turn * x + growth * z,
            *(float(a) * u + float(alpha) * r for a, u in zip(lam, v, strict=True)),
        ]

    branch = d.branch("flow", field, [0] * n, -0.23)
    assert [p.label for p in branch.special_points] == ["H"]
    form = branch["H1"].normal_form
    # On the centre manifold v = alpha r/(-lam), so the cubic growth is c + beta alpha/(-lam). The state is 2 Re(z q),
    # q = T (1, -i, 0, ...) and |z|^2 = r/4; then <q,q> is brought to one.
    cubic = c + (beta * alpha / -lam[0] if n > 2 else 0.0)
    size = np.linalg.norm(d.T[:, 0]) ** 2 + np.linalg.norm(d.T[:, 1]) ** 2
    assert form["omega"] == pytest.approx(omega, rel=1e-11)
    assert form["l1"] == pytest.approx(4 * cubic / omega / size, rel=1e-9)
    assert form["speed"]["mu"] == pytest.approx(1.0, abs=1e-9)
    assert branch["H1"].parameters["mu"] == pytest.approx(0, abs=1e-11)


@pytest.mark.parametrize(("n", "seed"), CASES)
@pytest.mark.parametrize("kind", ["flow", "map"])
def test_planted_fold(kind: str, n: int, seed: int) -> None:
    d = Disguise(n, seed)
    a, b = d.rng.uniform(0.5, 2), d.rng.uniform(-0.3, 0.3)
    lam = rest(d.rng, n - 1, kind)
    coupling = d.rng.uniform(-1, 1, n)

    def field(y: list[Any], mu: Any) -> list[Any]:
        u, v = y[0], y[1:]
        f = mu - float(a) * u * u + float(b) * u**3 + float(coupling[0]) * u * v[0]
        first = u + f if kind == "map" else f
        return [first, *(float(m) * w + float(k) * u * u for m, w, k in zip(lam, v, coupling[1:], strict=True))]

    u = 0.3
    hyper = [k * u * u / (-m if kind == "flow" else 1 - m) for m, k in zip(lam, coupling[1:], strict=True)]
    mu = a * u * u - b * u**3 - coupling[0] * u * hyper[0]
    branch = d.branch(kind, field, [u, *hyper], mu)
    # The other terms make further folds elsewhere.
    point = min((p for p in branch.special_points if p.label == "LP"), key=lambda p: abs(p.parameters["mu"]))
    assert abs(point.parameters["mu"]) < 1e-11
    # Half the second derivative along the unit null vector; its sign is that for the largest component positive.
    q = d.T[:, 0]
    expected = -a / np.linalg.norm(q) * np.sign(q[np.argmax(np.abs(q))])
    assert point.normal_form["a"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "seed"), CASES)
def test_planted_flip(n: int, seed: int) -> None:
    d = Disguise(n, seed)
    a, b = d.rng.uniform(-1, 1), d.rng.uniform(-2, 2)
    alpha, beta = d.rng.uniform(-1, 1, 2)
    lam = rest(d.rng, n - 1, "map")

    def field(y: list[Any], mu: Any) -> list[Any]:
        w, v = y[0], y[1:]
        f = -(1 + mu) * w + float(a) * w * w + float(b) * w**3 + float(beta) * w * v[0]
        return [f, *(float(m) * u + float(alpha) * w * w for m, u in zip(lam, v, strict=True))]

    branch = d.branch("map", field, [0] * n, -0.23)
    point = branch["PD1"]
    assert point.parameters["mu"] == pytest.approx(0, abs=1e-11)
    # The quadratic term adds its square (Kuznetsov, section 4.5); the slaved v = alpha w^2/(1 - lam) adds its part.
    cubic = b + a * a + beta * alpha / (1 - lam[0])
    assert point.normal_form["b"] == pytest.approx(cubic / np.linalg.norm(d.T[:, 0]) ** 2, rel=1e-9)
    assert point.normal_form["speed"]["mu"] == pytest.approx(1.0, abs=1e-9)  # of the modulus


@pytest.mark.parametrize(("n", "seed"), CASES)
def test_planted_neimark_sacker(n: int, seed: int) -> None:
    d = Disguise(n, seed)
    theta = d.rng.uniform(0.3, 1.4)
    c, e = d.rng.uniform(-2, 2, 2)
    alpha, beta = d.rng.uniform(-1, 1, 2)
    lam = rest(d.rng, n - 2, "map")
    cosine, sine = float(np.cos(theta)), float(np.sin(theta))

    def field(y: list[Any], mu: Any) -> list[Any]:
        x, z, v = y[0], y[1], y[2:]
        r = x * x + z * z
        grow = 1 + mu + float(c) * r + (float(beta) * v[0] if v else 0.0)
        turn = float(e) * r
        s, t = grow * x - turn * z, turn * x + grow * z
        slaved = (float(m) * u + float(alpha) * r for m, u in zip(lam, v, strict=True))
        return [cosine * s - sine * t, sine * s + cosine * t, *slaved]

    branch = d.branch("map", field, [0] * n, -0.13)
    point = branch["NS1"]
    assert point.parameters["mu"] == pytest.approx(0, abs=1e-11)
    # x + i z -> e^{i theta} (x + i z) (1 + mu + (c + i e) r); slaved v = alpha r/(1 - lam). r = 4 |z|^2 as for Hopf.
    size = np.linalg.norm(d.T[:, 0]) ** 2 + np.linalg.norm(d.T[:, 1]) ** 2
    cubic = c + (beta * alpha / (1 - lam[0]) if n > 2 else 0.0) + 1j * e
    assert point.normal_form["theta"] == pytest.approx(theta, abs=1e-11)
    assert point.normal_form["d"] == pytest.approx(4 * cubic / size, rel=1e-9)
    assert point.normal_form["speed"]["mu"] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("n", "seed"), CASES)
@pytest.mark.parametrize("kind", ["flow", "map"])
def test_planted_branch_points(kind: str, n: int, seed: int) -> None:
    d = Disguise(n, seed)
    a, c = d.rng.uniform(0.5, 2) * d.rng.choice([-1, 1]), d.rng.uniform(0.5, 2) * d.rng.choice([-1, 1])
    alpha, beta = d.rng.uniform(-1, 1, 2)
    lam = rest(d.rng, n - 1, kind)

    def field(square: float) -> Callable[[list[Any], Any], list[Any]]:
        def f(y: list[Any], mu: Any) -> list[Any]:
            u, v = y[0], y[1:]
            g = mu * u + square * u * u + float(c) * u**3 + float(beta) * u * v[0]
            return [
                u + g if kind == "map" else g,
                *(float(m) * w + float(alpha) * u * u for m, w in zip(lam, v, strict=True)),
            ]

        return f

    size = np.linalg.norm(d.T[:, 0])
    sign = np.sign(d.T[np.argmax(np.abs(d.T[:, 0])), 0])
    point = d.branch(kind, field(float(a)), [0] * n, -0.23)["BP1"]
    assert point.normal_form["kind"] == "transcritical"
    assert point.normal_form["a"] == pytest.approx(sign * a / size, rel=1e-9)
    point = d.branch(kind, field(0.0), [0] * n, -0.23)["BP1"]
    assert point.parameters["mu"] == pytest.approx(0, abs=1e-11)
    gap = -lam[0] if kind == "flow" else 1 - lam[0]
    assert point.normal_form["kind"] == "pitchfork"
    cubic = c + beta * alpha / gap
    assert point.normal_form["c"] == pytest.approx(cubic / size**2, rel=1e-9)
    assert point.criticality == ("supercritical" if cubic < 0 else "subcritical")


# -- independent computations -----------------------------------------------------------------------------------------


class HighPrecision:
    """Forms of a system by differences in 60 digits; reduction to the plane by hand, planar formulas of Kuznetsov."""

    def __init__(self, point: gb.Point) -> None:
        mpmath.mp.dps = 60
        self.n = point.system.n
        self.system = point.system
        p = [mpmath.mpf(v) for v in point.system.parameters.values()]
        self.f = lambda x: point.system.tape.evaluate([*x, *p], mpmath)
        self.x = [mpmath.mpf(float(v)) for v in point.x]
        self.A = mpmath.matrix(self.n, self.n)
        for j in range(self.n):
            unit = [mpmath.mpf(int(i == j)) for i in range(self.n)]
            for i, value in enumerate(self.form(unit)):
                self.A[i, j] = value

    def form(self, *vectors: Sequence[Any]) -> list[Any]:
        """D^k f of up to three vectors (complex ones too: the right-hand sides here are polynomials)."""
        h = mpmath.mpf(10) ** -12
        total = [mpmath.mpc(0)] * self.n
        for bits in range(2 ** len(vectors)):
            signs = [1 if bits >> i & 1 else -1 for i in range(len(vectors))]
            x = [c + sum(s * h * v[i] for s, v in zip(signs, vectors, strict=True)) for i, c in enumerate(self.x)]
            weight = mpmath.fprod(signs)
            total = [t + weight * value for t, value in zip(total, self.f(x), strict=True)]
        return [t / (2 * h) ** len(vectors) for t in total]

    def pairs(self, eigenvalue: complex) -> tuple[list[Any], list[Any], list[tuple[Any, list[Any], list[Any]]]]:
        """q, p (<q,q> = <p,q> = 1) of an eigenvalue, and (eigenvalue, r, s) of the others but its conjugate."""
        values, left, right = mpmath.eig(self.A, left=True, right=True)
        order = sorted(range(self.n), key=lambda i: abs(values[i] - eigenvalue))
        critical = order[0]
        conjugate = min(range(self.n), key=lambda i: abs(values[i] - mpmath.conj(values[critical])))
        q = [right[i, critical] for i in range(self.n)]
        norm = mpmath.sqrt(sum(abs(v) ** 2 for v in q))
        q = [v / norm for v in q]
        row = [left[critical, i] for i in range(self.n)]
        row = [v / sum(a * b for a, b in zip(row, q, strict=True)) for v in row]
        others = []
        for k in set(range(self.n)) - {critical, conjugate}:
            r, s = [right[i, k] for i in range(self.n)], [left[k, i] for i in range(self.n)]
            scale = sum(a * b for a, b in zip(s, r, strict=True))
            others.append((values[k], r, [v / scale for v in s]))
        return q, row, others

    def reduced(self, eigenvalue: complex) -> tuple[Any, Any, Any, Any]:
        """g20, g11, g02, g21 of z' = lambda z + sum g_jk z^j zbar^k/(j! k!) on the centre manifold."""
        dot = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))  # noqa: E731
        q, row, others = self.pairs(eigenvalue)
        c = [mpmath.conj(v) for v in q]
        qq, qc, cc = self.form(q, q), self.form(q, c), self.form(c, c)
        g21 = dot(row, self.form(q, q, c))
        mu = mpmath.mpc(eigenvalue)
        for value, r, s in others:
            if self.system.kind == "flow":
                h20, h11 = dot(s, qq) / (2 * mu - value), dot(s, qc) / -value
            else:
                h20, h11 = dot(s, qq) / (mu**2 - value), dot(s, qc) / (1 - value)
            g21 += 2 * h11 * dot(row, self.form(r, q)) + h20 * dot(row, self.form(r, c))
        return dot(row, qq), dot(row, qc), dot(row, cc), g21


def independent_l1(point: gb.Point) -> float:
    omega = mpmath.mpf(point.critical.imag)
    g20, g11, _, g21 = HighPrecision(point).reduced(1j * float(omega))
    return float(mpmath.re(1j * g20 * g11 + omega * g21) / (2 * omega**2))  # Kuznetsov (3.20)


def independent_d(point: gb.Point) -> complex:
    mu = mpmath.mpc(point.critical)
    g20, g11, g02, g21 = HighPrecision(point).reduced(complex(mu))
    m = mpmath.conj(mu)
    # Kuznetsov (4.20): the coefficient of z^2 zbar, then divided by the multiplier.
    c1 = g20 * g11 * (m - 3 + 2 * mu) / (2 * (mu**2 - mu) * (m - 1)) + abs(g11) ** 2 / (1 - m)
    c1 += abs(g02) ** 2 / (2 * (mu**2 - m)) + g21 / 2
    return complex(c1 / mu)


def test_lorenz_hopf_coefficient() -> None:
    field = {"x": "s*(y - x)", "y": "r*x - y - x*z", "z": "x*y - b*z"}
    system = equations("flow", field, {"s": 10.0, "r": 20.0, "b": 8 / 3})
    point = gb.trace(gb.point(system, [7, 7, 19]), {"r": (2, 30)})["H"]
    assert point.normal_form["l1"] == pytest.approx(independent_l1(point), rel=1e-10)
    assert point.criticality == "subcritical"  # Marsden and McCracken 1976


@pytest.mark.parametrize("A", [0.3, 1.0, 1.7])
def test_brusselator_hopf_coefficient(A: float) -> None:
    system = equations("flow", {"x": "A - (B + 1)*x + x**2*y", "y": "B*x - x**2*y"}, {"A": A, "B": 1.0})
    point = gb.trace(gb.point(system, [A, 1 / A]), {"B": (0.5, 5)})["H1"]
    # Kuznetsov (3rd ed.), exercise 3.6: -(2 + A^2)/(2 A (1 + A^2)), there for a q of length sqrt(3/2) at A = 1.
    closed = -(2 + A**2) / (A * (1 + A**2) * (1 + 2 * A**2))
    independent = independent_l1(point)
    assert point.normal_form["l1"] == pytest.approx(independent, rel=1e-11)
    if A == 1.0:
        assert independent == pytest.approx(closed, rel=1e-11)


@pytest.mark.parametrize("eps", [0.0, 0.1, 0.3])
def test_delayed_logistic_coefficient(eps: float) -> None:
    system = equations("map", {"x": "r*x*(1 - y) + eps", "y": "x"}, {"r": 1.5, "eps": eps})
    point = gb.trace(gb.point(system, [0.5, 0.5]), {"r": (1.2, 2.6)})["NS"]
    assert point.normal_form["d"] == pytest.approx(independent_d(point), rel=1e-10)
    assert point.criticality == "supercritical"  # Kuznetsov, example 4.2, at eps = 0


def test_coefficient_in_three_dimensions_of_a_map() -> None:
    field = {"x": "(1 + a)*(3*x - 4*y)/5 + x*z - x**2", "y": "(1 + a)*(4*x + 3*y)/5 + y**2/2", "z": "z/3 + x**2 + x*y"}
    point = gb.trace(gb.point(equations("map", field, {"a": -0.2}), [0, 0, 0]), {"a": (-0.3, 0.3)})["NS"]
    assert point.normal_form["d"] == pytest.approx(independent_d(point), rel=1e-9)


# -- iterates, symmetry, degeneracy -----------------------------------------------------------------------------------


def test_coefficients_of_iterates() -> None:
    logistic = equations("map", {"x": "r*x*(1 - x)"}, {"r": 2.0})
    fixed = gb.trace(gb.point(logistic, [0.5]), {"r": (1.5, 3.5)})
    two = gb.trace(gb.flip_to_period_two(fixed["PD1"]), {"r": (2.9, 3.5)})
    # The flip of the second iterate, against the Schwarzian derivative in closed form: for one state b = -S/6 with
    # S g = g'''/g' - (3/2) (g''/g')^2 at g' = -1 (Kuznetsov, section 4.5: b = (g''/2)^2 + g'''/6).
    r, x = mpmath.mpf(two["PD1"].parameters["r"]), mpmath.mpf(two["PD1"].state["x"])
    mpmath.mp.dps = 40
    derivatives = mpmath.taylor(lambda s: r * (r * s * (1 - s)) * (1 - r * s * (1 - s)), x, 3)
    assert two["PD1"].normal_form["b"] == pytest.approx(float(derivatives[2] ** 2 + derivatives[3]), rel=1e-9)
    # An odd iterate of a flip is a flip with three times the coefficient: mu -> mu^3, b of f^3 at f' = -1 is 3 b.
    thrice = gb.trace(gb.point(gb.iterate(logistic.with_parameters(r=2.7), 3), [0.6]), {"r": (2.5, 3.2)})
    assert thrice["PD"].normal_form["b"] == pytest.approx(3 * fixed["PD1"].normal_form["b"], rel=1e-9)


def test_third_iterate_of_a_rotation() -> None:
    field = {"x": "(1 + a)*(3*x - 4*y)/5 - x*(x**2 + y**2)", "y": "(1 + a)*(4*x + 3*y)/5 - y*(x**2 + y**2) + x**2"}
    system = equations("map", field, {"a": -0.2})
    once = gb.trace(gb.point(system, [0, 0]), {"a": (-0.3, 0.1)})["NS"]
    thrice = gb.trace(gb.point(gb.iterate(system, 3), [0, 0]), {"a": (-0.3, 0.1)})["NS"]
    # z -> mu z (1 + d |z|^2) three times: the real part is three times as large.
    assert thrice.normal_form["d"].real == pytest.approx(3 * once.normal_form["d"].real, rel=1e-9)


def test_zero_by_symmetry_is_said() -> None:
    cusp = equations("flow", {"x": "a - x**3", "y": "-y"}, {"a": 0.5})
    point = gb.Point(cusp.with_parameters(a=0.0), np.zeros(2), np.array([0, -1], complex), label="LP", free=("a",))
    form = gb.normal_form(point)
    assert form["a"] == 0.0
    assert "degenerate" in form["criticality"]
    area = equations("map", {"x": "y", "y": "-x + 2*c*y + y**2"}, {"c": 0.3})  # area preserving: Re d = 0
    spectrum = np.array([0.3 + 0.91**0.5 * 1j, 0.3 - 0.91**0.5 * 1j])
    point = gb.Point(area, np.zeros(2), spectrum, label="NS", critical=complex(spectrum[0]))
    assert gb.normal_form(point)["d"].real == 0.0
    assert "degenerate" in gb.normal_form(point)["criticality"]
    centre = equations("flow", {"x": "y", "y": "-x + x**2"})
    point = gb.Point(centre, np.zeros(2), np.array([1j, -1j]), label="H", critical=1j)
    assert gb.normal_form(point)["l1"] == 0.0


def test_the_fifth_order_decides_where_the_cubic_one_vanishes() -> None:
    """x -> -(1 + a) x + c x^5 has two-cycles a = c x^4, so beyond the flip, where they attract, for c > 0."""
    for c, words in ((1.0, "supercritical"), (-2.0, "subcritical")):
        flip = equations("map", {"x": f"-(1 + a)*x + ({c})*x**5"}, {"a": -0.1})
        form = gb.trace(gb.point(flip, {"x": 0.0}), {"a": (-0.5, 0.5)})["PD1"].normal_form
        assert (form["b"], form["fifth"]) == (0.0, pytest.approx(c, rel=1e-12))
        assert form["criticality"].endswith(f"{words} at fifth order")
    turn = equations("map", {"x": "(1 + a)*(x*cos(1) - y*sin(1))", "y": "(1 + a)*(x*sin(1) + y*cos(1))"}, {"a": -0.1})
    linear = gb.trace(gb.point(turn, {"x": 0.0, "y": 0.0}), {"a": (-0.5, 0.5)})["NS1"]
    assert linear.criticality == "degenerate: the coefficients of third and fifth order vanish within rounding"


@pytest.mark.parametrize(("theta", "order"), [(2 * np.pi / 3, 3), (np.pi / 2, 4)])
def test_strong_resonances_have_no_coefficient(theta: float, order: int) -> None:
    field = {"x": "c*x - s*y + x**2", "y": "s*x + c*y"}
    system = equations("map", field, {"c": float(np.cos(theta)), "s": float(np.sin(theta))})
    critical = complex(np.exp(1j * theta))
    point = gb.Point(system, np.zeros(2), np.array([critical, np.conj(critical)]), label="NS", critical=critical)
    assert f"1:{order}" in gb.normal_form(point)["criticality"]


# -- predictions, simulated -------------------------------------------------------------------------------------------


def test_amplitude_of_the_brusselator() -> None:
    system = equations("flow", {"x": "A - (B + 1)*x + x**2*y", "y": "B*x - x**2*y"}, {"A": 1.0, "B": 1.5})
    point = gb.trace(gb.point(system, [1, 1]), {"B": (0.5, 5)})["H1"]
    step = 0.01
    run = system.with_parameters(B=2 + step)
    orbit = solve_ivp(
        lambda _, x: run.rhs(x), (0, 1200), [1.1, 2.0], method="DOP853", rtol=1e-9, atol=1e-12, dense_output=True
    )
    late = orbit.sol(np.linspace(1180, 1200, 4000))
    for i, name in enumerate(system.states):
        half = np.ptp(late[i]) / 2
        # The error of the leading order is of relative size step.
        assert half == pytest.approx(point.normal_form["amplitude"]["B"][name] * step**0.5, rel=0.02)


def test_amplitude_of_a_flip_and_of_a_circle() -> None:
    henon = equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.1, "b": 0.3})
    flip = gb.trace(gb.point(henon, [0.1, 0.1]), {"a": (-1, 2)})["PD1"]
    delayed = equations("map", {"x": "r*x*(1 - y) + eps", "y": "x"}, {"r": 1.5, "eps": 0.1})
    circle = gb.trace(gb.point(delayed, [0.5, 0.5]), {"r": (1.2, 2.6)})["NS"]
    for point, name, step, tolerance in ((flip, "a", 1e-3, 0.01), (circle, "r", 1e-3, 0.02)):
        system = point.system.with_parameters(**{name: point.parameters[name] + step})
        x = point.x + 0.01
        orbit = []
        for k in range(24000):
            x = system.rhs(x)
            if k >= 20000:
                orbit.append(x)
        half = np.ptp(np.array(orbit), axis=0) / 2
        predicted = [point.normal_form["amplitude"][name][s] * step**0.5 for s in system.states]
        assert half == pytest.approx(predicted, rel=tolerance)

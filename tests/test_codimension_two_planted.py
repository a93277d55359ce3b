"""Planted normal forms of codimension-two points: demanded back, found on curves, and the curves they start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.continuation.codimension_two import codimension_two_form, distinct, same_point

equations = gb.System.from_equations
SEEDS = [1, 2]


@dataclass(frozen=True)
class Complex:
    """A complex number whose parts may be symbols."""

    re: Any
    im: Any

    def __add__(self, other: Any) -> "Complex":
        o = as_complex(other)
        return Complex(self.re + o.re, self.im + o.im)

    def __mul__(self, other: Any) -> "Complex":
        o = as_complex(other)
        return Complex(self.re * o.re - self.im * o.im, self.re * o.im + self.im * o.re)

    __radd__, __rmul__ = __add__, __mul__

    @property
    def bar(self) -> "Complex":
        return Complex(self.re, -1 * self.im)

    @property
    def square(self) -> Any:
        return self.re * self.re + self.im * self.im


def as_complex(v: Any) -> Complex:
    if isinstance(v, Complex):
        return v
    if isinstance(v, complex | np.complexfloating):
        return Complex(float(v.real), float(v.imag))
    return Complex(v, 0)


class Disguise:
    """x = S(T y): T random of moderate condition, S a triangular quadratic shear with an explicit inverse."""

    def __init__(self, n: int, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.n = n
        self.T = np.linalg.qr(rng.normal(size=(n, n)))[0] * rng.uniform(0.6, 1.6, n)
        self.inverse = np.linalg.inv(self.T)
        self.c = np.zeros((n, n, n))
        for i in range(n):
            self.c[i, :i, :i] = rng.uniform(-0.5, 0.5, (i, i))

    def _shear(self, i: int, a: Sequence[Any], b: Sequence[Any]) -> Any:
        return sum(float(self.c[i, j, k]) * a[j] * b[k] for j in range(i) for k in range(i))

    def _linear(self, matrix: Any, v: Sequence[Any]) -> list[Any]:
        return [sum(float(matrix[i, j]) * v[j] for j in range(self.n)) for i in range(self.n)]

    def point(self, kind: str, label: str, field: Callable[[list[Any]], list[Any]]) -> gb.Point:
        """The origin of the disguised system, labelled."""

        def function(x: Any, p: Any) -> list[Any]:
            w: list[Any] = []
            for i in range(self.n):
                w.append(x[i] - self._shear(i, w, w))
            image = field(self._linear(self.inverse, w))
            u = self._linear(self.T, image)
            if kind == "flow":
                return [u[i] + self._shear(i, w, u) + self._shear(i, u, w) for i in range(self.n)]
            return [u[i] + self._shear(i, u, u) for i in range(self.n)]

        names = [f"x{i}" for i in range(self.n)]
        system = gb.System.from_function(function, kind=kind, states=names, parameters={"mu": 0.0}, name="planted")  # type: ignore[arg-type]
        return replace(gb.point(system, np.zeros(self.n)), label=label)

    def length(self, i: int) -> float:
        """By how much a real critical coordinate grows when its vector is brought to unit length (signed)."""
        q = self.T[:, i]
        return float(np.linalg.norm(q) * np.sign(q[np.argmax(np.abs(q))]))

    def pair_length(self, i: int) -> float:
        """The same for z = y_i + i y_(i+1), whose states are 2 Re(z q) with q = T (1, -i) / 2."""
        return float(np.hypot(np.linalg.norm(self.T[:, i]), np.linalg.norm(self.T[:, i + 1])) / 2.0)

    def rest(self, y: Sequence[Any], first: int, kind: str) -> list[Any]:
        """Directions that are not critical, coupled to the critical ones; y = 0 there is invariant."""
        lam = -self.rng.uniform(0.5, 2.0, self.n) if kind == "flow" else self.rng.uniform(-0.7, 0.7, self.n)
        k = self.rng.uniform(-1, 1, self.n)
        return [float(lam[i]) * y[i] + float(k[i]) * y[i] * y[0] for i in range(first, self.n)]


def split(*parts: Any) -> list[Any]:
    return [c for p in parts for c in ((p.re, p.im) if isinstance(p, Complex) else (p,))]


def plant(kind: str, label: str, n: int, seed: int, critical: int, form: Callable[..., list[Any]]) -> Any:
    d = Disguise(n, seed)

    def field(y: list[Any]) -> list[Any]:
        leak = y[critical] if n > critical else 0.0  # does nothing on the centre manifold
        image = [v + 0.3 * leak * y[0] for v in form(y)]
        image += d.rest(y, critical, kind)
        if kind == "flow":
            # Another clock: what is invariant must not see it.
            return [v * (1 + 0.4 * y[0]) for v in image]
        return image

    point = d.point(kind, label, field)
    return d, codimension_two_form(point)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["flow", "map"])
def test_planted_cusp(kind: str, seed: int) -> None:
    c = float(np.random.default_rng(seed).uniform(-2, 2))
    d, form = plant(kind, "CP", 4, seed, 1, lambda y: [(y[0] if kind == "map" else 0) + c * y[0] ** 3])
    assert form["c"] == pytest.approx(c / d.length(0) ** 2, rel=1e-8)  # planted; unit vectors change the scale


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("label", ["BT", "R1"])
def test_planted_double_one(label: str, seed: int) -> None:
    a, b = (float(v) for v in np.random.default_rng(seed).uniform(-2, 2, 2))

    def form(y: list[Any]) -> list[Any]:
        f = a * y[0] ** 2 + b * y[0] * y[1]
        return [y[1], f] if label == "BT" else [y[0] + y[1], y[1] + f]

    d, found = plant("flow" if label == "BT" else "map", label, 5, seed, 2, form)
    size = d.length(0)
    # Planted. A change of clock by 1 + 0.4 y0 takes w0' to w1 (1 + 0.4 w0); with it as the new velocity b is the same.
    assert found["a"] == pytest.approx(a / size, rel=1e-8)
    assert found["b"] == pytest.approx((b + (0.4 * 0 if label == "R1" else 0.0)) / size, rel=1e-8)
    assert found["s"] == np.sign(a * (b if label == "BT" else b - 2 * a))


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_second_resonance(seed: int) -> None:
    c, e = (float(v) for v in np.random.default_rng(seed).uniform(-2, 2, 2))
    d, found = plant("map", "R2", 5, seed, 2, lambda y: [-y[0] + y[1], -y[1] + c * y[0] ** 3 + e * y[0] ** 2 * y[1]])
    assert found["c"] == pytest.approx(c / d.length(0) ** 2, rel=1e-8)  # planted
    assert found["d"] == pytest.approx(e / d.length(0) ** 2, rel=1e-8)
    assert found["s"] == np.sign(c)


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_generalised_flip(seed: int) -> None:
    c = float(np.random.default_rng(seed).uniform(-2, 2))
    d, form = plant("map", "GPD", 4, seed, 1, lambda y: [-y[0] + c * y[0] ** 5])
    assert form["c"] == pytest.approx(c / d.length(0) ** 4, rel=1e-8)  # planted


def test_a_quintic_coefficient_that_cancels_within_the_map_has_no_sign() -> None:
    # Planted -w + w^7: the disguise alone has terms of degree five, which cancel; 2e-17 is left of them.
    _, form = plant("map", "GPD", 8, 1, 1, lambda y: [-y[0] + y[0] ** 7])
    assert form["c"] == 0.0
    assert form["criticality"] == "degenerate"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("label", ["GH", "CH"])
def test_planted_second_lyapunov(label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    omega, turn, c, e = (float(v) for v in rng.uniform(0.6, 2.0, 4) * np.array([1, 1, rng.choice([-1, 1]), 1]))
    mu = np.exp(1j * omega)

    def form(y: list[Any]) -> list[Any]:
        z = Complex(y[0], y[1])
        r = z.square
        growth = z * (complex(0, turn) * as_complex(r) + complex(c, e) * as_complex(r * r))
        return split(z * complex(0, omega) + growth if label == "GH" else (z + growth) * mu)

    d, found = plant("flow" if label == "GH" else "map", label, 5, seed, 2, form)
    size = d.pair_length(0)
    if label == "GH":
        assert found["l2"] == pytest.approx(c / omega / size**4, rel=1e-8)  # planted Re c2 / omega
    else:
        # |1 + i t r + (c + i e) r^2| = 1 + (c + t^2 / 2) r^2 + ...
        assert found["c"] == pytest.approx((c + turn**2 / 2) / size**4, rel=1e-8)


def fold_field(v: Any, z: Complex, k: Any) -> tuple[Any, Complex]:
    """The hypernormal form of a fold-Hopf point: one cubic term, v^2 z, is left."""
    r = z.square
    return k["b"] * v * v + k["c"] * r, z * (k["d"] * as_complex(v) + k["h"] * as_complex(v * v))


def lie_step(v: Any, z: Complex, k: Any) -> tuple[Any, Complex]:
    """Its time-one map up to the third degree: x + X + DX X / 2 (X without its cubic term in the second)."""
    r, b, c, d = z.square, k["b"], k["c"], complex(k["d"])
    fv, fz = fold_field(v, z, k)
    v1 = b * v * v + c * r  # X's quadratic part; r' = 2 Re(d) v r
    second_v = 2 * b * v * v1 + c * 2 * d.real * v * r
    second_z = z * (d * as_complex(v1) + (d * d) * as_complex(v * v))
    return v + fv + 0.5 * second_v, z + fz + 0.5 * second_z


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("label", ["ZH", "LPNS", "LPPD"])
def test_planted_fold_with_pair_or_flip(label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    k: dict[str, Any] = {"b": float(rng.uniform(0.5, 1.5)), "c": float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))}
    k |= {"d": complex(*rng.uniform(-1.5, 1.5, 2)), "h": complex(*rng.uniform(-1, 1, 2))}
    omega = float(rng.uniform(0.5, 1.5))
    mu = np.exp(1j * omega)
    if label == "LPPD":
        k["d"], k["h"] = complex(k["d"].real), complex(k["h"].real)

    def form(y: list[Any]) -> list[Any]:
        z = Complex(y[1], y[2] if label != "LPPD" else 0.0)
        if label == "ZH":
            f, g = fold_field(y[0], z, k)
            return split(f, z * complex(0, omega) + g)
        f, g = lie_step(y[0], z, k)
        return split(f, g * mu) if label == "LPNS" else [f, -g.re]

    d, found = plant("flow" if label == "ZH" else "map", label, 5, seed, 2 if label == "LPPD" else 3, form)
    # Planted in hypernormal form: theta = Re d / b; E is the coefficient left over, in units of v.
    assert found["s"] == np.sign(k["b"] * k["c"])
    assert found["theta"] == pytest.approx(k["d"].real / k["b"], rel=1e-8)
    assert found["E"] == pytest.approx(k["h"].real / d.length(0) ** 2, rel=1e-8)
    if label == "LPPD":  # v -> v + a v^2/2 + b w^2/2, w -> -w + e v w
        assert found["a/e"] == pytest.approx(2 * k["b"] / -k["d"].real, rel=1e-8)
        assert np.sign(found["be"]) == np.sign(-k["c"] * k["d"].real)


def pair_step(x: Complex, y: Complex, p: Any, q: Any, time: float) -> tuple[Complex, Complex]:
    """x' = x (p0 |x|^2 + p1 |y|^2 + p2 |y|^4) and y alike: the field (time 0) or its time-one map to degree five."""
    r, s = x.square, y.square
    one, two = p[0] * as_complex(r) + p[1] * as_complex(s), q[0] * as_complex(r) + q[1] * as_complex(s)
    r1, s1 = 2 * one.re * r, 2 * two.re * s
    gain_one = one * one + p[0] * as_complex(r1) + p[1] * as_complex(s1)
    gain_two = two * two + q[0] * as_complex(r1) + q[1] * as_complex(s1)
    u = x * (one + p[2] * as_complex(s * s) + 0.5 * time * gain_one)
    v = y * (two + q[2] * as_complex(r * r) + 0.5 * time * gain_two)
    return u, v


def torus_sign(p: Any, q: Any) -> float:
    """The first Lyapunov coefficient of the amplitudes' equilibrium (an independent code: the Hopf coefficient)."""
    P, Q, R, S = (2 * v.real for v in (p[0], p[1], q[0], q[1]))
    A, B = 2 * p[2].real, 2 * q[2].real
    x, y = 0.01 * np.abs([S, P]) / np.hypot(P, S)
    system = equations(
        "flow",
        {"x": "x*(m + P*x + Q*y + A*y**2)", "y": "y*(l + R*x + S*y + B*x**2)"},
        parameters={
            "P": P, "Q": Q, "R": R, "S": S, "A": A, "B": B, "m": -(P * x + Q * y + A * y * y),
            "l": -(R * x + S * y + B * x * x),
        },
    )  # fmt: skip
    point = gb.point(system, {"x": x, "y": y})
    critical = 1j * abs(point.eigenvalues[0].imag)
    return float(gb.normal_form(replace(point, label="H", critical=critical))["l1"])


@pytest.mark.parametrize("seed", [4])
@pytest.mark.parametrize("label", ["HH", "NSNS", "PDNS"])
def test_planted_two_pairs(label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # The difficult case with a torus: p11 p22 < 0 and theta delta > 1.
    p = [complex(1.0, 0.3), complex(-1.7, 0.2), complex(rng.uniform(-2, 2), 0.4)]
    q = [complex(1.4, -0.5), complex(-0.8, 0.6), complex(rng.uniform(-2, 2), -0.1)]
    if label == "PDNS":
        p = [complex(v.real) for v in p]
    one, two = 0.7, 1.9
    critical = 3 if label == "PDNS" else 4

    def form(y: list[Any]) -> list[Any]:
        x = Complex(y[0], 0.0 if label == "PDNS" else y[1])
        z = Complex(y[critical - 2], y[critical - 1])
        u, v = pair_step(x, z, p, q, 0.0 if label == "HH" else 1.0)
        if label == "HH":
            return split(x * complex(0, one) + u, z * complex(0, two) + v)
        if label == "NSNS":
            return split((x + u) * np.exp(1j * one), (z + v) * np.exp(1j * two))
        return [-(x + u).re, *split((z + v) * np.exp(1j * two))]

    d, found = plant("flow" if label == "HH" else "map", label, 5, seed, critical, form)
    a, b = (d.length(0) if label == "PDNS" else d.pair_length(0)), d.pair_length(critical - 2)
    p11, p12, p21, p22 = p[0].real / a**2, p[1].real / b**2, q[0].real / a**2, q[1].real / b**2
    names = ["p11", "p12", "p21", "p22"]
    # Planted, in units of the unit vectors; which of the two pairs comes first is not said.
    expected = [p11, p12, p21, p22]
    if label != "PDNS" and abs(found["p11"] - p11) > 1e-6:
        expected = [p22, p21, p12, p11]
    assert [found[name] for name in names] == pytest.approx(expected, rel=1e-8)
    # theta delta is p12 p21 / (p11 p22), here 1.7 * 1.4 / 0.8.
    assert found["theta"] * found["delta"] == pytest.approx(1.7 * 1.4 / 0.8, rel=1e-8)
    assert np.sign(found["torus"]) == np.sign(torus_sign(p, q))


@pytest.mark.parametrize("label", ["ZH", "LPNS", "LPPD", "HH", "NSNS", "PDNS"])
def test_planted_zeros_have_no_sign(label: str) -> None:
    # E, and what decides about the torus of one frequency more, are planted as zero: the disguise leaves rounding.
    k = {"b": 1.0, "c": 0.7, "d": -1.3, "h": 0.0}
    p, q = [complex(1.0), complex(-1.7), 0.0j], [complex(1.4), complex(-0.8), 0.0j]
    one, two = (1j, 2.7j) if label == "HH" else (np.exp(0.7j), np.exp(1.9j))
    flip = label in ("LPPD", "PDNS")

    def form(y: list[Any]) -> list[Any]:
        if label in ("ZH", "LPNS", "LPPD"):
            z = Complex(y[1], 0.0 if flip else y[2])
            f, g = fold_field(y[0], z, k) if label == "ZH" else lie_step(y[0], z, k)
            return [f, -g.re] if flip else split(f, z * 1j + g if label == "ZH" else g * one)
        x, z = Complex(y[0], 0.0 if flip else y[1]), Complex(*(y[1:3] if flip else y[2:4]))
        u, v = pair_step(x, z, p, q, 0.0 if label == "HH" else 1.0)
        if label == "HH":
            return split(x * one + u, z * two + v)
        return [-(x + u).re, *split((z + v) * two)] if flip else split((x + u) * one, (z + v) * two)

    critical = {"ZH": 3, "LPNS": 3, "LPPD": 2, "PDNS": 3}.get(label, 4)
    _, found = plant("flow" if label in ("ZH", "HH") else "map", label, 5, 2, critical, form)
    assert found["E" if "E" in found else "torus"] == 0.0
    assert "whose stability is not told" in found["meaning"]
    # Its error is larger than what rounding left, and still small beside what is not zero.
    assert 0.0 < found["errors"]["E" if "E" in found else "torus"] < 1e-3
    assert found["errors"]["theta"] < 1e-6


RESONANCES = {
    "HH": (0.7, 2.1, "3 omega1 = omega2"),
    "NSNS": (0.7, 1.4, "2 theta1 = theta2 mod 2 pi"),
    "PDNS": (np.pi / 3, 0.0, "-2 theta + pi = theta mod 2 pi"),
    "LPNS": (2 * np.pi / 3, 0.0, "-2 theta = theta mod 2 pi"),
    "CH": (2 * np.pi / 5, 0.0, "-4 theta = theta mod 2 pi"),
}


@pytest.mark.parametrize("label", list(RESONANCES))
def test_coefficients_do_not_apply_where_critical_eigenvalues_are_in_resonance(label: str) -> None:
    one, two, said = RESONANCES[label]

    def form(y: list[Any]) -> list[Any]:
        first = {"PDNS": [-1.0 * y[0] + y[0] ** 3], "LPNS": [y[0] + y[0] ** 2]}.get(label, [])
        z = Complex(*y[len(first) : len(first) + 2])
        pairs = [(z, one)] if label not in ("HH", "NSNS") else [(z, one), (Complex(y[2], y[3]), two)]
        turned = [z * complex(0, a) if label == "HH" else z * np.exp(1j * a) for z, a in pairs]
        return first + split(*(t + z * as_complex(-1 * z.square) for t, (z, _) in zip(turned, pairs, strict=True)))

    critical = {"HH": 4, "NSNS": 4, "CH": 2}.get(label, 3)
    with pytest.raises(gb.MisuseError, match="are in resonance") as told:
        plant("flow" if label == "HH" else "map", label, 5, 1, critical, form)
    assert said in str(told.value)


@pytest.mark.parametrize("seed", [3])
def test_planted_third_and_fourth_resonance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    b, c = complex(*rng.uniform(-1, 1, 2)), complex(*rng.uniform(-1, 1, 2))
    mu = np.exp(2j * np.pi / 3)

    def third(y: list[Any]) -> list[Any]:
        # A turn by a third after a third of the time of z' = b z*^2 + c z |z|^2, to the third degree.
        z = Complex(y[0], y[1])
        quadratic = z.bar * z.bar * b
        gain = b * (z.bar * (quadratic.bar)) * 2.0
        return split((z + (1 / 3) * (quadratic + c * z * as_complex(z.square)) + (0.5 / 9) * gain) * mu)

    d, found = plant("map", "R3", 5, seed, 2, third)
    size = d.pair_length(0)
    assert abs(found["b"]) == pytest.approx(abs(b) / 3 / size, rel=1e-8)
    assert found["c1"].real == pytest.approx(c.real / size**2, rel=1e-7)  # the third iterate is the time-one map
    assert found["a"] == pytest.approx(c.real / abs(b) ** 2, rel=1e-7)

    def fourth(y: list[Any]) -> list[Any]:
        z = Complex(y[0], y[1])
        return split((z + 0.25 * (c * z * as_complex(z.square) + b * (z.bar * z.bar * z.bar))) * 1j)

    _, found = plant("map", "R4", 5, seed, 2, fourth)
    assert found["A0"] == pytest.approx(c / abs(b), rel=1e-8)  # planted


def resonant_map(order: int, flow: Callable[[Complex, Complex], Complex]) -> gb.Branch:
    """The Neimark-Sacker curve p = 0 of z -> mu (z + flow(z, p + i q) / order), mu^order = 1, through its resonance."""
    mu = np.exp(2j * np.pi / order)

    def function(x: Any, v: Any) -> list[Any]:
        z = Complex(x[0], x[1])
        return split((z + flow(z, Complex(v.p, v.q)) * (1.0 / order)) * mu)

    system = gb.System.from_function(function, kind="map", states=["x", "y"], parameters={"p": -0.1, "q": 0.05})
    branch = gb.trace(gb.point(system, [0.0, 0.0]), {"p": (-0.3, 0.3)})
    return gb.trace(branch["NS"], {"p": (-0.3, 0.3), "q": (-0.3, 0.3)})


def test_neutral_saddles_of_period_three_begin_at_a_third_resonance() -> None:
    b, c = 0.8 - 0.3j, -0.4 + 0.7j
    point = resonant_map(3, lambda z, e: e * z + z.bar * z.bar * b + c * z * as_complex(z.square))["R3"]
    starts = [s for s in gb.curves_from(point) if s.label == "NSS"]
    assert [s.system.iterations for s in starts] == [3, 3]
    rates = []
    for s in starts:
        r, q = float(np.linalg.norm(s.x)), s.parameters["q"]
        # At its saddles e z + b z*^2 + ... = 0 with b z*^2 / z imaginary: |q| = |b| r; both signs of q, one for each.
        assert abs(q) == pytest.approx(abs(b) * r, rel=0.05)
        # e^flow = 3 log(1 + e/3), so Re e^flow = p + q^2 / 6 to second order.
        rates.append((s.parameters["p"] + q * q / 6.0) / r**2)
    assert starts[0].parameters["q"] * starts[1].parameters["q"] < 0
    # It is -2 Re c1 r^2 (trace 0), where z = sqrt(2) w for unit vectors; odd corrections cancel between the two.
    assert np.mean(rates) == pytest.approx(-point.normal_form["c1"].real, rel=0.01)
    curve = gb.trace(starts[0], {"p": (-0.3, 0.3), "q": (-0.3, 0.3)})
    # Neutral: real multipliers of product 1, along the whole curve.
    assert np.max(np.abs(np.prod(curve.spectrum, axis=1) - 1)) < 1e-9
    assert np.max(np.abs(curve.spectrum.imag)) == 0.0
    assert curve.outcome[1].code == "window"


@pytest.mark.parametrize("a", [-0.9 + 1.6j, -0.3 - 0.4j])
def test_folds_of_period_four_begin_at_a_fourth_resonance(a: complex) -> None:
    point = resonant_map(4, lambda z, e: e * z + a * z * as_complex(z.square) + z.bar * z.bar * z.bar)["R4"]
    assert abs(point.normal_form["A0"]) == pytest.approx(abs(a), rel=1e-9)  # planted
    folds = [s for s in gb.curves_from(point) if s.system.iterations == 4]
    # e = -r^2 (a + e^{-4 i phase}): the rays that touch the circle about -a, if 0 lies outside it (Kuznetsov, 9.5.4).
    assert len(folds) == (2 if abs(a) > 1 else 0)
    rays = sorted(np.angle(complex(s.parameters["p"], s.parameters["q"])) for s in folds)
    touching = np.arcsin(1 / abs(a)) if folds else 0.0
    assert rays == pytest.approx([np.angle(-a) + s * touching for s in (-1, 1)][: len(rays)], abs=1e-9)
    for s in folds:
        curve = gb.trace(s, {"p": (-0.3, 0.3), "q": (-0.3, 0.3)}, max_points=15)
        assert np.max(np.min(np.abs(curve.spectrum - 1), axis=1)) < 1e-8  # a fold all along


# -- found on curves, located ------------------------------------------------------------------------------------------

KINDS = {"ZH": "fh", "HH": "hh", "LPPD": "fd", "LPNS": "fn", "PDNS": "dn", "NSNS": "nn"}
LABEL_OF = {"f": "LP", "h": "H", "d": "PD", "n": "NS"}


def two_borders(label: str, seed: int) -> tuple[gb.System, Any]:
    """A fold, flip or pair that becomes critical at p1 = 0 and another at p2 = 0, coupled and disguised."""
    d = Disguise(5, seed)
    flow = label in ("ZH", "HH")

    def function(x: Any, p: Any) -> list[Any]:
        w: list[Any] = []
        for i in range(d.n):
            w.append(x[i] - d._shear(i, w, w))
        y = d._linear(d.inverse, w)
        image: list[Any] = []
        for block, mu, other in zip(KINDS[label], (p.p1, p.p2), (0, 1), strict=True):
            at = len(image)
            slaved = 0.7 * y[0] if other else 0.0
            if block == "f":
                image.append(mu - y[0] * y[0] - 0.3 * y[1] * y[1] + (0 if flow else y[0]))
            elif block == "d":
                image.append(-1 * (1 + mu + slaved) * y[at] + y[at] ** 3)
            else:
                z = Complex(y[at], y[at + 1])
                growth = mu + slaved * (1 if KINDS[label][0] == "f" else y[0]) + -1.0 * z.square
                turn = complex(0, 1.3 + 0.9 * other) if flow else np.exp(1j * (1.1 + other))
                image += split(z * as_complex(growth) + z * turn if flow else z * as_complex(1 + growth) * turn)
        image += [(-0.7 if flow else 0.4) * y[i] for i in range(len(image), d.n)]
        u = d._linear(d.T, image)
        if flow:
            return [u[i] + d._shear(i, w, u) + d._shear(i, u, w) for i in range(d.n)]
        return [u[i] + d._shear(i, u, u) for i in range(d.n)]

    kind: Any = "flow" if flow else "map"
    system = gb.System.from_function(
        function, kind=kind, states=[f"x{i}" for i in range(d.n)], parameters={"p1": 0.04, "p2": -0.1}, name="two"
    )
    y = np.zeros(d.n)
    y[0] = 0.2 if KINDS[label][0] == "f" else 0.0
    w = d.T @ y
    return system, w + np.array([d._shear(i, w, w) for i in range(d.n)])


@pytest.mark.parametrize("label", list(KINDS))
def test_crossings_are_found_from_both_curves(label: str) -> None:
    system, x = two_borders(label, 2)
    window = {"p1": (-0.15, 0.15), "p2": (-0.15, 0.2)}
    start = gb.point(system, x)
    found = []
    for name, letter in zip(("p1", "p2"), KINDS[label], strict=True):
        branch = gb.trace(start, {name: window[name]})
        critical = branch[LABEL_OF[letter]]
        curve = gb.trace(critical, window)
        here = [p for p in curve.special_points if p.label == label]
        assert len(here) == 1, (name, curve)
        found += here
    for p in found:
        # Planted at the origin of the parameters.
        assert [p.parameters["p1"], p.parameters["p2"]] == pytest.approx([0, 0], abs=1e-12)
        assert p.normal_form["meaning"]
    assert same_point(*found)
    assert len(distinct(found)) == 1
    starts = [s.label for s in gb.curves_from(found[0])]
    assert starts[:2] == [LABEL_OF[c] for c in KINDS[label]]

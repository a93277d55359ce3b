"""Proofs about points of codimension two, over interval balls: that they exist, are alone, and what they unfold to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.ball_forms import Vector, bordered, dot, expand, solved
from gan_bifurcation.continuation.balls import FUNCTIONS, Gradient, Polynomial
from gan_bifurcation.continuation.certificates import Certificate, bounds
from gan_bifurcation.continuation.certified_points import UNSTABLE, unknown_scale
from gan_bifurcation.continuation.codimension_two_amplitudes import FoldAmplitudes, PairAmplitudes
from gan_bifurcation.continuation.codimension_two_forms import chain
from gan_bifurcation.continuation.codimension_two_series import series
from gan_bifurcation.continuation.codimension_two_spectra import PATTERNS, Pattern, critical_eigenvalues
from gan_bifurcation.continuation.codimension_two_tables import table
from gan_bifurcation.continuation.krawczyk import Ball, count_beyond, prove_zero
from gan_bifurcation.continuation.normal_forms import critical_vectors

WORDS: Final[Mapping[str, str]] = {
    "CP": "a cusp", "BT": "a Bogdanov-Takens point", "GH": "a generalised Hopf point", "ZH": "a fold-Hopf point",
    "HH": "a Hopf-Hopf point", "GPD": "a generalised flip", "CH": "a Chenciner point", "R1": "a 1:1 resonance",
    "R2": "a 1:2 resonance", "R3": "a 1:3 resonance", "R4": "a 1:4 resonance", "LPPD": "a fold-flip point",
    "LPNS": "a fold-Neimark-Sacker point", "PDNS": "a flip-Neimark-Sacker point",
    "NSNS": "a double Neimark-Sacker point",
}  # fmt: skip
# Points where a coefficient vanishes: that it does is one of the equations.
_VANISHING: Final = ("CP", "GPD", "GH", "CH")
_DOUBLE: Final[Mapping[str, float]] = {"BT": 0.0, "R1": 1.0, "R2": -1.0}
_MIXED: Final = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (2, 1), (1, 2))


def _real(z: Any) -> Any:
    return Gradient(z.value.real, [s.real for s in z.slopes]) if isinstance(z, Gradient) else z.real


def _imag(z: Any) -> Any:
    if isinstance(z, Gradient):
        return Gradient(z.value.imag, [s.imag for s in z.slopes])
    return z.imag


@dataclass(frozen=True)
class _Block:
    """The unknowns of one critical eigenvector (or of a chain of two) and where they begin."""

    kind: str
    begin: int
    held: int


class _Extended:
    """The equations of a point: equilibrium, eigenvectors with their sizes and angles, and what vanishes."""

    def __init__(self, point: Point, free: tuple[str, str]) -> None:
        self.point, self.label = point, point.label
        system = point.system
        self.n, self.is_map = system.n, system.kind == "map"
        self.pattern = PATTERNS[system.kind][point.label]
        self.ball = Ball(system, *free)
        self.values = np.array([system.parameters[name] for name in free])
        self.blocks: list[_Block] = []
        self._parts = [point.x, self.values]
        a = np.ascontiguousarray(system.jacobian(point.x)[:, : self.n])
        self.eigenvalues = () if self.pattern.double else critical_eigenvalues(point)
        if self.pattern.double:
            q0, q1, _, _ = chain(a - _DOUBLE[self.label] * np.eye(self.n))
            held = int(np.argmax(np.abs(q0)))
            size = q0[held]
            q0, q1 = q0 / size, q1 / size
            self._block("chain", held, [q0, q1 - q1[held] * q0])
        elif self.label in _VANISHING:
            self._vanishing(point)
        else:
            for kind, value in zip(self.pattern.kinds, self.eigenvalues, strict=True):
                if kind != "Z":
                    self._eigenvector(a, kind, value)
        self.guess = np.concatenate(self._parts)

    def _block(self, kind: str, held: int, parts: list[Any]) -> None:
        self.blocks.append(_Block(kind, sum(len(p) for p in self._parts), held))
        self._parts += parts

    def _eigenvector(self, a: Any, kind: str, value: complex) -> None:
        q, _ = critical_vectors(a, value)
        held = int(np.argmax(np.abs(q)))
        q = q / q[held]
        if kind != "z":
            self._block(kind, held, [q.real])
        elif self.pattern.resonance:
            self._block("turn", held, [q.real, q.imag])
        else:
            self._block("z", held, [q.real, q.imag, np.array([self._angle(value)])])

    def _angle(self, value: complex) -> float:
        return float(np.angle(value)) if self.is_map else value.imag

    def _vanishing(self, point: Point) -> None:
        """The centre manifold up to the vanishing coefficient, in floats, with the largest component of q put to 1."""
        pattern = self.pattern
        joint = np.concatenate([point.x, point.system.parameter_vector()])
        s = series(point.system, joint, pattern.kinds, self.eigenvalues, pattern.order)
        q = s.q[0]
        held = int(np.argmax(np.abs(q)))
        unit = q[held]

        def term(*exponents: int) -> Any:
            power = unit ** exponents[0] * (np.conj(unit) ** exponents[1] if len(exponents) > 1 else 1.0)
            return s.h[s.table.number[exponents]] / power

        q = q / unit
        if pattern.kinds == "zZ":
            h21 = term(2, 1)
            c = s.coefficient(2, 1) / (self.eigenvalues[0] if self.is_map else 1.0) / abs(unit) ** 2
            h20, h11, h21 = term(2, 0), term(1, 1), h21 - h21[held] * q
            parts = [q.real, q.imag, h20.real, h20.imag, h11.real, h21.real, h21.imag]
            self._block("second", held, [*parts, np.array([self._angle(self.eigenvalues[0]), c.imag])])
        else:
            parts = [q.real]
            last = 2 if self.label == "CP" else 3
            for k in range(2, last + 1):
                h = term(k).real
                # At the resonant degree, the last one, a multiple of q may be added.
                parts.append(h if k < last else h - h[held] * q.real)
            self._block("line", held, parts)

    def scale(self) -> Any:
        n = self.n
        rest = np.abs(self.guess[n + 2 :])
        # Vectors are one at their largest component; what follows them in a block may be large or small.
        return np.concatenate(
            [unknown_scale(self.guess[:n]), unknown_scale(self.values), np.maximum(rest, 1e-2 * max(1.0, *rest, 0.0))]
        )

    def equations(self, u: list[Any]) -> list[Any]:
        n = self.n
        x, values = u[:n], u[n : n + 2]
        if self.blocks[0].kind == "line":
            return self._line(x, values, u)
        if self.blocks[0].kind == "second":
            return self._second(x, values, u)
        out = self.ball.residual(x, values)
        for block in self.blocks:
            q, r = u[block.begin : block.begin + n], u[block.begin + n : block.begin + 2 * n]
            image = self.ball.times(x, q, values)
            if block.kind in ("0", "-"):
                mu = -1.0 if block.kind == "-" else float(self.is_map)
                out += [*(a - b * mu for a, b in zip(image, q, strict=True)), q[block.held] - 1.0]
                continue
            other = self.ball.times(x, r, values)
            if block.kind == "chain":
                mu = _DOUBLE[self.label]
                out += [a - b * mu for a, b in zip(image, q, strict=True)]
                out += [a - b * mu - c for a, b, c in zip(other, r, q, strict=True)]
                out += [q[block.held] - 1.0, r[block.held]]
                continue
            c, s = self.turn(block, u)
            out += [a - (b * c - d * s) for a, b, d in zip(image, q, r, strict=True)]
            out += [a - (b * s + d * c) for a, b, d in zip(other, q, r, strict=True)]
            out += [q[block.held] - 1.0, r[block.held]]
        return out

    def turn(self, block: _Block, u: list[Any]) -> tuple[Any, Any]:
        """Real and imaginary part of a pair's eigenvalue."""
        from flint import arb

        if block.kind == "turn":
            angle = 2 / arb(self.pattern.resonance)
            return angle.cos_pi(), angle.sin_pi()
        angle = u[block.begin + 2 * self.n] if block.kind == "z" else u[-2]
        if self.is_map:
            return FUNCTIONS.cos(angle), FUNCTIONS.sin(angle)
        return angle * 0.0, angle

    def _line(self, x: list[Any], values: list[Any], u: list[Any]) -> list[Any]:
        """F(H(w)) = H(+-w) (maps), 0 (flows), up to the degree whose coefficient vanishes."""
        n, block = self.n, self.blocks[0]
        count = (len(u) - block.begin) // n
        h = [u[block.begin + k * n : block.begin + (k + 1) * n] for k in range(count)]
        image = self.ball.rhs(
            [Polynomial({(k,): t for k, t in enumerate(c)}, count) for c in zip(x, *h, strict=True)], values
        )
        out = []
        for k, part in enumerate([x, *h]):
            sign = 0.0 if not self.is_map else (-1.0) ** (k * (self.label == "GPD"))
            out += [_term(f, (k,)) - p * sign for f, p in zip(image, part, strict=True)]
        return [*out, h[0][block.held] - 1.0, h[-1][block.held]]

    def _second(self, x: list[Any], values: list[Any], u: list[Any]) -> list[Any]:
        """The same for a pair: the coefficient of z |z|^2 over the eigenvalue (1 in a flow) is imaginary."""
        from flint import acb

        n, begin, held = self.n, self.blocks[0].begin, self.blocks[0].held
        i = acb(0, 1)
        parts = [u[begin + k * n : begin + (k + 1) * n] for k in range(7)]
        pairs = {e: (parts[k], parts[k + 1]) for e, k in (((1, 0), 0), ((2, 0), 2), ((2, 1), 5))}
        h = {e: [a + b * i for a, b in zip(re, im, strict=True)] for e, (re, im) in pairs.items()}
        h |= {(e[1], e[0]): [a - b * i for a, b in zip(re, im, strict=True)] for e, (re, im) in pairs.items()}
        h[1, 1] = [a * acb(1) for a in parts[4]]
        h[0, 0] = [a * acb(1) for a in x]
        image = self.ball.rhs([Polynomial({e: h[e][k] for e in _MIXED}, 3) for k in range(n)], values)
        c, s = self.turn(self.blocks[0], u)
        mu = c + s * i
        shift = u[-1] * i * (mu if self.is_map else acb(1))
        factors: dict[tuple[int, int], Any] = {(1, 0): mu, (2, 0): mu * mu if self.is_map else 2.0 * mu, (2, 1): mu}
        out = [_real(_term(f, (0, 0))) - (p if self.is_map else 0.0 * p) for f, p in zip(image, x, strict=True)]
        out += [_real(_term(f, (1, 1))) - (p if self.is_map else 0.0 * p) for f, p in zip(image, parts[4], strict=True)]
        for e, factor in factors.items():
            for k in range(n):
                left = _term(image[k], e) - h[e][k] * factor
                left = left - h[1, 0][k] * shift if e == (2, 1) else left
                out += [_real(left), _imag(left)]
        return [*out, parts[0][held] - 1.0, parts[1][held], parts[5][held], parts[6][held]]


def _term(f: Any, e: tuple[int, ...]) -> Any:
    from flint import acb

    return f.terms.get(e, acb(0)) if isinstance(f, Polynomial) else (f if not any(e) else acb(0))


def certified_centre(point: Point, free: tuple[str, str]) -> Certificate:
    """Existence and uniqueness of a point of codimension two, the other eigenvalues, and what its coefficients say."""
    system = point.system
    what = WORDS[point.label]
    extended = _Extended(point, free)
    where = ", ".join(f"{name} = {v:.12g}" for name, v in zip(free, extended.values, strict=True))
    zero = prove_zero(extended.equations, extended.guess, extended.scale())
    if zero.balls is None or zero.tight is None:
        return Certificate(False, f"Not proved that there is {what} at {where}: {zero.reason}.")
    n, u = system.n, zero.tight
    names = (*system.states, *free)
    box, tight = (dict(zip(names, map(bounds, b[: n + 2]), strict=True)) for b in (zero.balls, u))
    spans = ", ".join(f"{name} in [{tight[name][0]!r}, {tight[name][1]!r}]" for name in free)
    exists = f"There is exactly one solution of the equations of {what} in the box, at {spans}"
    a = extended.ball.matrix(u[:n], u[n : n + 2])
    beyond, near = count_beyond(system.kind, a)
    critical = len(extended.pattern.kinds)
    if near != critical:
        text = f"{exists}, but {near} eigenvalues may lie on the stability boundary, not {critical}."
        return Certificate(False, text, box, tight)
    try:
        numbers, signs = _coefficients(extended, u, a)
    except ZeroDivisionError:
        text = f"{exists}, but a linear system of its coefficients cannot be told from a singular (resonant) one."
        return Certificate(False, text, box, tight, beyond)
    found = {name: bounds(v) for name, v in numbers.items() if v.is_finite()}
    shown = ", ".join(f"{name} in [{low:.6g}, {high:.6g}]" for name, (low, high) in found.items())
    open_ = [name for name, v in signs.items() if not (v > 0 or v < 0)]
    decisive = found.get(next(iter(signs)))
    if open_ or len(found) < len(numbers):
        text = f"{exists}, but the sign of {' and of '.join(open_)} is not proved ({shown or 'not finite'})."
        return Certificate(False, text, box, tight, beyond, decisive, found)
    case = ", ".join(f"{name} {'>' if v > 0 else '<'} 0" for name, v in signs.items())
    text = f"{exists}; {case} ({shown}), with {beyond} other {UNSTABLE[system.kind]}."
    return Certificate(True, text, box, tight, beyond, decisive, found)


Signs = tuple[dict[str, Any], dict[str, Any]]


def _coefficients(extended: _Extended, u: Vector, a: Any) -> Signs:
    """Enclosures of the coefficients under the textbook's letters, and of the numbers whose signs tell the case."""
    from flint import acb

    n, pattern = extended.n, extended.pattern
    x, values = u[:n], u[n : n + 2]
    if pattern.double:
        return _chained(extended, u, a)
    vectors: list[Vector] = []
    eigenvalues: list[Any] = []
    blocks = {"line": pattern.kinds, "second": "z", "turn": "z"}
    for block in extended.blocks:
        q = [acb(v) for v in u[block.begin : block.begin + n]]
        if blocks.get(block.kind, block.kind) in ("0", "-"):
            vectors.append(_unit(q))
            eigenvalues.append(acb(-1 if blocks.get(block.kind, block.kind) == "-" else int(extended.is_map)))
            continue
        q = [
            acb(v, w)
            for v, w in zip(u[block.begin : block.begin + n], u[block.begin + n : block.begin + 2 * n], strict=True)
        ]
        q = _unit(q)
        lam = acb(*extended.turn(block, u))
        vectors += [q, [v.conjugate() for v in q]]
        eigenvalues += [lam, lam.conjugate()]
    is_map = extended.is_map

    def of_degree(order: int) -> Callable[..., Any]:
        if _may_resonate(pattern, eigenvalues, order, is_map):
            raise ZeroDivisionError
        g = expand(extended.ball, x, values, a, pattern.kinds, eigenvalues, vectors, order, pattern.resonance)
        return lambda *exponents: g[exponents]

    numbers, signs = _SIGNS[extended.label](of_degree(pattern.order), eigenvalues, is_map)
    if pattern.further and signs["p11"] * signs["p22"] < 0 and signs["determinant"] > 0:
        # The difficult case with a torus of one frequency more, whose stability quintic terms decide.
        *_, torus = PairAmplitudes.of_point(of_degree(pattern.further), eigenvalues, is_map, pattern.further).quintic
        numbers, signs = numbers | {"torus": torus}, signs | {"torus": torus}
    return numbers, signs


def _may_resonate(pattern: Pattern, eigenvalues: list[Any], order: int, is_map: bool) -> bool:
    """Whether a further term of the normal form cannot be excluded, by a resonance among critical eigenvalues."""
    from flint import acb

    t = table(pattern.kinds, order, pattern.resonance)
    for powers, own in zip(t.exponents.tolist(), t.component.tolist(), strict=True):
        product = acb(1) if is_map else acb(0)
        for lam, k in zip(eigenvalues, powers, strict=True):
            product = product * lam**k if is_map else product + lam * k
        if any(i != own and (product - lam).contains(0) for i, lam in enumerate(eigenvalues)):
            return True
    return False


def _unit(q: Vector) -> Vector:
    norm = dot(q, [v.conjugate() for v in q]).real.sqrt()
    return [v / norm for v in q]


def _of_second(of: Callable[..., Any], lam: list[Any], is_map: bool) -> Signs:
    if not is_map:
        l2 = of(3, 2).real / lam[0].imag
        return {"l2": l2}, {"l2": l2}
    d1, d2 = of(2, 1) / lam[0], of(3, 2) / lam[0]
    c = d2.real + d1.imag * d1.imag / 2
    return {"c": c}, {"c": c}


def _third(of: Callable[..., Any], lam: list[Any], is_map: bool) -> Signs:
    square = abs(of(0, 2)) ** 2
    c1 = 3 * ((of(2, 1) / lam[0]).real - square)
    return {"|b|^2": square, "Re c1": c1}, {"Re c1": c1, "|b|^2": square}


def _fourth(of: Callable[..., Any], lam: list[Any], is_map: bool) -> Signs:
    d = abs(of(0, 3))
    a0 = acb_times_minus_i(of(2, 1)) / d
    return {"|d|": d, "Re A0": a0.real, "|A0|": abs(a0)}, {"|A0| - 1": abs(a0) - 1, "Re A0": a0.real, "|d|": d}


def acb_times_minus_i(z: Any) -> Any:
    from flint import acb

    return acb(z.imag, -z.real)


def _with_fold(of: Callable[..., Any], lam: list[Any], is_map: bool) -> Signs:
    """ZH, LPNS and LPPD: s, theta and, where a torus starts, E."""
    amplitudes = FoldAmplitudes.of_flip(of) if len(lam) == 2 else FoldAmplitudes.of_pair(of, lam[1], is_map)
    s, theta = amplitudes.b * amplitudes.c, amplitudes.theta
    numbers = {"theta": theta, "b c": s, "E": amplitudes.E}
    return numbers, {"s": s, "theta": theta} | ({} if s * theta > 0 else {"E": numbers["E"]})


def _pairs(of: Callable[..., Any], lam: list[Any], is_map: bool) -> Signs:
    p = PairAmplitudes.of_point(of, lam, is_map, 3).matrix
    numbers = dict(zip(("p11", "p12", "p21", "p22"), p, strict=True))
    return numbers, numbers | {"determinant": p[0] * p[3] - p[1] * p[2]}


def _single(letter: str, exponent: int) -> Callable[[Callable[..., Any], list[Any], bool], Signs]:
    def of_label(of: Callable[..., Any], lam: list[Any], is_map: bool) -> Signs:
        value = of(exponent).real
        return {letter: value}, {letter: value}

    return of_label


_SIGNS: Final[Mapping[str, Callable[[Callable[..., Any], list[Any], bool], Signs]]] = {
    "CP": _single("c", 3), "GPD": _single("c", 5), "GH": _of_second, "CH": _of_second, "R3": _third, "R4": _fourth,
    "ZH": _with_fold, "LPNS": _with_fold, "LPPD": _with_fold, "HH": _pairs, "NSNS": _pairs, "PDNS": _pairs,
}  # fmt: skip


def _chained(extended: _Extended, u: Vector, a: Any) -> Signs:
    """BT, R1 and R2, with q0 of unit length and q1 orthogonal to it."""
    from flint import acb

    n, label = extended.n, extended.label
    x, values = [acb(v) for v in u[:n]], [acb(v) for v in u[n : n + 2]]
    begin = extended.blocks[0].begin
    q0, q1 = ([acb(v) for v in u[begin + k * n : begin + (k + 1) * n]] for k in (0, 1))
    norm = dot(q0, q0).sqrt()
    q0, q1 = [v / norm for v in q0], [v / norm for v in q1]
    overlap = dot(q0, q1)
    q1 = [v - overlap * w for v, w in zip(q1, q0, strict=True)]
    mu = acb(_DOUBLE[label])
    p1 = bordered(a, mu, q0, q1, [acb(0)] * n, acb(1), True)
    p0 = bordered(a, mu, q0, q1, p1, acb(0), True)

    def power(d: Vector, order: int) -> Vector:
        return extended.ball.power(x, d, order, values)

    def second(v: Vector, w: Vector) -> Vector:
        plus, minus = (power([s + k * t for s, t in zip(v, w, strict=True)], 2) for k in (1, -1))
        return [(s - t) / 2 for s, t in zip(plus, minus, strict=True)]

    b00, b01 = second(q0, q0), second(q0, q1)
    if label != "R2":
        first, slope = (dot(p1, b00) / 2).real, (dot(p1, b01) + dot(p0, b00)).real
        # The field whose time-one map R1 is has b - 2 a in place of b.
        decisive = first * (slope if label == "BT" else slope - 2 * first)
        return {"a": first, "b": slope}, {"s": decisive}
    h20 = solved(a, acb(1), [-v / 2 for v in b00])
    h11 = solved(a, acb(1), [-v - 2 * w for v, w in zip(b01, h20, strict=True)])
    # C(q0, q0, q0) / 6 is the third Taylor coefficient; C(q0, q0, q1) / 2 that of w in q0 + w q1, from q0 +- q1 and q1.
    cube = power(q0, 3)
    plus, minus = (power([s + k * t for s, t in zip(q0, q1, strict=True)], 3) for k in (1, -1))
    mixed = [(s - t) / 2 - v for s, t, v in zip(plus, minus, power(q1, 3), strict=True)]
    terms30 = [s + t for s, t in zip(cube, second(q0, h20), strict=True)]
    terms21 = [s + t + v for s, t, v in zip(mixed, second(q0, h11), second(q1, h20), strict=True)]
    c = dot(p1, terms30).real
    d = (dot(p1, terms21) + 3 * dot(p0, terms30)).real
    return {"c": c, "d": d}, {"c": c, "D1": -2 * d - 6 * c}

"""Proofs about equilibria, fixed points and their bifurcations of codimension one, over interval balls."""

from typing import Any

import numpy as np

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.balls import FUNCTIONS
from gan_bifurcation.continuation.certificates import Certificate, bounds
from gan_bifurcation.continuation.krawczyk import Ball, count_beyond, prove_zero
from gan_bifurcation.continuation.normal_forms import critical_vectors

UNSTABLE = {"flow": "eigenvalues in the right half plane", "map": "multipliers outside the unit circle"}
_LETTERS = {"LP": "a", "H": "l1", "PD": "b", "NS": "Re d"}


def unknown_scale(values: Any) -> Any:
    """Sizes of unknowns: their own, but not less than a thousandth of the largest."""
    size = np.abs(np.asarray(values, dtype=float))
    return np.maximum(size, max(1e-3 * float(np.max(size, initial=0.0)), 1e-3))


def certified_equilibrium(point: Point) -> Certificate:
    """Existence, uniqueness and the number of unstable eigenvalues."""
    system = point.system
    what = "equilibrium" if system.kind == "flow" else "fixed point"
    ball = Ball(system)
    zero = prove_zero(lambda x: ball.residual(x), point.x, unknown_scale(point.x))
    if zero.balls is None or zero.tight is None:
        return Certificate(
            False, f"Not proved that there is an {what} here: {zero.reason}.".replace("an fixed", "a fixed")
        )
    box, tight = (dict(zip(system.states, map(bounds, b), strict=True)) for b in (zero.balls, zero.tight))
    beyond, near = count_beyond(system.kind, ball.matrix(zero.tight))
    exists = f"There is exactly one {what} in the box"
    if near:
        return Certificate(
            False, f"{exists}, but {near} of its {_kinds(system.kind)} may lie on the stability boundary.", box, tight
        )
    stable = "it attracts" if not beyond else f"it has {beyond} {UNSTABLE[system.kind]}"
    return Certificate(True, f"{exists}, and {stable}.", box, tight, beyond)


def _kinds(kind: str) -> str:
    return "eigenvalues" if kind == "flow" else "multipliers"


class _Extended:
    """The equations of a bifurcation: equilibrium, eigenvector, normalisation, and for pairs the angle or frequency."""

    def __init__(self, point: Point, free: str) -> None:
        self.point = point
        system = point.system
        self.n = system.n
        self.is_map = system.kind == "map"
        self.ball = Ball(system, free)
        self.pair = point.label in ("H", "NS")
        a = np.ascontiguousarray(system.jacobian(point.x)[:, : self.n])
        critical = {"LP": float(self.is_map), "PD": -1.0}.get(point.label, point.critical)
        q, _ = critical_vectors(a, complex(critical))
        # The component that is largest is held, so that the vector has a size and a phase.
        self.held = int(np.argmax(np.abs(q)))
        q = q / q[self.held]
        value = system.parameters[free]
        if self.pair:
            angle = abs(point.critical.imag) if not self.is_map else abs(float(np.angle(point.critical)))
            self.guess = np.concatenate([point.x, [value], q.real, q.imag, [angle]])
        else:
            self.guess = np.concatenate([point.x, [value], q.real])

    def scale(self) -> Any:
        n = self.n
        parts = [unknown_scale(self.guess[:n]), unknown_scale(self.guess[n : n + 1]), np.ones(len(self.guess) - n - 1)]
        if self.pair:
            parts[2][-1] = abs(self.guess[-1])
        return np.concatenate(parts)

    def split(self, u: list[Any]) -> tuple[list[Any], Any, list[Any], list[Any], Any]:
        n = self.n
        return u[:n], u[n], u[n + 1 : 2 * n + 1], u[2 * n + 1 : 3 * n + 1], u[-1]

    def equations(self, u: list[Any]) -> list[Any]:
        x, value, real, imag, angle = self.split(u)
        ball, k = self.ball, self.held
        out = ball.residual(x, [value])
        if not self.pair:
            mu = {"LP": float(self.is_map), "PD": -1.0}[self.point.label]
            out += [a - b * mu for a, b in zip(ball.times(x, real, [value]), real, strict=True)]
            return [*out, real[k] - 1.0]
        if self.is_map:
            c, s = FUNCTIONS.cos(angle), FUNCTIONS.sin(angle)
        else:
            c, s = angle * 0.0, angle
        # A (q + i r) = (c + i s)(q + i r)
        out += [a - (q * c - r * s) for a, q, r in zip(ball.times(x, real, [value]), real, imag, strict=True)]
        out += [a - (q * s + r * c) for a, q, r in zip(ball.times(x, imag, [value]), real, imag, strict=True)]
        return [*out, real[k] - 1.0, imag[k]]


def certified_bifurcation(point: Point, free: str, words: str) -> Certificate:
    """Existence and uniqueness of the bifurcation, the other eigenvalues, and the sign of the coefficient."""
    system = point.system
    extended = _Extended(point, free)
    where = f"{words} at {free} = {system.parameters[free]:.12g}"
    zero = prove_zero(extended.equations, extended.guess, extended.scale())
    if zero.balls is None or zero.tight is None:
        return Certificate(False, f"Not proved that there is {where}: {zero.reason}.")
    names = (*system.states, free)
    box, tight = (dict(zip(names, map(bounds, b[: len(names)]), strict=True)) for b in (zero.balls, zero.tight))
    x, value, real, imag, angle = extended.split(zero.tight)
    a = extended.ball.matrix(x, [value])
    low, high = tight[free]
    exists = f"There is exactly one solution of the equations of {words} in the box, at {free} in [{low!r}, {high!r}]"
    beyond, near = count_beyond(system.kind, a)
    critical = 2 if extended.pair else 1
    if near != critical:
        text = f"{exists}, but {near} eigenvalues may lie on the stability boundary, not {critical}."
        return Certificate(False, text, box, tight)
    if point.label == "NS" and not _far_from_resonance(angle):
        text = f"{exists}, but a strong resonance is too near for the coefficient to decide."
        return Certificate(False, text, box, tight, beyond)
    try:
        coefficient = _coefficient(extended, x, value, a, real, imag, angle)
    except ZeroDivisionError:
        coefficient = None
    if coefficient is None or not coefficient.is_finite():
        return Certificate(False, f"{exists}, but no coefficient could be enclosed.", box, tight, beyond)
    letter = _LETTERS[point.label]
    interval = bounds(coefficient)
    shown = f"{letter} in [{interval[0]:.6g}, {interval[1]:.6g}]"
    if not (coefficient > 0 or coefficient < 0):
        text = f"{exists}, but the sign of {letter} is not proved ({shown})."
        return Certificate(False, text, box, tight, beyond, interval)
    if point.label == "LP":
        kind = f"nondegenerate ({letter} is not zero: {shown})"
    else:
        # A flip's b has the other sign (Kuznetsov 2004, theorem 4.4).
        supercritical = bool(coefficient > 0) if point.label == "PD" else bool(coefficient < 0)
        kind = f"{'supercritical' if supercritical else 'subcritical'} ({shown})"
    others = f"{beyond} other {UNSTABLE[system.kind]}"
    return Certificate(True, f"{exists}; it is {kind}, with {others}.", box, tight, beyond, interval)


def _far_from_resonance(angle: Any) -> bool:
    """Whether the third and fourth power of the multiplier are not 1 for certain (the first two: a real pair)."""
    from flint import acb

    return all(bool(abs(acb((k * angle).cos(), (k * angle).sin()) - 1) > 1e-9) for k in (1, 2, 3, 4))


def _coefficient(extended: _Extended, x: Any, value: Any, a: Any, real: Any, imag: Any, angle: Any) -> Any:
    """An enclosure of the coefficient that decides, with <q,q> = <p,q> = 1 (Kuznetsov 2004, 5.4)."""
    from flint import acb, acb_mat, arb

    n, label = extended.n, extended.point.label
    q = [acb(r, i) for r, i in zip(real, imag, strict=True)] if extended.pair else [acb(r) for r in real]
    norm = arb(0)
    for z in q:
        norm += z.real * z.real + z.imag * z.imag
    q = [z / norm.sqrt() for z in q]
    bar = [z.conjugate() for z in q]
    mu = {"LP": acb(int(extended.is_map)), "PD": acb(-1)}.get(label)
    if mu is None:
        mu = acb(angle.cos(), angle.sin()) if extended.is_map else acb(0, angle)
    # p^* A = mu p^*: the row vector w with w q = 1 from a bordered system.
    bordered = acb_mat(n + 1, n + 1)
    for i in range(n):
        for j in range(n):
            bordered[i, j] = acb(a[j, i]) - (mu if i == j else 0)
        bordered[i, n] = bar[i]
        bordered[n, i] = q[i]
    right = acb_mat(n + 1, 1)
    right[n, 0] = acb(1)
    w = bordered.solve(right)
    xs = [acb(v) for v in x]
    p = acb(value)

    def pair_with(v: list[Any]) -> Any:
        total = acb(0)
        for i in range(n):
            total += w[i, 0] * v[i]
        return total

    def power(d: list[Any], order: int) -> list[Any]:
        return extended.ball.power(xs, d, order, [p])

    def second(u: list[Any], v: list[Any]) -> list[Any]:
        plus = power([s + t for s, t in zip(u, v, strict=True)], 2)
        minus = power([s - t for s, t in zip(u, v, strict=True)], 2)
        return [(s - t) / 2 for s, t in zip(plus, minus, strict=True)]

    def solve(shift: Any, sign: int, v: list[Any]) -> list[Any]:
        """(shift - A)^-1 v, times the sign."""
        matrix = acb_mat(n, n)
        for i in range(n):
            for j in range(n):
                matrix[i, j] = (shift if i == j else 0) - acb(a[i, j])
        found = matrix.solve(acb_mat([[s] for s in v]))
        return [sign * found[i, 0] for i in range(n)]

    if label == "LP":
        return pair_with([s / 2 for s in second(q, q)]).real
    if label == "PD":
        # b = <p, C(q, q, q) + 3 B(q, (1 - A)^-1 B(q, q))>/6; the third Taylor coefficient is C/6.
        cubic = pair_with(power(q, 3))
        return (cubic + pair_with(second(q, solve(acb(1), 1, second(q, q)))) / 2).real
    # C(q, q, q-bar) by polarisation: sum over the cube roots of unity of the cubic part along q + w q-bar.
    cubic = acb(0)
    for k in range(3):
        turn = acb(arb(2 * k) / 3).exp_pi_i()
        line = power([s + turn * t for s, t in zip(q, bar, strict=True)], 3)
        cubic += turn.conjugate() * pair_with(line)
    # 6 * coefficient of w^1 is 3 C(q, q, q-bar); the average takes it out.
    cubic = 2 * cubic / 3
    one = acb(int(extended.is_map))
    twice = mu * mu if extended.is_map else 2 * mu
    mixed = second(q, solve(one, 1, second(q, bar)))
    double = second(bar, solve(twice, 1, second(q, q)))
    total = cubic + 2 * pair_with(mixed) + pair_with(double)
    if extended.is_map:
        return (mu.conjugate() * total / 2).real
    return total.real / (2 * angle)

"""Points of a branch of cycles: what is recorded of each, and the location of special ones between two of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation.collocation import Collocation, Strides, nodes_of
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Multipliers with a smaller imaginary part, relative to their size, are real.
_REAL: Final = 1e-9
# How often a step is halved to tell two special points in it apart.
_HALVINGS: Final = 10


@dataclass(frozen=True, eq=False)
class Record:
    """A cycle on a branch, in the units of its collocation system.

    Attributes
    ----------
    arclength : float
        Since the last record.
    b, tb : arrays
        Period and free parameters in their windows, and their part of the tangent.
    spectrum : complex array (n,)
        The trivial multiplier first.
    sign : float
        Of the determinant of [Jacobian; tangent].
    profile : Profile
    extremes : pair of arrays (n,), optional
        Least and greatest values of the states over the piecewise polynomials, where they are known.
    """

    arclength: float
    b: FloatArray
    tb: FloatArray
    spectrum: ComplexArray
    sign: float
    profile: Profile
    extremes: tuple[FloatArray, FloatArray] | None = None

    @property
    def counts(self) -> tuple[int, int, int]:
        """Multipliers outside the unit circle: real ones above 1, below -1, and complex pairs."""
        mu = self.spectrum[1:]
        real = np.abs(mu.imag) <= _REAL * np.abs(mu)
        outside = np.abs(mu) > 1.0
        return (
            int(np.sum(outside & real & (mu.real > 0.0))),
            int(np.sum(outside & real & (mu.real < 0.0))),
            int(np.sum(outside & ~real & (mu.imag > 0.0))),
        )

    @property
    def unstable(self) -> int:
        """How many multipliers lie outside the unit circle, the trivial one left out."""
        plus, minus, pairs = self.counts
        return plus + minus + 2 * pairs


def record_of(c: Collocation, arclength: float) -> Record:
    """The present point as a record."""
    nb = c.nb
    return Record(
        arclength, c.b[:nb].copy(), c.tb[:nb].copy(), c.spectrum.copy(), float(c.step[steps.SIGN]),
        c.profile(c.u, c.b),
    )  # fmt: skip


def records_of(c: Collocation, strides: Strides) -> list[Record]:
    """The points of a march as records."""
    nb, n = c.nb, len(c.scale)
    phases, degree = nodes_of(c.mesh, c.degree), c.degree
    made = []
    for numbers, spectrum in zip(strides.records, strides.spectra, strict=True):
        b, tb = numbers[2 : 2 + nb], numbers[2 + nb : 2 + 2 * nb]
        rest = numbers[2 + 2 * nb :]
        states = rest[2 * n :].reshape(c.intervals * degree + 1, n) * c.scale
        extremes = rest[:n] * c.scale, rest[n : 2 * n] * c.scale
        profile = Profile(phases, states, float(b[0]), mesh=c.mesh)
        made.append(Record(float(numbers[0]), b, tb, spectrum, float(numbers[1]), profile, extremes))
    return made


def point_of(c: Collocation, r: Record, label: str, index: float, critical: complex = complex(np.nan)) -> Point:
    """A record as a point of the branch."""
    at = c.at(r.b)
    return Point(
        at, r.profile.states[0].copy(), r.spectrum, label=label, free=tuple(c.free), index=index, critical=critical,
        residual=0.0, profile=r.profile,
    )  # fmt: skip


class Between:
    """The branch between the last point and the present one, whose points are found by Newton's method.

    `at(sigma)` solves at a fraction of the step's arclength; all points are on the mesh of the present point.
    """

    def __init__(self, c: Collocation) -> None:
        self.c = c.twin()
        self.length = float(c.step[steps.LAST])
        twin = self.c
        # The last point's plane: its tangent is the last row.
        self.u0, self.t0 = twin.before.copy(), twin.before_t.copy()
        self.b0, self.tb0 = twin.before_b.copy(), twin.before_tb.copy()
        self.u1, self.t1, self.b1, self.tb1 = twin.u.copy(), twin.t.copy(), twin.b.copy(), twin.tb.copy()
        steps.set_row(twin.state, self.t0, self.tb0, self.u0)
        self.whole = self._height(self.u1, self.b1)

    def _height(self, u: FloatArray, b: FloatArray) -> float:
        """How far a point lies in the direction of the last point's tangent."""
        return float(steps.height(self.c.state, u, b) - steps.height(self.c.state, self.u0, self.b0))

    def _guess(self, x: float) -> None:
        c, d = self.c, self.length
        h00, h10, h01, h11 = (1 + 2 * x) * (1 - x) ** 2, x * (1 - x) ** 2, x * x * (3 - 2 * x), x * x * (x - 1)
        c.trial[:] = h00 * self.u0 + h10 * d * self.t0 + h01 * self.u1 + h11 * d * self.t1
        c.trial_b[:] = h00 * self.b0 + h10 * d * self.tb0 + h01 * self.b1 + h11 * d * self.tb1

    def at(self, fraction: float, row: int | None = None, target: float = 0.0) -> Record | None:
        """The point at a fraction of the step, or with a border unknown (`row`) of a given value near there."""
        c = self.c
        self._guess(fraction)
        if row is None:
            steps.set_row(c.state, self.t0, self.tb0, self.u0)
            target = float(steps.height(c.state, self.u0, self.b0)) + fraction * self.whole
        else:
            steps.set_row(c.state, self.t0, self.tb0, self.u0)
            c.hold(row)
        guess_b = c.trial_b[: c.nb].copy()
        if not c.solve(target, 1e-12):
            return None
        if np.linalg.norm(c.trial_b[1 : c.nb] - guess_b[1:]) > 0.5 * self.length + 1e-9:
            return None
        c.u[:], c.b[:] = c.trial, c.trial_b
        c.t[:], c.tb[:] = self.t0, self.tb0
        c.begin()
        return record_of(c, fraction * self.length)


def _closest(mu: ComplexArray, kind: str) -> complex:
    real = np.abs(mu.imag) <= _REAL * np.abs(mu)
    if kind == "NS":
        some = mu[~real & (mu.imag > 0.0)]
        goal = np.abs(np.abs(some) - 1.0)
    else:
        some = mu[real]
        goal = np.abs(some.real - (1.0 if kind in ("LPC", "BPC") else -1.0))
    return complex(some[np.argmin(goal)]) if len(some) else complex(np.nan)


def critical_multiplier(r: Record, kind: str) -> complex:
    """The multiplier nearest to where a special point of this kind has it."""
    return _closest(r.spectrum[1:], kind)


def test_value(r: Record, kind: str) -> float:
    """What vanishes at a special point of this kind: smooth along the branch."""
    if kind == "LPC":
        return float(r.tb[1])
    mu = critical_multiplier(r, kind)
    return {"PD": mu.real + 1.0, "BPC": mu.real - 1.0, "NS": abs(mu) - 1.0}[kind]


def kinds_between(a: Record, b: Record) -> list[str]:
    """The special points that must lie between two records, as far as the records tell."""
    found = []
    plus, minus, pairs = (after - before for before, after in zip(a.counts, b.counts, strict=True))
    if a.tb[1] * b.tb[1] < 0.0:
        found.append("LPC")
    if a.sign * b.sign < 0.0:
        found.append("BPC")
    total = plus + minus + 2 * pairs
    explained = len(found) % 2
    rest = total
    if explained:
        rest -= 1 if plus > 0 or (plus == 0 and total > 0) else -1
    flips = abs(minus) % 2
    found += ["PD"] * flips
    if flips:
        rest -= int(np.sign(minus))
    if abs(rest) >= 2:
        found += ["NS"] * (abs(rest) // 2)
    return found


def _root(f: Callable[[float], float | None], a: float, b: float, fa: float, fb: float) -> float | None:
    """A zero between a and b by the method of Anderson and Bjorck, with bisection as its guard."""
    for k in range(60):
        if abs(fa) < 1e-13 or abs(fb) < 1e-13 or b - a < 1e-14:
            break
        x = b - fb * (b - a) / (fb - fa)
        if k % 5 == 4 or not a < x < b:
            x = 0.5 * (a + b)
        fx = f(x)
        if fx is None:
            return None
        if fx == 0.0:
            return x
        if fx * fb < 0.0:
            a, fa = b, fb
        else:
            ratio = 1.0 - fx / fb
            fa *= ratio if ratio > 0.0 else 0.5
        b, fb = x, fx
        if a > b:
            # Keep the order; the newest point may be on either side.
            a, b, fa, fb = b, a, fb, fa
    return a if abs(fa) < abs(fb) else b


def _mixed(between: Between, a: Record, b: Record, weight: float) -> Record:
    """The point at a part of the way between two records that are very close to each other."""
    w = weight
    states = (1.0 - w) * a.profile.states + w * b.profile.states
    period = float((1.0 - w) * a.b[0] + w * b.b[0])
    return Record(
        (1.0 - w) * a.arclength + w * b.arclength, (1.0 - w) * a.b + w * b.b, (1.0 - w) * a.tb + w * b.tb,
        (1.0 - w) * a.spectrum + w * b.spectrum, a.sign,
        Profile(a.profile.phases, states, period, mesh=a.profile.mesh),
    )  # fmt: skip


def _branch_point(between: Between, a: Record, b: Record, test: str) -> Record | None:
    """Where two branches cross: Newton's method is singular there, so it is closed in on from both sides."""
    whole = between.length
    va, vb = test_value(a, test), test_value(b, test)
    best: tuple[Record, float, Record, float] | None = None
    for k in range(40):
        share = va / (va - vb)
        best = (a, va, b, vb)
        if b.arclength - a.arclength < 1e-4 * whole or min(abs(va), abs(vb)) < 1e-9:
            break
        # Beside the zero, on alternate sides of it, to shrink the bracket from both ends.
        inset = 0.05 if k % 2 else -0.05
        x = min(max(share + inset, 0.05), 0.95)
        r = between.at((a.arclength + x * (b.arclength - a.arclength)) / whole)
        if r is None:
            break
        v = test_value(r, test)
        if v * va > 0.0:
            a, va = r, v
        else:
            b, vb = r, v
    if best is None:
        return None
    a, va, b, vb = best
    return _mixed(between, a, b, va / (va - vb))


def locate(between: Between, a: Record, b: Record, depth: int = 0) -> Iterator[tuple[str, Record]]:
    """All special points between two records of one step, in order."""
    kinds = kinds_between(a, b)
    if not kinds:
        return
    whole = between.length
    if kinds == ["LPC", "BPC"] and test_value(a, "BPC") * test_value(b, "BPC") > 0.0:
        # The branch that is born at a pitchfork turns there, and its multiplier only touches 1.
        touched = _branch_point(between, a, b, "LPC")
        if touched is not None:
            yield "BPC", touched
        return
    if len(kinds) > 1 and depth < _HALVINGS:
        middle = between.at(0.5 * (a.arclength + b.arclength) / whole)
        if middle is not None:
            yield from locate(between, a, middle, depth + 1)
            yield from locate(between, middle, b, depth + 1)
        return
    for kind in kinds:
        if kind == "BPC" and test_value(a, kind) * test_value(b, kind) < 0.0:
            r = _branch_point(between, a, b, kind)
            if r is not None:
                yield kind, r
            continue
        values: dict[float, Record] = {}

        def f(x: float, kind: str = kind, values: dict[float, Record] = values) -> float | None:
            r = between.at(x)
            if r is None:
                return None
            values[x] = r
            v = test_value(r, kind)
            return v if np.isfinite(v) else None

        va, vb = test_value(a, kind), test_value(b, kind)
        if not va * vb < 0.0:
            # A pair that met between the two: look from halfway.
            if depth < _HALVINGS:
                middle = between.at(0.5 * (a.arclength + b.arclength) / whole)
                if middle is not None:
                    yield from locate(between, a, middle, depth + 1)
                    yield from locate(between, middle, b, depth + 1)
            return
        x = _root(f, a.arclength / whole, b.arclength / whole, va, vb)
        if x is None:
            continue
        found = values.get(x) or between.at(x)
        if found is not None:
            yield kind, found

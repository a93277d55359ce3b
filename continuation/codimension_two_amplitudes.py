"""Planar amplitude systems of codimension-two points: what flows and maps have in common.

Fold-Hopf, fold-Neimark-Sacker and fold-flip points share one amplitude system, Hopf-Hopf, flip-Neimark-Sacker and
double Neimark-Sacker points another. A map in normal form, divided by its linear part, is the time-one map of a vector
field up to the order that is needed; the coefficients of that field are what is compared.
Kuznetsov, Elements of Applied Bifurcation Theory, sections 8.5, 8.6 (flows), 9.5-9.7 (maps).

Only sums, products, quotients and real and imaginary parts are formed, so that the numbers may be estimates with errors
(:class:`~gan_bifurcation.continuation.estimates.Estimate`) or interval balls.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Real = Any
Complex = Any
# The coefficient of a monomial, by its exponents.
Coefficient = Callable[..., Complex]


@dataclass(frozen=True)
class FoldAmplitudes:
    """v' = b v^2 + c r^2 + g3 v^3 + g1 v r^2, r' = r (d v + h2 v^2 + h1 r^2)."""

    b: Real
    c: Real
    d: Real
    g3: Real
    g1: Real
    h2: Real
    h1: Real

    @classmethod
    def of_map(
        cls, b: Real, c: Real, d: Complex, g3: Real, g1: Real, h2: Complex, h1: Complex
    ) -> "FoldAmplitudes":  # fmt: skip
        """The field whose time-one map is v + b v^2 + ..., r |1 + d v + h2 v^2 + h1 r^2|."""
        rate = d.real
        return cls(
            b, c, rate, g3 - b * b, g1 - c * (b + rate), h2.real + d.imag * d.imag * 0.5 - rate * (b + rate) * 0.5,
            h1.real - rate * c * 0.5,
        )  # fmt: skip

    @classmethod
    def of_pair(cls, of: Coefficient, mu: Complex, is_map: bool) -> "FoldAmplitudes":
        """From the coefficients of a fold-Hopf (v, z, z*) or fold-Neimark-Sacker point of multiplier mu."""
        b, c, g3, g1 = (of(*e).real for e in ((2, 0, 0), (0, 1, 1), (3, 0, 0), (1, 1, 1)))
        d, h2, h1 = (of(*e) for e in ((1, 1, 0), (2, 1, 0), (0, 2, 1)))
        if is_map:
            return cls.of_map(b, c, d / mu, g3, g1, h2 / mu, h1 / mu)
        return cls(b, c, d.real, g3, g1, h2.real, h1.real)

    @classmethod
    def of_flip(cls, of: Coefficient) -> "FoldAmplitudes":
        """From the coefficients of a fold-flip point (v, w)."""
        b, c, g3, g1 = (of(*e).real for e in ((2, 0), (0, 2), (3, 0), (1, 2)))
        d, h2, h1 = (-of(*e).real for e in ((1, 1), (2, 1), (0, 3)))
        return cls(b, c, d, g3 - b * b, g1 - c * (b + d), h2 - d * (b + d) * 0.5, h1 - d * c * 0.5)

    @property
    def theta(self) -> Real:
        """d / b: free of the scale of v."""
        return self.d / self.b

    @property
    def E(self) -> Real:
        """The one cubic coefficient (of v^2 r) that coordinate changes and a change of time cannot remove."""
        b, c, d = self.b, self.c, self.d
        return self.h2 + d * (self.h1 / c - self.g3 / b * 1.5 + self.g1 / c * 0.5) - b * self.h1 / c


@dataclass(frozen=True)
class PairAmplitudes:
    """The growth rates of |z1| and |z2|: first and second degree in x = |z1|^2 and y = |z2|^2.

    Attributes
    ----------
    first, second : tuple of (x, y) and of (x^2, x y, y^2) for each of the two
        Those of second degree may be missing (empty).
    """

    first: tuple[tuple[Real, ...], tuple[Real, ...]]
    second: tuple[tuple[Real, ...], tuple[Real, ...]]

    @classmethod
    def of_point(
        cls, of: Coefficient, eigenvalues: Sequence[Complex], is_map: bool, degree: int
    ) -> "PairAmplitudes":  # fmt: skip
        """From the coefficients up to degree 3 or 5 and the critical eigenvalues (those of PDNS are three)."""
        if len(eigenvalues) == 3:
            return cls.of_flip(of, eigenvalues[1], degree)
        return cls.of_pairs(of, eigenvalues[0], eigenvalues[2], is_map, degree)

    @classmethod
    def of_pairs(cls, of: Coefficient, mu: Complex, nu: Complex, is_map: bool, degree: int) -> "PairAmplitudes":
        """From the coefficients up to degree 3 or 5 of a Hopf-Hopf or (multipliers mu, nu) Neimark-Sacker point."""
        first = [(2, 1, 0, 0), (1, 0, 1, 1), (3, 2, 0, 0), (2, 1, 1, 1), (1, 0, 2, 2)]
        second = [(1, 1, 1, 0), (0, 0, 2, 1), (2, 2, 1, 0), (1, 1, 2, 1), (0, 0, 3, 2)]
        one, two = (tuple(of(*e) for e in group[: 2 if degree == 3 else 5]) for group in (first, second))
        if not is_map:
            return cls.of_flow(one, two)
        return cls.of_map(tuple(v / mu for v in one), tuple(v / nu for v in two))

    @classmethod
    def of_flip(cls, of: Coefficient, mu: Complex, degree: int) -> "PairAmplitudes":
        """From the coefficients of a flip-Neimark-Sacker point (w, z, z*)."""
        first = [(3, 0, 0), (1, 1, 1), (5, 0, 0), (3, 1, 1), (1, 2, 2)]
        second = [(2, 1, 0), (0, 2, 1), (4, 1, 0), (2, 2, 1), (0, 3, 2)]
        one, two = (tuple(of(*e) for e in group[: 2 if degree == 3 else 5]) for group in (first, second))
        return cls.of_map(tuple(-v for v in one), tuple(v / mu for v in two))

    @classmethod
    def of_flow(cls, one: tuple[Complex, ...], two: tuple[Complex, ...]) -> "PairAmplitudes":
        """From the coefficients of z1 (x, y, x^2, x y, y^2) and of z2, x = |z1|^2, y = |z2|^2."""
        a, b = (tuple(v.real for v in values) for values in (one, two))
        return cls((a[:2], a[2:]), (b[:2], b[2:]))

    @classmethod
    def of_map(cls, one: tuple[Complex, ...], two: tuple[Complex, ...]) -> "PairAmplitudes":
        """The same from a map, its coefficients divided by the multiplier."""
        if len(one) == 2:
            return cls.of_flow(one, two)
        (p, q), (r, s) = ((u.real, v.real) for u, v, *_ in (one, two))
        out = []
        for (u, v, uu, uv, vv), a, b in ((one, p, q), (two, r, s)):
            # log |1 + A1 + A2| = Re A1 + Re A2 - Re A1^2 / 2; and the mean growth over one step of the field is larger
            # by half of what the growth rate gains.
            quadratic = (
                (uu - u * u * 0.5).real - a * p,
                (uv - u * v).real - (a * q + b * r),
                (vv - v * v * 0.5).real - b * s,
            )
            out.append(((a, b), quadratic))
        return cls(out[0], out[1])

    @property
    def matrix(self) -> tuple[Real, Real, Real, Real]:
        """p11, p12, p21, p22: real parts of the cubic coefficients."""
        return (*self.first[0], *self.second[0])

    @property
    def has_quintic(self) -> bool:
        return bool(self.first[1])

    @property
    def quintic(self) -> tuple[Real, Real, Real]:
        """Theta and Delta of Kuznetsov (8.112), what remains of the quintic terms after a change of time; and `torus`.

        That is what no coordinate change alters of them, signed like the Lyapunov coefficient of the torus: the one of
        the Hopf point of the amplitudes' equilibrium in the difficult case, whose cycle is a torus of one frequency
        more.
        """
        (p, q), (a20, a11, a02) = self.first
        (r, s), (b20, b11, b02) = self.second
        pp, ss, pr, sq = p * p, s * s, p * r, s * q
        one = a02 + q * (b11 / r - a20 * s / pr - b02 / s * 2.0)
        two = b20 + r * (a11 / q - a20 / p * 2.0 - b02 * p / sq)
        # The last in rates of x and y, which are twice those of |z|.
        return one / ss, two / pp, pr * (two * q * (s - q) - one * r * (r - p)) * 32.0

"""Planar amplitude systems of codimension-two points: what flows and maps have in common.

Fold-Hopf, fold-Neimark-Sacker and fold-flip points share one amplitude system, Hopf-Hopf, flip-Neimark-Sacker and
double Neimark-Sacker points another. A map in normal form, divided by its linear part, is the time-one map of a vector
field up to the order that is needed; the coefficients of that field are what is compared.
Kuznetsov, Elements of Applied Bifurcation Theory, sections 8.5, 8.6 (flows), 9.5-9.7 (maps).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FoldAmplitudes:
    """v' = b v^2 + c r^2 + g3 v^3 + g1 v r^2, r' = r (d v + h2 v^2 + h1 r^2)."""

    b: float
    c: float
    d: float
    g3: float
    g1: float
    h2: float
    h1: float

    @classmethod
    def of_map(cls, b: float, c: float, d: complex, g3: float, g1: float, h2: complex, h1: complex) -> "FoldAmplitudes":
        """The field whose time-one map is v + b v^2 + ..., r |1 + d v + h2 v^2 + h1 r^2|."""
        rate = d.real
        return cls(
            b, c, rate, g3 - b * b, g1 - c * (b + rate), h2.real + 0.5 * d.imag**2 - 0.5 * rate * (b + rate),
            h1.real - 0.5 * rate * c,
        )  # fmt: skip

    @property
    def theta(self) -> float:
        """d / b: free of the scale of v."""
        return self.d / self.b

    @property
    def E(self) -> float:
        """The one cubic coefficient (of v^2 r) that coordinate changes and a change of time cannot remove."""
        b, c, d = self.b, self.c, self.d
        return self.h2 + d * (self.h1 / c - 1.5 * self.g3 / b + 0.5 * self.g1 / c) - b * self.h1 / c

    def size_of_E(self, g3: float, g1: float, h2: float, h1: float) -> float:
        """What rounding of E is to be seen against, where the cubic coefficients have these sizes."""
        b, c, d = abs(self.b), abs(self.c), abs(self.d)
        g3, g1, h2, h1 = g3 + b * b, g1 + c * (b + d), h2 + d * (b + d), h1 + d * c
        return h2 + d * (h1 / c + 1.5 * g3 / b + 0.5 * g1 / c) + b * h1 / c


@dataclass(frozen=True)
class PairAmplitudes:
    """The growth rates of x = |z1|^2 and y = |z2|^2: first and second degree in (x, y).

    Attributes
    ----------
    first, second : tuple of (x, y) and of (x^2, x y, y^2) for each of the two
    """

    first: tuple[tuple[float, float], tuple[float, float, float]]
    second: tuple[tuple[float, float], tuple[float, float, float]]

    @classmethod
    def of_flow(cls, one: tuple[complex, ...], two: tuple[complex, ...]) -> "PairAmplitudes":
        """From the coefficients of z1 (x, y, x^2, x y, y^2) and of z2, x = |z1|^2, y = |z2|^2."""
        a, b = (tuple(2.0 * v.real for v in values) for values in (one, two))
        return cls(((a[0], a[1]), (a[2], a[3], a[4])), ((b[0], b[1]), (b[2], b[3], b[4])))

    @classmethod
    def of_map(cls, one: tuple[complex, ...], two: tuple[complex, ...]) -> "PairAmplitudes":
        """The same from a map, its coefficients divided by the multiplier."""
        logs = []
        for u, v, uu, uv, vv in (one, two):
            # log |1 + A1 + A2|^2 = 2 Re A1 + 2 Re A2 - Re A1^2
            linear = (2.0 * u.real, 2.0 * v.real)
            logs.append((linear, (2.0 * uu - u * u, 2.0 * uv - 2.0 * u * v, 2.0 * vv - v * v)))
        (p, q), (r, s) = logs[0][0], logs[1][0]
        out = []
        for (a, b), quadratic in logs:
            # The mean growth over one step of the field is larger by half of what the growth rate gains.
            gain = (a * p, a * q + b * r, b * s)
            out.append(((a, b), tuple(float(c.real) - 0.5 * w for c, w in zip(quadratic, gain, strict=True))))
        return cls(out[0], out[1])  # type: ignore[arg-type]

    @property
    def matrix(self) -> tuple[float, float, float, float]:
        """p11, p12, p21, p22: real parts of the cubic coefficients."""
        (p, q), (r, s) = self.first[0], self.second[0]
        return p / 2.0, q / 2.0, r / 2.0, s / 2.0

    @property
    def has_quintic(self) -> bool:
        return bool(np.isfinite([*self.first[1], *self.second[1]]).all())

    @property
    def quintic(self) -> tuple[float, float]:
        """Theta and Delta of Kuznetsov (8.112): what remains of the quintic terms after a change of time."""
        (p, q), (a20, a11, a02) = self.first
        (r, s), (b20, b11, b02) = self.second
        with np.errstate(divide="ignore", invalid="ignore"):
            one = a02 + q * (b11 / r - a20 * s / (p * r) - 2.0 * b02 / s)
            two = b20 + r * (a11 / q - 2.0 * a20 / p - b02 * p / (s * q))
        # Rates of |z|^2 are twice those of |z|: one = 2 s1, s = 2 p22.
        return float(2.0 * one / s**2), float(2.0 * two / p**2)

    @property
    def torus(self) -> float:
        """What of the quintic terms no coordinate change alters, signed like the Lyapunov coefficient of the torus.

        It is that of the Hopf point of the amplitudes' equilibrium in the difficult case, whose cycle is a torus of
        one frequency more.
        """
        (p, q), (r, s) = self.first[0], self.second[0]
        theta, delta = self.quintic
        return float(-0.5 * r * p * (theta * s * s * r * (r - p) - delta * p * p * q * (s - q)))

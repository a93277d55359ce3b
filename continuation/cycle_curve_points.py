"""Special points along a curve of folds, flips or Neimark-Sacker points of cycles.

Where the deciding coefficient vanishes (CPC, GPD, CH), where the critical multiplier becomes double (R1, R2), where the
angle of a pair is that of a strong resonance (R3, R4), where a further multiplier reaches the unit circle.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.cycle_forms import CycleCoefficients
from gan_bifurcation.continuation.normal_forms import Raw, signed
from gan_bifurcation.errors import MisuseError

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Where the deciding coefficient of a curve vanishes.
DEGENERATE: Final = {"LPC": "CPC", "PD": "GPD", "NS": "CH"}
# Where the two vectors of a real critical multiplier become orthogonal: it is double.
_DOUBLE: Final = {"LPC": "R1", "PD": "R2"}
# Angles of the strong resonances that a curve of pairs passes.
RESONANCES: Final = {"R3": 2.0 * np.pi / 3.0, "R4": 0.5 * np.pi}
# What a further multiplier (at 1, at -1, a pair) makes of a point on each curve.
_FURTHER: Final = {
    "LPC": ("", "LPPD", "LPNS"),
    "PD": ("LPPD", "", "PDNS"),
    "NS": ("LPNS", "PDNS", "NSNS"),
}
_REAL: Final = 1e-9
_CHANGES: Final = "The criticality changes here."
_MOST: Final = 40


@dataclass(frozen=True, eq=False)
class Frame:
    """What decides at a point of the curve.

    Attributes
    ----------
    raw : Raw or None
        The coefficient, with vectors oriented like those of the point before; None where there is none.
    q, w : arrays (n,)
        The critical vectors in the flow's states.
    rounding : float
        The part of the coefficient's terms that is rounding.
    others : complex array
        Multipliers beside the trivial and the critical ones.
    """

    raw: Raw | None
    q: ComplexArray
    w: ComplexArray
    rounding: float
    others: ComplexArray

    @property
    def total(self) -> float:
        """The coefficient times <w,q>: it has no pole where the multiplier becomes double; 0 if it is rounding."""
        if self.raw is None or not self.raw.regular:
            return np.nan
        return signed(self.raw.total.real, self.raw.size, self.rounding)

    @property
    def value(self) -> float:
        """The coefficient, the sign of whose real part decides; 0 if it is rounding."""
        if self.raw is None or not self.raw.regular:
            return np.nan
        return signed(self.raw.value.real, self.raw.rounding, self.rounding)

    @property
    def overlap(self) -> float:
        return np.nan if self.raw is None else self.raw.overlap.real

    @property
    def counts(self) -> tuple[int, int, int]:
        """Further multipliers outside the unit circle: above 1, below -1, pairs."""
        mu = self.others
        real, outside = np.abs(mu.imag) <= _REAL * np.abs(mu), np.abs(mu) > 1.0
        return (
            int(np.sum(outside & real & (mu.real > 0.0))),
            int(np.sum(outside & real & (mu.real < 0.0))),
            int(np.sum(outside & ~real & (mu.imag > 0.0))),
        )

    def distance(self, kind: int) -> float:
        """How far the nearest further multiplier is outside the unit circle: near 1 (0), near -1 (1), a pair (2)."""
        mu = self.others
        real = np.abs(mu.imag) <= _REAL * np.abs(mu)
        some = mu[~real & (mu.imag > 0.0)] if kind == 2 else mu[real & ((mu.real > 0.0) == (kind == 0))]
        if not len(some):
            return np.nan
        return float(np.abs(some[np.argmin(np.abs(np.abs(some) - 1.0))]) - 1.0)


class Scanner:
    """The special points of one direction of a curve."""

    def __init__(self, kind: str, coefficients: bool) -> None:
        self.kind = kind
        self.real = kind != "NS"
        self.forms = CycleCoefficients(kind) if coefficients else None
        self.note = ""
        self.values: list[float] = []
        self.before: Frame | None = None
        self.last_sign = 0.0

    def frame(self, point: Point, near: Frame | None) -> Frame:
        """The frame of a point of the curve, oriented like another one."""
        others = _others(point.spectrum, point.critical, 2 - self.real)
        blank = np.zeros(0, dtype=complex)
        if self.forms is None:
            return Frame(None, blank, blank, 0.0, others)
        try:
            raw, q, w, rounding = self.forms.at(point)
        except MisuseError as error:
            self.forms, self.note = None, str(error)
            return Frame(None, blank, blank, 0.0, others)
        if self.real and near is not None and near.raw is not None:
            flip_q, flip_w = float(np.vdot(near.q, q).real) < 0.0, float(np.vdot(near.w, w).real) < 0.0
            q, w = (-q if flip_q else q), (-w if flip_w else w)
            # B(q, q) does not see the sign of q, C(q, q, q) and B(q, h2) do.
            turned = flip_w != (flip_q and self.kind == "PD")
            raw = replace(
                raw, overlap=raw.overlap * (-1.0 if flip_q != flip_w else 1.0),
                total=raw.total * (-1.0 if turned else 1.0),
            )  # fmt: skip
        return Frame(raw, q, w, rounding, others)

    def begin(self, point: Point) -> None:
        """The first point of a direction."""
        self.before, self.here = self.frame(point, None), point
        self.values = [self.before.value]
        self.last_sign = np.sign(self._deciding(self.before))

    def _deciding(self, frame: Frame) -> float:
        return frame.total if self.real else frame.value

    def step(
        self, point: Point, angles: tuple[float, float], at: Callable[[float], Point | None],
        at_angle: Callable[[float], Point | None],
    ) -> list[tuple[float, Point]]:  # fmt: skip
        """The special points of a step: at which part of it, and what.

        Parameters
        ----------
        point : Point
            At its end.
        angles : pair of float
            Of the critical pair, at both ends.
        at, at_angle : callable
            The point at a part of the step, or with a given angle.
        """
        a = self.before
        assert a is not None
        b = self.frame(point, a)
        found: list[tuple[float, Point]] = []
        if not self.real:
            low, high = angles
            for name, angle in RESONANCES.items():
                if (low < angle) != (high < angle):
                    hit = at_angle(angle)
                    if hit is not None:
                        found.append(((angle - low) / (high - low), replace(hit, label=name)))
        one, two = self._deciding(a), self._deciding(b)
        text = "" if self.kind == "LPC" else _CHANGES
        if one * two < 0.0:
            found += self._zero(a, b, self._deciding, at, DEGENERATE[self.kind], text)
        elif one == 0.0 and self.last_sign * two < 0.0:
            found.append((0.0, replace(self.here, label=DEGENERATE[self.kind], note=text)))
        if self.real and a.overlap * b.overlap < 0.0:
            found += self._zero(a, b, lambda f: f.overlap, at, _DOUBLE[self.kind], "")
        doubles = [x for x, p in found if p.label in ("R1", "R2")]
        for kind, label in enumerate(_FURTHER[self.kind]):
            if label and a.counts[kind] != b.counts[kind] and not doubles:
                found += self._zero(a, b, lambda f, kind=kind: f.distance(kind), at, label, "")  # type: ignore[misc]
        self.values.append(b.value)
        self.last_sign = np.sign(two) if two != 0.0 and np.isfinite(two) else self.last_sign
        self.before, self.here = b, point
        return sorted(found, key=lambda pair: pair[0])

    def _zero(
        self, a: Frame, b: Frame, of: Callable[[Frame], float], at: Callable[[float], Point | None], label: str,
        note: str,
    ) -> list[tuple[float, Point]]:  # fmt: skip
        """A zero between two points of the curve, by the Illinois variant of regula falsi on the curve itself."""
        low, high, fa, fb = 0.0, 1.0, of(a), of(b)
        if not fa * fb < 0.0:
            return []
        size, side = abs(fa) + abs(fb), 0
        best: tuple[float, Point] | None = None
        value = np.inf
        for _ in range(_MOST):
            x = (low * fb - high * fa) / (fb - fa)
            point = at(x)
            if point is None:
                break
            value = of(self.frame(point, a))
            if not np.isfinite(value):
                break
            best = x, point
            if abs(value) < 1e-11 * size or high - low < 1e-12:
                break
            if value * fb > 0.0:
                high, fb = x, value
                fa *= 0.5 if side == 1 else 1.0
                side = 1
            else:
                low, fa = x, value
                fb *= 0.5 if side == -1 else 1.0
                side = -1
        # At a pole the sign changes through infinity.
        if best is None or not abs(value) < 1e-3 * size:
            return []
        return [(best[0], replace(best[1], label=label, note=note))]


def _others(spectrum: ComplexArray, critical: complex, width: int) -> ComplexArray:
    mu = np.asarray(spectrum[1:])
    goals = [critical] if width == 1 else [critical, np.conj(critical)]
    for goal in goals:
        if len(mu):
            mu = np.delete(mu, int(np.argmin(np.abs(mu - goal))))
    return mu

"""Special points along a curve: resonances, double eigenvalues, and where the deciding coefficient vanishes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.conditions import (
    choose_components,
    condition_matrix,
    critical_eigenvalue,
    make_point,
)
from gan_bifurcation.continuation.march import Strip, project
from gan_bifurcation.continuation.normal_forms import DECIDING, normal_form
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.errors import MisuseError, Outcome

FloatArray = NDArray[np.float64]

# Where the deciding coefficient of a curve vanishes: cusp, generalised Hopf (Bautin), generalised flip, Chenciner.
DEGENERATE: Final = {"LP": "CP", "H": "GH", "PD": "GPD", "NS": "CH"}
# Angles on a Neimark-Sacker curve: cos(theta) of the strong resonances that the curve passes.
RESONANCES: Final = {"R3": -0.5, "R4": 0.0}


class CurveScanner:
    """Special points along a curve.

    Where a pair becomes real (the curve ends), resonances, sign changes of the coefficient.
    """

    def __init__(self, problem: CurveProblem, label: str, coefficients: bool) -> None:
        self.problem = problem
        self.label = label
        self.coefficients = (
            coefficients
            and label in DECIDING
            and not problem.level
            and problem.condition in ("real", "minus", "pair")
            and not problem.k
        )
        self.values: dict[int, float] = {}
        self.frames: dict[int, tuple[FloatArray, FloatArray]] = {}
        self.end: Outcome | None = None

    def coefficient(self, u: FloatArray) -> float:
        """The coefficient that decides, at a point of the curve; NaN where it does not exist."""
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        if critical is None:
            return np.nan
        point = Point(self.problem.at(u), self.problem.states(u), np.zeros(0, complex), self.label, critical=critical)
        try:
            return DECIDING[self.label](normal_form(point))
        except (MisuseError, np.linalg.LinAlgError):
            return np.nan

    def frame(self, u: FloatArray, near: tuple[FloatArray, FloatArray] | None) -> tuple[FloatArray, FloatArray]:
        """Unit right and left null vectors of a real critical eigenvalue, oriented as those of a point nearby."""
        a = self.problem.jacobian_states(u)
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        left, _, right = np.linalg.svd(a - (0.0 if critical is None else critical.real) * np.eye(len(a)))
        q, p = right[-1], left[:, -1]
        if near is None:
            near = (np.sign(q[np.argmax(np.abs(q))]) * q, p)
        return q * (1.0 if float(q @ near[0]) >= 0.0 else -1.0), p * (1.0 if float(p @ near[1]) >= 0.0 else -1.0)

    def _oriented(self, u: FloatArray, near: tuple[FloatArray, FloatArray]) -> float:
        """The coefficient of a fold with the sign of q carried along: its own is that of q's largest component."""
        q, _ = self.frame(u, near)
        return self.coefficient(u) * float(np.sign(q[np.argmax(np.abs(q))]) if self.label == "LP" else 1.0)

    def _overlap(self, u: FloatArray, near: tuple[FloatArray, FloatArray]) -> float:
        q, p = self.frame(u, near)
        return float(q @ p)

    def _regular(self, u: FloatArray, near: tuple[FloatArray, FloatArray]) -> float:
        """The coefficient times <p,q> of unit vectors: it has no pole where the eigenvalue becomes double."""
        return self._oriented(u, near) * self._overlap(u, near)

    def scan(self, strip: Strip, offset: int) -> list[Point]:
        found: list[Point] = []
        problem = self.problem
        real = problem.condition in ("real", "minus")
        if self.coefficients:
            for i in range(len(strip)):
                k = offset + i
                if k not in self.values:
                    if real:
                        self.frames[k] = self.frame(strip.u[i], self.frames.get(k - 1))
                        self.values[k] = self._oriented(strip.u[i], self.frames[k])
                    else:
                        self.values[k] = self.coefficient(strip.u[i])
        # The march goes on with the borders of its last point, so those of an interval are only borrowed.
        kept = [a.copy() for a in self._borders()]
        for i in range(len(strip) - 1):
            pair = strip.slice(slice(i, i + 2))
            here: list[tuple[float, Point]] = []
            if problem.condition == "pair" and problem.system.kind == "map" and not problem.level:
                k0, k1 = pair.u[:, -1]
                for name, target in RESONANCES.items():
                    if (k0 < target) != (k1 < target):
                        here += self._at_kappa(pair, target, name)
            if self.coefficients and real:
                here += self._real_points(pair, offset + i)
            elif self.coefficients and (self.values[offset + i] > 0.0) != (self.values[offset + i + 1] > 0.0):
                here += self._vanishing(pair, self.coefficient, DEGENERATE[self.label], _CHANGES)
            found += [replace(p, index=offset + i + f) for f, p in sorted(here, key=lambda e: e[0])]
        for a, b in zip(self._borders(), kept, strict=True):
            a[:] = b
        if problem.condition == "pair" and _beyond(problem, strip.u[-1:]).any():
            self.end = Outcome("real", "The pair became real.", True)
        return found

    def _borders(self) -> tuple[Any, ...]:
        arrays = self.problem.arrays
        return arrays.border_b, arrays.border_c, arrays.pick

    def _real_points(self, pair: Strip, k: int) -> list[tuple[float, Point]]:
        """Where the coefficient of a fold or flip vanishes, and where the critical eigenvalue becomes double."""
        here = []
        frame = self.frames[k]
        overlaps = [float(q @ p) for q, p in (frame, self.frames[k + 1])]
        if self.values[k] * overlaps[0] * self.values[k + 1] * overlaps[1] <= 0.0:
            here += self._vanishing(pair, lambda u: self._regular(u, frame), DEGENERATE[self.label], _CHANGES)
        if overlaps[0] * overlaps[1] <= 0.0:
            double = "R2" if self.label == "PD" else ("R1" if self.problem.system.kind == "map" else "BT")
            text = "The critical eigenvalue is double here: the curve of a pair ends at this point."
            here += self._vanishing(pair, lambda u: self._overlap(u, frame), double, text)
        return here

    def _fraction(self, pair: Strip, u: FloatArray) -> float:
        chord = pair.u[1] - pair.u[0]
        return float(np.clip((u - pair.u[0]) @ chord / (chord @ chord), 0.0, 1.0))

    def _at_kappa(self, pair: Strip, target: float, label: str) -> list[tuple[float, Point]]:
        u = solve_at_kappa(self.problem, pair, target)
        if u is None:
            return []
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        point = make_point(self.problem, u, label, complex(np.nan) if critical is None else critical, "")
        return [(self._fraction(pair, u), point)]

    def _vanishing(
        self, pair: Strip, value: Callable[[FloatArray], float], label: str, note: str
    ) -> list[tuple[float, Point]]:
        """A zero of a function between two points, by the Illinois variant of regula falsi on the curve itself."""
        low, high = 0.0, 1.0
        a, b = value(pair.u[0]), value(pair.u[1])
        if not np.isfinite(a + b) or (a > 0.0) == (b > 0.0):
            return []
        size = abs(a) + abs(b)
        chord = pair.u[1] - pair.u[0]
        set_borders_at(self.problem, pair.u[0])
        u, here, side = pair.u[1], b, 0
        for _ in range(80):
            if abs(high - low) < 1e-15 or abs(here) < 1e-14 * size:
                break
            f = (low * b - high * a) / (b - a)
            new = project(self.problem, pair.u[0] + f * chord, chord)
            if new is None:
                return []
            u, here = new.u[0], value(new.u[0])
            if not np.isfinite(here):
                return []
            if (here > 0.0) == (b > 0.0):
                high, b = f, here
                a *= 0.5 if side == 1 else 1.0
                side = 1
            else:
                low, a = f, here
                b *= 0.5 if side == -1 else 1.0
                side = -1
        if abs(here) > 1e-3 * size:
            return []  # a pole: the sign changes through infinity
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        point = make_point(self.problem, u, label, complex(np.nan) if critical is None else critical, "")
        return [(self._fraction(pair, u), replace(point, note=note))]


_CHANGES: Final = "The criticality changes here."


def set_borders_at(problem: CurveProblem, u: FloatArray) -> None:
    """Take the borders of a point of the curve: those of the last point of a march may be far away."""
    critical = critical_eigenvalue(problem, u, complex(np.nan))
    if problem.condition in ("real", "minus", "pair") and critical is not None and not problem.k:
        problem.set_borders(condition_matrix(problem, u, critical))
        choose_components(problem, problem.jacobian_states(u))


def solve_at_kappa(problem: CurveProblem, pair: Strip, target: float) -> FloatArray | None:
    """The point of a pair's curve with a given kappa, between two points of it."""
    set_borders_at(problem, pair.u[0])
    row = np.zeros(problem.size)
    row[-1] = 1.0
    k = pair.u[:, -1]
    u, ok = problem.newton(pair.u[0] + (target - k[0]) / (k[1] - k[0]) * (pair.u[1] - pair.u[0]), row, target)
    return u if ok else None


def _beyond(problem: CurveProblem, u: FloatArray) -> NDArray[np.bool_]:
    """Where the pair of a pair's curve is real."""
    k = u[:, -1]
    return np.asarray(np.abs(k) > 1.0 + 1e-12 if problem.system.kind == "map" else k < 0.0)

"""Special points along a curve: resonances, double eigenvalues, and where the deciding coefficient vanishes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.codimension_two_extended import solve_vanishing
from gan_bifurcation.continuation.codimension_two_location import DOUBLE, Crossings, solve_double
from gan_bifurcation.continuation.conditions import (
    aim,
    critical_eigenvalue,
    make_point,
)
from gan_bifurcation.continuation.march import Strip, project
from gan_bifurcation.continuation.normal_forms import DECIDING, Coefficients, Raw, signed
from gan_bifurcation.continuation.problem import NEUTRAL, CurveProblem
from gan_bifurcation.errors import Outcome

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
        self.frames: dict[int, Raw] = {}
        self.forms = Coefficients(problem.system, label) if self.coefficients else None
        self.end: Outcome | None = None
        self.crossings = Crossings(problem, label)

    def raw(self, u: FloatArray, near: Raw | None = None) -> Raw | None:
        """The coefficient with its null vectors, oriented as those of a point nearby; None where there is none."""
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        if critical is None:
            return None
        assert self.forms is not None
        raw = self.forms.at(self.problem.joint(u), critical)
        if near is None:
            return raw
        flip_q = float(np.vdot(near.q, raw.q).real) < 0.0
        flip_w = float(np.vdot(near.w, raw.w).real) < 0.0
        return replace(
            raw,
            q=-raw.q if flip_q else raw.q,
            w=-raw.w if flip_w else raw.w,
            overlap=raw.overlap * (-1.0 if flip_q != flip_w else 1.0),
            # B(q, q) does not see the sign of q, C(q, q, q) and B(q, h2) do.
            total=raw.total * (-1.0 if flip_w != (flip_q and self.label == "PD") else 1.0),
        )

    def coefficient(self, u: FloatArray) -> float:
        """The coefficient that decides, at a point of the curve; NaN where it does not exist."""
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        if critical is None or self.forms is None:
            return np.nan
        return self.forms.deciding(self.problem.joint(u), critical)

    def _exact(self, u: FloatArray) -> float:
        """The same with its rounding: where it vanishes is found better than where it has a sign."""
        raw = self.raw(u)
        return np.nan if raw is None else raw.value.real

    def _regular(self, u: FloatArray, near: Raw) -> float:
        """The coefficient times <w,q> of unit vectors: it has no pole where the eigenvalue becomes double."""
        raw = self.raw(u, near)
        return np.nan if raw is None else raw.total.real

    def _overlap(self, u: FloatArray, near: Raw) -> float:
        raw = self.raw(u, near)
        return np.nan if raw is None else raw.overlap.real

    def scan(self, strip: Strip, offset: int) -> list[Point]:
        found: list[Point] = []
        problem = self.problem
        real = problem.condition in ("real", "minus")
        if self.coefficients:
            for i in range(len(strip)):
                k = offset + i
                if k not in self.values:
                    if real:
                        raw = self.raw(strip.u[i], self.frames.get(k - 1))
                        self.values[k] = np.nan
                        if raw is not None and raw.regular:
                            self.frames[k] = raw
                            self.values[k] = signed(raw.value.real, raw.rounding)
                    elif double_at(problem, strip.u[i, -1]):
                        self.values[k] = np.nan
                    else:
                        self.values[k] = self.coefficient(strip.u[i])
        # The march goes on with the borders of its last point, so those of an interval are only borrowed.
        kept = [a.copy() for a in self._borders()]
        counted = self.crossings.counted(strip)
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
            elif self.coefficients and self._changes(offset + i):
                here += self._vanishing(pair, self._exact, DEGENERATE[self.label], _CHANGES)
            if not _beyond(problem, pair.u).any() if problem.condition == "pair" else not problem.has_kappa:
                doubles = {p.label for _, p in here if p.label in DOUBLE}
                crossed = self.crossings.scan(pair, counted[i : i + 2], doubles)
                # Where another eigenvalue crosses, the coefficient may change its sign without meaning.
                here = [(f, p) for f, p in here if not any(abs(f - g) < 1e-6 for g, _ in crossed)] + crossed
            found += [replace(p, index=offset + i + f) for f, p in sorted(here, key=lambda e: e[0])]
        for a, b in zip(self._borders(), kept, strict=True):
            a[:] = b
        if problem.condition == "pair" and bool(_beyond(problem, strip.u[-1:])[0]) != (self.label == NEUTRAL):
            self.end = Outcome("real", "The pair became real.", True)
        return found

    def _changes(self, k: int) -> bool:
        """Whether the coefficient has another sign at the next point; not where one of the two is a double point."""
        a, b = self.values[k], self.values[k + 1]
        return bool(np.isfinite(a + b)) and (a > 0.0) != (b > 0.0)

    def _borders(self) -> tuple[Any, ...]:
        arrays = self.problem.arrays
        return arrays.border_b, arrays.border_c, arrays.pick

    def _real_points(self, pair: Strip, k: int) -> list[tuple[float, Point]]:
        """Where the coefficient of a fold or flip vanishes, and where the critical eigenvalue becomes double."""
        here: list[tuple[float, Point]] = []
        if k not in self.frames or k + 1 not in self.frames:
            return here
        frame, following = self.frames[k], self.frames[k + 1]
        ends = signed(frame.total.real, frame.size), signed(following.total.real, following.size)
        # Where it is rounding at both ends, it vanishes all along, which is no point.
        if ends[0] * ends[1] <= 0.0 and ends != (0.0, 0.0):
            text = "" if self.label == "LP" else _CHANGES
            here += self._vanishing(pair, lambda u: self._regular(u, frame), DEGENERATE[self.label], text)
        if frame.overlap.real * following.overlap.real <= 0.0:
            double = "R2" if self.label == "PD" else ("R1" if self.problem.system.kind == "map" else "BT")
            text = "The critical eigenvalue is double here: the curve of a pair ends at this point."
            here += [
                (f, self._polished(p))
                for f, p in self._vanishing(pair, lambda u: self._overlap(u, frame), double, text)
            ]
        return here

    def _polished(self, point: Point) -> Point:
        """The point by Newton's method on the extended system of a double eigenvalue."""
        solved = solve_double(self.problem, self.problem.pack(point.x, values=point.parameters), point.label)
        if solved is None:
            return point
        u, residual = solved
        exact = make_point(self.problem, u, point.label, point.critical, "")
        near = np.allclose(self.problem.parameters(u), [point.parameters[k] for k in self.problem.free], rtol=1e-5)
        return replace(exact, note=point.note, residual=max(exact.residual, residual)) if near else point

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
        close = _CLOSE
        for _ in range(80):
            if abs(high - low) < 1e-15 or abs(here) < 1e-14 * size:
                break
            if label in DEGENERATE.values() and abs(here) < close * size:
                exact = self._extended(pair, u, label, note)
                if exact is not None:
                    return [exact]
                close *= 1e-4
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

    def _extended(self, pair: Strip, u: FloatArray, label: str, note: str) -> tuple[float, Point] | None:
        """The same by Newton's method from a point nearby, if it stays between the two."""
        found = solve_vanishing(self.problem, self.label, u)
        if found is None:
            return None
        chord = pair.u[1] - pair.u[0]
        along = float((found[0] - pair.u[0]) @ chord / (chord @ chord))
        off = float(np.linalg.norm(found[0] - pair.u[0] - along * chord))
        if not -1e-9 <= along <= 1.0 + 1e-9 or off > 0.5 * float(np.linalg.norm(chord)) + 1e-9:
            return None
        critical = critical_eigenvalue(self.problem, found[0], complex(np.nan))
        if critical is None:
            return None
        point = make_point(self.problem, found[0], label, critical, "")
        return self._fraction(pair, found[0]), replace(point, residual=found[1], note=note)


_CHANGES: Final = "The criticality changes here."
# Newton's method takes over from regula falsi where the coefficient is this part of what it is at the two ends.
_CLOSE: Final = 1e-2


def set_borders_at(problem: CurveProblem, u: FloatArray) -> None:
    """Take the borders of a point of the curve: those of the last point of a march may be far away."""
    critical = critical_eigenvalue(problem, u, complex(np.nan))
    branch = problem.k and problem.condition == "real"
    if problem.condition in ("real", "minus", "pair") and critical is not None and not branch:
        aim(problem, u, critical)


def solve_at_kappa(problem: CurveProblem, pair: Strip, target: float) -> FloatArray | None:
    """The point of a pair's curve with a given kappa, between two points of it."""
    set_borders_at(problem, pair.u[0])
    row = np.zeros(problem.size)
    row[-1] = 1.0
    k = pair.u[:, -1]
    u, ok = problem.newton(pair.u[0] + (target - k[0]) / (k[1] - k[0]) * (pair.u[1] - pair.u[0]), row, target)
    return u if ok else None


def double_at(problem: CurveProblem, kappa: float) -> str:
    """The label of a pair that is double and real at this kappa, "" for none."""
    if problem.system.kind == "flow":
        return "BT" if abs(kappa) < 1e-9 else ""
    return "" if abs(abs(kappa) - 1.0) > 1e-9 else ("R1" if kappa > 0.0 else "R2")


def _beyond(problem: CurveProblem, u: FloatArray) -> NDArray[np.bool_]:
    """Where the pair of a pair's curve is real."""
    k = u[:, -1]
    return np.asarray(np.abs(k) > 1.0 + 1e-12 if problem.system.kind == "map" else k < -1e-12)

"""Curves of special points in two parameters, by minimally augmented systems."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.detect import (
    choose_components,
    condition_matrix,
    critical_eigenvalue,
    kappa_of,
    kappa_unit,
    make_point,
    margins,
)
from gan_bifurcation.continuation.march import StepControl, Strip, project, record, start_tangent
from gan_bifurcation.continuation.normal_forms import DECIDING, normal_form
from gan_bifurcation.continuation.problem import CONDITION_OF, CurveProblem, full_spectrum
from gan_bifurcation.continuation.run import Ends, Run, follow
from gan_bifurcation.continuation.scales import in_natural_units, natural_scale
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# Where the deciding coefficient of a curve vanishes: cusp, generalised Hopf (Bautin), generalised flip, Chenciner.
DEGENERATE: Final = {"LP": "CP", "H": "GH", "PD": "GPD", "NS": "CH"}
# Angles on a Neimark-Sacker curve: cos(theta) of the strong resonances that the curve passes.
RESONANCES: Final = {"R3": -0.5, "R4": 0.0}


def curve_problem(point: Point, windows: dict[str, Range], scale: FloatArray) -> CurveProblem:
    """The problem of the curve that a labelled point lies on.

    Raises
    ------
    MisuseError
        If the point has no label with a curve.
    """
    system = point.system
    conditions = CONDITION_OF[system.kind]
    if point.condition in ("function", "focus", "structural", "structural minus") or point.level:
        unit = kappa_unit(system.kind, point.condition, point.critical)
        return CurveProblem(
            system,
            windows,
            point.condition,  # type: ignore[arg-type]
            point.level,
            scale=scale,
            kappa_unit=unit,
        )
    if point.label not in conditions:
        what = point.name or point.label or "an ordinary point"
        raise MisuseError(
            f"Two free parameters trace the curve of a labelled point ({', '.join(conditions)} or an event), "
            f"got {what}; free one parameter, or take a special point of a branch."
        )
    if point.multiplicity > 1:
        raise MisuseError(
            f"{point.name or point.label} has {point.multiplicity} equal critical eigenvalues, so its curve is "
            "not that of a simple point; "
            "restrict the system to a fixed-point subspace with gb.restrict."
        )
    condition = conditions[point.label]
    if point.label != "BP":
        unit = kappa_unit(system.kind, condition, point.critical)
        return CurveProblem(system, windows, condition, scale=scale, kappa_unit=unit)
    a = np.ascontiguousarray(system.jacobian(point.x)[:, : system.n])
    shifted = a - np.eye(len(a)) if system.kind == "map" else a
    left, _, right = np.linalg.svd(shifted)
    return CurveProblem(
        system, windows, condition, pins=right[-1:].T.copy(), unfolding=left[:, -1:].copy(), scale=scale
    )


def start_on_curve(problem: CurveProblem, point: Point) -> FloatArray:
    """Unknowns of the curve at a labelled point, borders set.

    Raises
    ------
    MisuseError
        If the point does not satisfy the curve's condition.
    """
    u = problem.pack(point.x, kappa_of(problem, point.critical) if problem.has_kappa else 0.0)
    if problem.k:
        problem.set_reference(point.x)
    if problem.condition in ("real", "minus", "pair", "focus"):
        a = problem.jacobian_states(u)
        problem.set_borders(condition_matrix(problem, u, point.critical))
        choose_components(problem, a)
    r, d = problem.residual(u)
    # One Gauss-Newton step of least norm takes rounding out without a choice of plane.
    # Equations in their own units: a system's time may be slow or fast.
    sizes = np.max(np.abs(d), axis=1)
    sizes = np.where(sizes > 0.0, sizes, 1.0)
    u = u - np.linalg.lstsq(d / sizes[:, None], r / sizes, rcond=1e-12)[0]
    r = problem.residual(u)[0] / sizes
    if not np.linalg.norm(r) < 1e-6:
        raise MisuseError(
            f"The start does not lie on a curve of {point.label} (residual {np.linalg.norm(r):.1e}); take a "
            "located special point."
        )
    return np.asarray(u)


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
            elif self.coefficients and self.values[offset + i] * self.values[offset + i + 1] <= 0.0:
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


def _cut_pair(problem: CurveProblem, run: Run) -> tuple[Run, Point | None]:
    """End a pair's curve exactly where the pair becomes real.

    1:1 and 1:2 resonance of maps, Bogdanov-Takens of flows.
    """
    k = run.strip.u[:, -1]
    is_map = problem.system.kind == "map"
    if problem.condition != "pair":
        return run, None
    beyond = _beyond(problem, run.strip.u)
    if not beyond.any():
        return run, None
    i = int(np.argmax(beyond))
    if i == 0:
        return run, None
    target = float(np.sign(k[i])) if is_map else 0.0
    label = ("R1" if target > 0.0 else "R2") if is_map else "BT"
    u = solve_at_kappa(problem, run.strip.slice(slice(i - 1, i + 1)), target)
    kept = run.strip.slice(slice(0, i))
    fraction = float((target - k[i - 1]) / (k[i] - k[i - 1]))
    points = [p for p in run.points if p.index <= i - 1 + fraction]
    text = (
        f"The pair became real at {label}; beyond it the condition holds at a neutral saddle, which is no bifurcation."
    )
    outcome = Outcome(label, text, True)
    if u is None:
        return replace(run, strip=kept, points=points, outcome=outcome, closed=False), None
    final = record(problem, u, run.strip.t[i])
    if final is not None:
        from gan_bifurcation.continuation.march import join

        kept = join([kept, final])
    point = replace(make_point(problem, u, label, complex(target if is_map else 0.0), ""), index=float(len(kept) - 1))
    return replace(run, strip=kept, points=[*points, point], outcome=outcome, closed=False), point


def trace_curve(
    point: Point, windows: dict[str, Range], ends: Ends, control: StepControl, coefficients: bool
) -> Branch:
    """Trace the curve of a labelled point over two parameters (called by `trace`)."""

    def attempt(scale: FloatArray, cautious: StepControl) -> Branch:
        return _trace_scaled(point, windows, ends, cautious, coefficients, scale)

    return in_natural_units(attempt, natural_scale(point.system, point.x, {}), control)


def _trace_scaled(
    point: Point, windows: dict[str, Range], ends: Ends, control: StepControl, coefficients: bool, scale: FloatArray
) -> Branch:
    from gan_bifurcation.continuation.trace import _numbered

    problem = curve_problem(point, windows, scale)
    u = start_on_curve(problem, point)
    tangent, nullity = start_tangent(problem, u)
    if nullity > 1:
        raise MisuseError(
            f"The equations of the {point.label} curve are singular at the start: a codimension-two point, a "
            "symmetric system (for BP "
            "curves locate the point on the symmetric branch), or a manifold of equilibria; start beside it or "
            "restrict the system."
        )
    first = record(problem, u, tangent)
    if first is None:
        raise MisuseError("The curve has no unique tangent at the start; start from another point of it.")
    label = point.label
    runs = []
    scanners = []
    for direction in (1.0, -1.0):
        begin = replace(first, t=direction * first.t, signs=direction * first.signs)
        problem = curve_problem(point, windows, scale)
        start_on_curve(problem, point)
        problem.residual(u)
        scanner = CurveScanner(problem, label, coefficients)
        run = follow(problem, begin, control, scanner, ends)
        run, _ = _cut_pair(problem, run)
        runs.append(run)
        scanners.append(scanner)
        if run.closed:
            break
    if len(runs) == 2:
        strip, points = runs[1].then(runs[0])
        offset = len(runs[1].strip) - 1
        values = {offset - i: v for i, v in scanners[1].values.items()} | {
            offset + i: v for i, v in scanners[0].values.items()
        }
        outcome = (runs[1].outcome, runs[0].outcome)
    else:
        strip, points, values, outcome = (
            runs[0].strip,
            runs[0].points,
            scanners[0].values,
            (runs[0].outcome, runs[0].outcome),
        )
    measures: dict[str, FloatArray] = {}
    if problem.condition == "pair":
        k = strip.u[:, -1]
        measures = (
            {"theta": np.arccos(np.clip(k, -1.0, 1.0))}
            if problem.system.kind == "map"
            else {"omega": np.sqrt(np.maximum(k * problem.kappa_unit, 0.0))}
        )
    if scanners[0].coefficients:
        measures["coefficient"] = np.array([values.get(i, np.nan) for i in range(len(strip))])
    note = ""
    if problem.k:
        worst = float(np.max(np.abs(strip.u[:, problem.system.n : problem.system.n + problem.k])))
        if worst > 1e-7:
            note = (
                f"The unfolding multiplier reached {worst:.1e}: these are not branch points of a symmetric "
                "system all along."
            )
    return Branch(
        problem.system, tuple(windows), label, problem.parameters(strip.u), problem.states(strip.u),
        full_spectrum(problem, strip.spectra, strip.structural), _unstable_beside(problem, strip),
        tuple(_numbered(points)), outcome, runs[0].closed, measures, note, point.level, problem.condition,
        _critical_along(problem, strip),
    )  # fmt: skip


def _critical_along(problem: CurveProblem, strip: Strip) -> NDArray[np.complex128]:
    """The eigenvalue that the condition speaks of, at each point; NaN where there is none."""
    found = (critical_eigenvalue(problem, u, complex(c)) for u, c in zip(strip.u, strip.structural, strict=True))
    return np.array([complex(np.nan) if z is None else z for z in found])


def _unstable_beside(problem: CurveProblem, strip: Strip) -> NDArray[np.int64]:
    """Unstable eigenvalues along a curve without the critical ones."""
    kind = problem.system.kind
    number = np.zeros(len(strip), dtype=np.int64)
    for i in range(len(strip)):
        s = full_spectrum(problem, strip.spectra[i], strip.structural[i])
        margin = margins(kind, s)
        if problem.condition in ("real", "minus", "pair") and not problem.level:
            critical = critical_eigenvalue(problem, strip.u[i], complex(np.nan))
            drop = []
            for z in (
                []
                if critical is None
                else ([critical, np.conj(critical)] if problem.condition == "pair" else [critical])
            ):
                order = np.argsort(np.abs(s - z))
                drop.append(next(int(j) for j in order if int(j) not in drop))
            margin = np.delete(margin, drop)
        number[i] = int(np.sum(margin > 1e-9))
    return number

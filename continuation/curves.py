"""Curves of special points in two parameters, by minimally augmented systems."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.detect import (
    choose_components,
    condition_matrix,
    critical_eigenvalue,
    kappa_of,
    make_point,
    margins,
)
from gan_bifurcation.continuation.march import StepControl, Strip, project, record, start_tangent
from gan_bifurcation.continuation.normal_forms import DECIDING, normal_form
from gan_bifurcation.continuation.problem import CONDITION_OF, CurveProblem, full_spectrum
from gan_bifurcation.continuation.run import Ends, Run, follow
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# Where the deciding coefficient of a curve vanishes: cusp, generalised Hopf (Bautin), generalised flip, Chenciner.
DEGENERATE: Final = {"LP": "CP", "H": "GH", "PD": "GPD", "NS": "CH"}
# Angles on a Neimark-Sacker curve: cos(theta) of the strong resonances that the curve passes.
RESONANCES: Final = {"R3": -0.5, "R4": 0.0}


def curve_problem(point: Point, windows: dict[str, Range]) -> CurveProblem:
    """The problem of the curve that a labelled point lies on.

    Raises
    ------
    MisuseError
        If the point has no label with a curve.
    """
    system = point.system
    conditions = CONDITION_OF[system.kind]
    if point.condition in ("function", "focus", "structural", "structural minus") or point.level:
        return CurveProblem(system, windows, point.condition, point.level)  # type: ignore[arg-type]
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
        return CurveProblem(system, windows, condition)
    a = np.ascontiguousarray(system.jacobian(point.x)[:, : system.n])
    shifted = a - np.eye(len(a)) if system.kind == "map" else a
    left, _, right = np.linalg.svd(shifted)
    return CurveProblem(system, windows, condition, pins=right[-1:].T.copy(), unfolding=left[:, -1:].copy())


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
    u = u - np.linalg.lstsq(d, r, rcond=1e-12)[0]
    r, _ = problem.residual(u)
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
        self.end: Outcome | None = None
        self._q: FloatArray | None = None

    def coefficient(self, u: FloatArray) -> float:
        """The coefficient that decides, at a point of the curve; NaN where it does not exist."""
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        if critical is None:
            return np.nan
        point = Point(self.problem.at(u), self.problem.states(u), np.zeros(0, complex), self.label, critical=critical)
        try:
            value = DECIDING[self.label](normal_form(point))
        except (MisuseError, np.linalg.LinAlgError):
            return np.nan
        if self.label == "LP":
            # The sign of a depends on that of q; carry q along.
            _, _, right = np.linalg.svd(
                self.problem.jacobian_states(u)
                - (np.eye(self.problem.system.n) if self.problem.system.kind == "map" else 0.0)
            )
            q = right[-1] * np.sign(right[-1][np.argmax(np.abs(right[-1]))])
            if self._q is not None and float(q @ self._q) < 0.0:
                q, value = -q, -value
            self._q = q
        return value

    def scan(self, strip: Strip, offset: int) -> list[Point]:
        found: list[Point] = []
        problem = self.problem
        if self.coefficients:
            for i in range(len(strip)):
                if offset + i not in self.values:
                    self.values[offset + i] = self.coefficient(strip.u[i])
        for i in range(len(strip) - 1):
            pair = strip.slice(slice(i, i + 2))
            here: list[tuple[float, Point]] = []
            if problem.condition == "pair":
                k = pair.u[:, -1]
                targets = RESONANCES if problem.system.kind == "map" and not problem.level else {}
                for name, target in targets.items():
                    if (k[0] - target) * (k[1] - target) < 0.0:
                        here += self._at_kappa(pair, target, name)
            if self.coefficients:
                a, b = self.values[offset + i], self.values[offset + i + 1]
                if a * b < 0.0:
                    here += self._vanishing(pair, a, b)
            found += [replace(p, index=offset + i + f) for f, p in sorted(here, key=lambda e: e[0])]
        return found

    def _fraction(self, pair: Strip, u: FloatArray) -> float:
        chord = pair.u[1] - pair.u[0]
        return float(np.clip((u - pair.u[0]) @ chord / (chord @ chord), 0.0, 1.0))

    def _at_kappa(self, pair: Strip, target: float, label: str) -> list[tuple[float, Point]]:
        row = np.zeros(self.problem.size)
        row[-1] = 1.0
        k = pair.u[:, -1]
        u, ok = self.problem.newton(pair.u[0] + (target - k[0]) / (k[1] - k[0]) * (pair.u[1] - pair.u[0]), row, target)
        if not ok:
            return []
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        point = make_point(self.problem, u, label, complex(np.nan) if critical is None else critical, "")
        return [(self._fraction(pair, u), point)]

    def _vanishing(self, pair: Strip, a: float, b: float) -> list[tuple[float, Point]]:
        """A zero of the coefficient between two points, by the Illinois variant of regula falsi on the curve itself."""
        chord = pair.u[1] - pair.u[0]
        low, high = 0.0, 1.0
        u = pair.u[0]
        value = a
        for _ in range(60):
            f = (low * b - high * a) / (b - a)
            new = project(self.problem, pair.u[0] + f * chord, chord)
            if new is None:
                return []
            u = new.u[0]
            value = self.coefficient(u)
            if not np.isfinite(value):
                return []
            if value == 0.0 or high - low < 1e-13:
                break
            if value * b < 0.0:
                low, a = f, value
                b *= 0.5 if value * a > 0.0 else 1.0
            else:
                high, b = f, value
                a *= 0.5
            if abs(high - low) < 1e-14 or abs(value) < 1e-13 * (abs(a) + abs(b)):
                break
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        point = make_point(
            self.problem, u, DEGENERATE[self.label], complex(np.nan) if critical is None else critical, ""
        )
        return [(self._fraction(pair, u), replace(point, note="The criticality changes here."))]


def _cut_pair(problem: CurveProblem, run: Run) -> tuple[Run, Point | None]:
    """End a pair's curve exactly where the pair becomes real.

    1:1 and 1:2 resonance of maps, Bogdanov-Takens of flows.
    """
    k = run.strip.u[:, -1]
    is_map = problem.system.kind == "map"
    beyond = np.abs(k) > 1.0 + 1e-12 if is_map else k < 0.0
    if problem.condition != "pair" or not beyond.any():
        return run, None
    i = int(np.argmax(beyond))
    if i == 0:
        return run, None
    target = float(np.sign(k[i])) if is_map else 0.0
    label = ("R1" if target > 0.0 else "R2") if is_map else "BT"
    row = np.zeros(problem.size)
    row[-1] = 1.0
    a, b = run.strip.u[i - 1], run.strip.u[i]
    u, ok = problem.newton(a + (target - k[i - 1]) / (k[i] - k[i - 1]) * (b - a), row, target)
    kept = run.strip.slice(slice(0, i))
    points = [p for p in run.points if p.index <= i - 1]
    text = (
        f"The pair became real at {label}; beyond it the condition holds at a neutral saddle, which is no bifurcation."
    )
    outcome = Outcome(label, text, True)
    if not ok:
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
    from gan_bifurcation.continuation.trace import _numbered

    problem = curve_problem(point, windows)
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
        problem = curve_problem(point, windows)
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
            else {"omega": np.sqrt(np.maximum(k, 0.0))}
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
        tuple(_numbered(points)), outcome, runs[0].closed, measures, note, point.level,
    )  # fmt: skip


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

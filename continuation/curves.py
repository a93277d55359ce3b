"""Curves of special points in two parameters, by minimally augmented systems."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.codimension_two import with_coefficients
from gan_bifurcation.continuation.conditions import (
    aim,
    critical_eigenvalue,
    kappa_of,
    kappa_unit,
    make_point,
)
from gan_bifurcation.continuation.counting import margins
from gan_bifurcation.continuation.curve_points import CurveScanner, _beyond, double_at, solve_at_kappa
from gan_bifurcation.continuation.equilibria import nullity
from gan_bifurcation.continuation.march import StepControl, Strip, join, record, start_tangent
from gan_bifurcation.continuation.problem import CONDITION_OF, NEUTRAL, CurveProblem, full_spectrum
from gan_bifurcation.continuation.run import Ends, Run, begun, follow
from gan_bifurcation.continuation.scales import in_natural_units, natural_scale
from gan_bifurcation.continuation.spectra import together
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]


def curve_problem(
    point: Point, windows: dict[str, Range], scale: FloatArray, held: tuple[FloatArray, FloatArray] | None = None
) -> CurveProblem:
    """The problem of the curve that a labelled point lies on; `held` are pins and unfolding on a manifold.

    Raises
    ------
    MisuseError
        If the point has no label with a curve.
    """
    system = point.system
    conditions = {**CONDITION_OF[system.kind], NEUTRAL: "pair"}
    pins, unfolding = held or (None, None)
    if point.condition in ("function", "focus", "structural", "structural minus") or point.level:
        unit = kappa_unit(system.kind, point.condition, point.critical)
        return CurveProblem(
            system,
            windows,
            point.condition,  # type: ignore[arg-type]
            point.level,
            pins,
            unfolding,
            scale,
            unit,
        )
    if point.label not in conditions:
        what = point.name or point.label or "an ordinary point"
        raise MisuseError(
            f"Two free parameters trace the curve of a labelled point ({', '.join(CONDITION_OF[system.kind])} or an "
            "event), "
            f"got {what}; free one parameter, or take a special point of a branch."
        )
    if point.multiplicity > 1:
        raise MisuseError(
            f"{together(point)}, so its curve is not that of a simple point; restrict the system to a fixed-point "
            "subspace with gb.restrict."
        )
    condition = conditions[point.label]
    if point.label != "BP":
        unit = kappa_unit(system.kind, condition, point.critical)
        return CurveProblem(system, windows, condition, "", pins, unfolding, scale, unit)
    # The left null vector is orthogonal to the subspace (of a symmetry, or an invariant one) that branch points on a
    # curve owe their being to; along it, nothing moves, while the right one turns and has a part in the subspace.
    left = np.linalg.svd(_shifted(point))[0][:, -1:]
    return CurveProblem(system, windows, condition, pins=left.copy(), unfolding=left.copy(), scale=scale)


def _shifted(point: Point) -> FloatArray:
    """The Jacobian of the equation of an equilibrium or fixed point."""
    a = np.ascontiguousarray(point.system.jacobian(point.x)[:, : point.system.n])
    return a - np.eye(len(a)) if point.system.kind == "map" else a


def neutral_directions(point: Point, label: str, condition: str) -> tuple[FloatArray, FloatArray] | None:
    """Null vectors (right, left) at a point of a curve on a manifold of equilibria; None on others.

    Also where the null space is what the curve is about.
    """
    if label in ("LP", "BP") or condition.startswith("structural"):
        return None
    left, _, right = np.linalg.svd(_shifted(point))
    k = nullity(point.system, point.x)
    return (right[-k:].T.copy(), left[:, -k:].copy()) if k else None


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
        aim(problem, u, point.critical)
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


def _cut_pair(problem: CurveProblem, run: Run, scanner: CurveScanner) -> Run:
    """End a pair's curve exactly where the pair becomes real.

    1:1 and 1:2 resonance of maps, Bogdanov-Takens of flows.
    """
    k = run.strip.u[:, -1]
    is_map = problem.system.kind == "map"
    if problem.condition != "pair":
        return run
    beyond = _beyond(problem, run.strip.u)
    if scanner.label == NEUTRAL:
        if beyond.all():
            return run
        end = max(1, int(np.argmin(beyond)))
        words = "The two real eigenvalues became a pair: here the curve of neutral saddles ends on one of bifurcations."
        return replace(run, strip=run.strip.slice(slice(0, end)), points=[], outcome=Outcome("pair", words, True))
    starts_double = double_at(problem, k[0])
    if starts_double and len(run.strip) > 1 and not beyond[1]:
        critical = complex(np.round(k[0]) if is_map else 0.0)
        begin = make_point(problem, run.strip.u[0], starts_double, critical, "")
        run = replace(run, points=[replace(begin, index=0.0), *run.points])
    if not beyond.any():
        return run
    i = int(np.argmax(beyond))
    if i == 0:
        return run
    target = float(np.sign(k[i])) if is_map else 0.0
    label = ("R1" if target > 0.0 else "R2") if is_map else "BT"
    if i == 1 and starts_double:
        # The curve was started at the double point itself, and this is the side of neutral saddles.
        outcome = Outcome(label, _CUT.format(label=label), True)
        return replace(run, strip=run.strip.slice(slice(0, 1)), points=[], outcome=outcome, closed=False)
    u = solve_at_kappa(problem, run.strip.slice(slice(i - 1, i + 1)), target)
    kept = run.strip.slice(slice(0, i))
    fraction = float((target - k[i - 1]) / (k[i] - k[i - 1]))
    points = [p for p in run.points if p.index <= i - 1 + fraction]
    outcome = Outcome(label, _CUT.format(label=label), True)
    if u is None:
        return replace(run, strip=kept, points=points, outcome=outcome, closed=False)
    final = record(problem, u, run.strip.t[i])
    if final is not None:
        kept = join([kept, final])
        last = kept.slice(slice(-2, None))
    crossed = scanner.crossings.scan(last, scanner.crossings.counted(last), set())
    points += [replace(p, index=i - 1 + f) for f, p in crossed]
    point = replace(make_point(problem, u, label, complex(target if is_map else 0.0), ""), index=float(len(kept) - 1))
    return replace(run, strip=kept, points=[*points, point], outcome=outcome, closed=False)


_CUT: Final = (
    "The pair became real at {label}; beyond it the condition holds at a neutral saddle, which is no bifurcation."
)


def trace_curve(
    point: Point, windows: dict[str, Range], ends: Ends, control: StepControl, coefficients: bool
) -> Branch:
    """Trace the curve of a labelled point over two parameters (called by `trace`)."""

    def attempt(scale: FloatArray, cautious: StepControl) -> Branch:
        return _trace_scaled(point, windows, ends, cautious, coefficients, scale)

    branch = in_natural_units(attempt, natural_scale(point.system, point.x, {}), control, point.x)
    if not coefficients:
        return branch
    return replace(branch, special_points=tuple(with_coefficients(p) for p in branch.special_points))


def _trace_scaled(
    point: Point, windows: dict[str, Range], ends: Ends, control: StepControl, coefficients: bool, scale: FloatArray
) -> Branch:
    from gan_bifurcation.continuation.trace import _numbered

    held = None
    problem = curve_problem(point, windows, scale)
    u = start_on_curve(problem, point)
    tangent, nullity = start_tangent(problem, u)
    if nullity > 1 and (held := neutral_directions(point, point.label, point.condition)) is not None:
        problem = curve_problem(point, windows, scale, held)
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
    for direction in _directions(problem, u, point, tangent):
        begin = replace(first, t=direction * first.t, signs=direction * first.signs)
        problem = curve_problem(point, windows, scale, held)
        start_on_curve(problem, point)
        problem.residual(u)
        scanner = CurveScanner(problem, label, coefficients)
        run = follow(problem, begin, control, scanner, ends)
        run = _cut_pair(problem, run, scanner)
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
        strip, points, values = runs[0].strip, runs[0].points, scanners[0].values
        outcome = (runs[0].outcome if runs[0].closed else begun(problem, first), runs[0].outcome)
    measures: dict[str, FloatArray] = {}
    if problem.condition == "pair":
        k = strip.u[:, -1]
        measures = (
            {"theta": np.arccos(np.clip(k, -1.0, 1.0))}
            if problem.system.kind == "map"
            else {"omega": np.sqrt(np.maximum(k * problem.kappa_unit, 0.0))}
        )
        if label == NEUTRAL:
            measures = {"half_sum": k} if problem.system.kind == "map" else {"square": -k * problem.kappa_unit}
    if scanners[0].coefficients:
        measures["coefficient"] = np.array([values.get(i, np.nan) for i in range(len(strip))])
    note = ""
    known = measures.get("coefficient", np.zeros(0))
    if len(known := known[np.isfinite(known)]) > 2 and not known.any():
        note = "The deciding coefficient vanishes within rounding all along the curve: it has no sign."
    if problem.k:
        worst = float(np.max(np.abs(strip.u[:, problem.system.n : problem.system.n + problem.k])))
        if held is not None:
            note = (
                f"Equilibria come in a manifold of dimension {problem.k}; the curve is that of the points with "
                f"{problem.k} directions held."
            )
        if worst > 1e-7:
            note = (
                f"The unfolding multiplier reached {worst:.1e}: these are not "
                + ("solutions" if held is not None else "branch points of a symmetric system")
                + " all along."
            )
    return Branch(
        problem.system, tuple(windows), label, problem.parameters(strip.u), problem.states(strip.u),
        full_spectrum(problem, strip.spectra, strip.structural), _unstable_beside(problem, strip),
        tuple(_numbered(points)), outcome, runs[0].closed, measures, note, point.level, problem.condition,
        _critical_along(problem, strip),
    )  # fmt: skip


def _directions(problem: CurveProblem, u: FloatArray, point: Point, tangent: FloatArray) -> tuple[float, ...]:
    """Both directions; or the one away from a codimension-two point at which the curve begins."""
    outward = point.vectors.get("outward")
    if outward is None or len(outward) != problem.system.n + len(point.free):
        return (1.0, -1.0)
    n = problem.system.n
    home = {k: point.parameters[k] - float(d) for k, d in zip(point.free, outward[n:].real, strict=True)}
    away = u[: problem.q_slice.stop] - problem.pack(point.x - outward[:n].real, values=home)[: problem.q_slice.stop]
    return (1.0 if float(away @ tangent[: problem.q_slice.stop]) >= 0.0 else -1.0,)


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

"""Detection and location of special points along a branch.

Between consecutive points the changes of integers (real unstable eigenvalues, pairs, the sign of the bordered
determinant)
say what happened; an interval with more than one elementary change is halved until each has one. The location is then
Newton's
method on the extended system of that label, whose solution must lie in the interval; counting alone never places a
point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import branch_points
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.march import Strip, join, project
from gan_bifurcation.continuation.problem import CONDITION_OF, Condition, CurveProblem, compute_spectrum
from gan_bifurcation.observables import observable_tape

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Closer to the stability boundary than this is on it: eigenvalues carry rounding.
NEUTRAL: Final = 1e-9
REAL_PART: Final = 1e-10
DEEPEST: Final = 30


@dataclass(frozen=True)
class Counts:
    """Integer columns along a strip, each (N,)."""

    positive: NDArray[np.int64]  # real eigenvalues beyond 0 (flows) or +1 (maps)
    negative: NDArray[np.int64]  # maps: real multipliers beyond -1
    pairs: NDArray[np.int64]  # unstable complex pairs
    structural: NDArray[np.int64]  # maps: -1, 0, 1 as the common multiplier is below -1, inside, above 1
    sign: NDArray[np.int64]
    complex_pairs: NDArray[np.int64]  # all complex pairs, for the event "focus"
    neutral: NDArray[np.int64]  # how many eigenvalues are on the boundary

    def at(self, i: int) -> tuple[int, ...]:
        return (
            int(self.positive[i]),
            int(self.negative[i]),
            int(self.pairs[i]),
            int(self.structural[i]),
            int(self.sign[i]),
        )


def margins(kind: str, spectra: ComplexArray) -> FloatArray:
    """Signed distance from the stability boundary: real part, or modulus minus one."""
    return np.asarray(spectra.real if kind == "flow" else np.abs(spectra) - 1.0)


def count(problem: CurveProblem, strip: Strip) -> Counts:
    """The integers of a strip."""
    kind = problem.system.kind
    s = strip.spectra
    margin = margins(kind, s)
    beyond = margin > NEUTRAL
    real = np.abs(s.imag) <= REAL_PART * (1.0 + np.abs(s))
    c = strip.structural
    if kind == "map":
        structural = np.where(c > 1.0 + NEUTRAL, 1, np.where(c < -1.0 - NEUTRAL, -1, 0))
    else:
        structural = np.where(c > NEUTRAL, 1, 0)
    return Counts(
        np.sum(beyond & real & ((s.real > 0.0) | (kind == "flow")), axis=1),
        np.sum(beyond & real & (s.real < 0.0), axis=1) if kind == "map" else np.zeros(len(s), dtype=np.int64),
        np.sum(beyond & ~real & (s.imag > 0.0), axis=1),
        structural,
        strip.signs.astype(np.int64),
        np.sum(~real & (s.imag > 0.0), axis=1),
        np.sum(np.abs(margin) <= NEUTRAL, axis=1),
    )


def unstable_count(problem: CurveProblem, strip: Strip) -> NDArray[np.int64]:
    """Number of unstable eigenvalues of the full system at each point."""
    number = np.sum(margins(problem.system.kind, strip.spectra) > NEUTRAL, axis=1)
    if problem.structural_multiplicity:
        c = strip.structural
        bad = np.abs(c) > 1.0 + NEUTRAL if problem.system.kind == "map" else c > NEUTRAL
        number = number + problem.structural_multiplicity * bad
    return np.asarray(number, dtype=np.int64)


class Detector:
    """Finds the special points of a branch, interval by interval."""

    def __init__(self, problem: CurveProblem, events: Sequence[Event] = (), at: Sequence[float] = ()) -> None:
        self.problem = problem
        self.events = [event.compile(problem.system) for event in events]
        self.at = [next(iter(problem.free.values())).to_unit(v) for v in at]
        self.neutral_note = ""

    def scan(self, strip: Strip, offset: int) -> list[Point]:
        """Special points of a strip; `offset` is the branch index of its first point."""
        found: list[Point] = []
        counts = count(self.problem, strip)
        if len(strip) > 2 and np.all(counts.neutral[1:] > 0):
            self.neutral_note = (
                "An eigenvalue stays on the stability boundary along the branch (a conserved "
                "quantity, a manifold of equilibria or an undamped mode); it is counted as stable."
            )
        table = np.column_stack([counts.positive, counts.negative, counts.pairs, counts.structural, counts.sign])
        suspicious = set(np.flatnonzero(np.any(table[1:] != table[:-1], axis=1)).tolist()) | self._touches(strip)
        happened: dict[int, list[Event]] = {}
        for event in self.events:
            value = event.along(self.problem, strip)
            change = np.isfinite(value[:-1]) & np.isfinite(value[1:]) & ((value[:-1] > 0) != (value[1:] > 0))
            for i in np.flatnonzero(change).tolist():
                happened.setdefault(i, []).append(event)
        q = strip.u[:, self.problem.q_slice.start]
        wanted: dict[int, list[float]] = {}
        for target in self.at:
            for i in np.flatnonzero(((q[:-1] - target) * (q[1:] - target) < 0.0) | (q[1:] == target)).tolist():
                wanted.setdefault(i, []).append(target)
        for i in sorted(suspicious | happened.keys() | wanted.keys()):
            pair = strip.slice(slice(i, i + 2))
            here: list[Point] = self._resolve(pair, 0) if i in suspicious else []
            here += [p for event in happened.get(i, []) if (p := self._event(event, pair)) is not None]
            here += [p for target in wanted.get(i, []) if (p := self._user_point(pair, target)) is not None]
            found += self._placed(here, pair, offset + i)
        return found

    # -- one interval -------------------------------------------------------------------------------------------------

    def _touches(self, strip: Strip) -> set[int]:
        """Intervals around a local minimum of the distance to the boundary that a parabola takes to or through zero."""
        if len(strip) < 3:
            return set()
        margin = margins(self.problem.system.kind, strip.spectra)
        d = np.where(np.abs(margin) <= NEUTRAL, np.inf, np.abs(margin)).min(axis=1)
        suspicious: set[int] = set()
        a, b, c = d[:-2], d[1:-1], d[2:]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            curvature = a - 2.0 * b + c
            lowest = b - (a - c) ** 2 / (8.0 * curvature)
            hit = np.isfinite(lowest) & (b < a) & (b <= c) & (curvature > 0.0) & (lowest < 0.02 * b) & (b < 0.2)
        for i in np.flatnonzero(hit).tolist():
            suspicious |= {i, i + 1}
        return suspicious

    def _resolve(self, pair: Strip, depth: int) -> list[Point]:
        counts = count(self.problem, pair)
        before, after = np.array(counts.at(0)), np.array(counts.at(1))
        change = after - before
        positive, negative, pairs, structural, sign = change.tolist()
        label: str | None = None
        is_map = self.problem.system.kind == "map"
        if not change.any():
            if depth >= 3:
                return []
        elif structural and abs(positive) + abs(negative) <= self._companions(pair) and not pairs:
            return [self._structural(pair, before[3], after[3])]
        elif sign and abs(positive) <= 1 and not (negative or pairs):
            label = "BP"
        elif abs(positive) == 1 and not (negative or pairs or sign):
            label = "LP"
        elif abs(negative) == 1 and not (positive or pairs or sign):
            label = "PD"
        elif abs(pairs) == 1 and not (positive or negative or sign):
            label = "NS" if is_map else "H"
        elif not sign and positive + negative + 2 * pairs == 0 and not (positive and negative):
            # A pair became two real eigenvalues on the unstable side, or back: nothing happened on the boundary.
            return []
        if label is not None:
            point = self._locate(label, pair)
            if point is not None:
                return [point]
        chord = float(np.linalg.norm(pair.u[1] - pair.u[0]))
        if depth >= DEEPEST or chord < 1e-10:
            return [self._multiple(pair, change)] if change.any() else []
        middle = project(self.problem, 0.5 * (pair.u[0] + pair.u[1]), pair.u[1] - pair.u[0])
        if middle is None or not 0.05 < self._fraction(pair, middle.u[0]) < 0.95:
            return [self._multiple(pair, change)] if change.any() else []
        left = self._resolve(join([pair.slice(slice(0, 1)), middle]), depth + 1)
        return left + self._resolve(join([middle, pair.slice(slice(1, 2))]), depth + 1)

    def _fraction(self, pair: Strip, u: FloatArray) -> float:
        chord = pair.u[1] - pair.u[0]
        n = len(chord)
        return float((u[:n] - pair.u[0]) @ chord / (chord @ chord))

    def _inside(self, pair: Strip, u: FloatArray) -> bool:
        chord = pair.u[1] - pair.u[0]
        length = float(np.linalg.norm(chord))
        fraction = self._fraction(pair, u)
        off = np.linalg.norm(u - pair.u[0] - fraction * chord)
        return -1e-6 <= fraction <= 1.0 + 1e-6 and bool(off <= 0.5 * length + 1e-9)

    def _critical(self, label: str, spectrum: ComplexArray) -> complex:
        """The eigenvalue of a spectrum that a label speaks of: nearest the boundary among those of the right sort."""
        kind = self.problem.system.kind
        real = np.abs(spectrum.imag) <= 1e-7 * (1.0 + np.abs(spectrum))
        if label in ("H", "NS"):
            candidates = spectrum[spectrum.imag > 0.0]
        elif label == "PD":
            candidates = spectrum[real & (spectrum.real < 0.0)]
        else:
            candidates = spectrum[real & ((spectrum.real > 0.0) | (kind == "flow"))]
        if not len(candidates):
            candidates = spectrum
        return complex(candidates[np.argmin(np.abs(margins(kind, candidates)))])

    def _locate(self, label: str, pair: Strip) -> Point | None:
        kind = self.problem.system.kind
        ends = [self._critical(label, pair.spectra[i]) for i in (0, 1)]
        m = [float(margins(kind, np.array([e]))[0]) for e in ends]
        fraction = m[0] / (m[0] - m[1]) if m[0] * m[1] < 0.0 else 0.5
        guess = pair.u[0] + min(max(fraction, 0.0), 1.0) * (pair.u[1] - pair.u[0])
        if label == "BP":
            return branch_points.locate(self.problem, guess, pair, self._inside)
        eigenvalue = ends[0] + min(max(fraction, 0.0), 1.0) * (ends[1] - ends[0])
        return self._extended(label, CONDITION_OF[kind][label], "", guess, eigenvalue, pair)

    def _extended(
        self, label: str, condition: Condition, level: str, guess: FloatArray, eigenvalue: complex, pair: Strip
    ) -> Point | None:
        """Newton on the square system of one label with the branch's parameter as the only free one."""
        base = self.problem
        problem = CurveProblem(base.system, base.free, condition, level, base.pins, base.unfolding, base.scale)
        located = solve_condition(problem, guess, eigenvalue, reference=base.states(guess))
        if located is None:
            return None
        u, critical = located
        if not self._inside(pair, u[: base.size]):
            return None
        return make_point(problem, u, label, critical, level)

    def _companions(self, pair: Strip) -> int:
        """How many eigenvalues of the reduced spectrum are equal to the structural one all along an interval."""
        equal = np.abs(pair.spectra - pair.structural[:, None]) <= 1e-8 * (1.0 + np.abs(pair.structural[:, None]))
        return int(equal.sum(axis=1).min())

    def _structural(self, pair: Strip, before: int, after: int) -> Point:
        """The common eigenvalue of the linear states reaches the boundary."""
        base = self.problem
        minus = base.system.kind == "map" and -1 in (before, after)
        condition: Condition = "structural minus" if minus else "structural"
        problem = CurveProblem(base.system, base.free, condition, "", base.pins, base.unfolding, base.scale)
        u, ok = problem.newton(0.5 * (pair.u[0] + pair.u[1]))
        if not ok:
            return self._multiple(pair, np.zeros(5, dtype=int))
        label = "PD" if minus else "LP"
        point = make_point(
            problem, u, label, complex(-1.0 if minus else (1.0 if base.system.kind == "map" else 0.0)), ""
        )
        from dataclasses import replace

        k = base.structural_multiplicity + self._companions(pair)
        return replace(
            point, multiplicity=k, condition=condition,
            note=f"Structural: the {k} equal eigenvalues of the linear states reach the boundary together, in "
                 "a linear equation; no normal form applies.",
        )  # fmt: skip

    def _multiple(self, pair: Strip, change: NDArray[np.int64]) -> Point:
        """Several eigenvalues cross together (a symmetric system).

        Placed by the secant method on the largest margin.
        """
        kind = self.problem.system.kind
        label = "H" if kind == "flow" else "NS"
        if change[1]:
            label = "PD"
        elif change[0]:
            label = "BP" if change[4] or abs(change[0]) > 1 else "LP"
        number = int(max(abs(change[0]), abs(change[1]), abs(change[2]), 1))
        u = self._crossing(label, pair)
        point = make_point(
            self.problem,
            u,
            label,
            self._critical(label, compute_spectrum(self.problem.at(u), self.problem.states(u))),
            "",
        )
        from dataclasses import replace

        return replace(
            point, multiplicity=number,
            note=f"{number} equal critical {'pairs' if label in ('H', 'NS') else 'eigenvalues'} cross "
                 "together; restrict the system to a fixed-point subspace for a normal form.",
        )  # fmt: skip

    def _crossing(self, label: str, pair: Strip) -> FloatArray:
        """Where the margin of the label's eigenvalue vanishes, by the secant method on the branch itself."""
        kind = self.problem.system.kind
        row = pair.u[1] - pair.u[0]

        def margin(strip: Strip) -> float:
            return float(margins(kind, np.array([self._critical(label, strip.spectra[0])]))[0])

        # The interval is tiny where counting stopped, so the secant method needs no bracket.
        x0, x1 = 0.0, 1.0
        m0, m1 = margin(pair.slice(slice(0, 1))), margin(pair.slice(slice(1, 2)))
        u = pair.u[0] if abs(m0) < abs(m1) else pair.u[1]
        for _ in range(12):
            if m0 == m1 or not np.isfinite(m0 - m1):
                break
            x0, x1 = x1, x1 - m1 * (x1 - x0) / (m1 - m0)
            new = project(self.problem, pair.u[0] + x1 * row, row)
            if new is None:
                break
            m0, m1 = m1, margin(new)
            u = new.u[0]
            if abs(m1) < 4e-16:
                break
        return np.asarray(u)

    # -- users' events ------------------------------------------------------------------------------------------------

    def _event(self, event: Event, pair: Strip, depth: int = 0) -> Point | None:
        fraction_guess = 0.5 * (pair.u[0] + pair.u[1])
        for condition, eigenvalue, level in event.candidates(self.problem, pair):
            point = self._extended(event.name, condition, level, fraction_guess, eigenvalue, pair)
            if point is not None:
                return point
        # Eigenvalues that meet depend on the parameter like a square root: from the ends of a long step,
        # Newton's method misses.
        middle = project(self.problem, fraction_guess, pair.u[1] - pair.u[0]) if depth < 12 else None
        if middle is None:
            return None
        first, half, _ = event.along(self.problem, join([pair.slice(slice(0, 1)), middle, pair.slice(slice(1, 2))])) > 0
        ends = [pair.slice(slice(0, 1)), middle] if first != half else [middle, pair.slice(slice(1, 2))]
        return self._event(event, join(ends), depth + 1)

    def _user_point(self, pair: Strip, target: float) -> Point | None:
        row = np.zeros(self.problem.size)
        row[self.problem.q_slice.start] = 1.0
        q = pair.u[:, self.problem.q_slice.start]
        f = (target - q[0]) / (q[1] - q[0])
        u, ok = self.problem.newton(pair.u[0] + f * (pair.u[1] - pair.u[0]), row, target)
        return make_point(self.problem, u, "UZ", complex(np.nan), "") if ok else None

    def _placed(self, points: list[Point], pair: Strip, offset: int) -> list[Point]:
        from dataclasses import replace

        placed = []
        for p in points:
            u = self.problem.pack(p.x, values=p.parameters)
            placed.append(replace(p, index=offset + min(max(self._fraction(pair, u), 0.0), 1.0)))
        return sorted(placed, key=lambda p: p.index)


def condition_matrix(problem: CurveProblem, u: FloatArray, eigenvalue: complex) -> FloatArray:
    """The matrix M that is singular where the condition holds, for an eigenvalue (of a pair: one of the two)."""
    a = problem.jacobian_states(u)
    eye = np.eye(len(a))
    if problem.condition in ("real", "minus"):
        return np.asarray(a - eigenvalue.real * eye)
    if problem.condition == "focus":
        shifted = a - eigenvalue.real * eye
        return np.asarray(shifted @ shifted)
    return np.asarray(a @ a - 2.0 * eigenvalue.real * a + abs(eigenvalue) ** 2 * eye)


def kappa_of(problem: CurveProblem, eigenvalue: complex) -> float:
    """The unknown kappa of a pair condition for an eigenvalue near the level."""
    if problem.condition == "focus":
        return eigenvalue.real
    if problem.system.kind == "map":
        return float(np.cos(np.angle(eigenvalue)))
    return float(eigenvalue.imag**2)


def solve_condition(
    problem: CurveProblem, guess: FloatArray, eigenvalue: complex, reference: FloatArray | None = None
) -> tuple[FloatArray, complex] | None:
    """Newton on a square condition problem from a guess of the branch's unknowns: (unknowns, critical eigenvalue)."""
    u = np.zeros(problem.size)
    shared = min(len(guess), problem.size)
    u[:shared] = guess[:shared]
    if problem.has_kappa:
        u[-1] = kappa_of(problem, eigenvalue)
    if problem.k:
        u[problem.system.n : problem.system.n + problem.k] = 0.0
        problem.set_reference(problem.states(guess) if reference is None else reference)
    if problem.condition not in ("function", "structural", "structural minus"):
        a = problem.jacobian_states(u)
        if not np.isfinite(a).all():
            return None
        problem.set_borders(condition_matrix(problem, u, eigenvalue))
        choose_components(problem, a)
    u, ok = problem.newton(u, iterations=15)
    if not ok:
        return None
    critical = critical_eigenvalue(problem, u, eigenvalue)
    return None if critical is None else (u, critical)


def choose_components(problem: CurveProblem, a: FloatArray) -> None:
    """Which two of the four components of G are used: those most independent in the two numbers that a pair has."""
    if not problem.has_kappa:
        return
    p = problem.arrays
    s0, s1 = p.border_b.T @ p.border_c, p.border_b.T @ a @ p.border_c
    best, choice = -1.0, (0, 1)
    for e in range(4):
        for g in range(e + 1, 4):
            size = abs(s0.flat[e] * s1.flat[g] - s0.flat[g] * s1.flat[e])
            if size > best:
                best, choice = size, (e, g)
    p.pick[:] = (choice[0] // 2, choice[0] % 2, choice[1] // 2, choice[1] % 2)


def critical_eigenvalue(problem: CurveProblem, u: FloatArray, guess: complex) -> complex | None:
    """The eigenvalue that the condition speaks of at a solution; None if the pair is real (a neutral saddle)."""
    if problem.condition == "pair":
        kappa = u[-1]
        level = level_value(problem, u)
        if problem.system.kind == "map":
            return complex(level * kappa, level * np.sqrt(1.0 - kappa**2)) if abs(kappa) <= 1.0 else None
        return complex(level, np.sqrt(kappa)) if kappa > 0.0 else None
    if problem.condition == "focus":
        return complex(u[-1])
    if problem.condition in ("real", "minus"):
        level = level_value(problem, u)
        return complex(-level if problem.condition == "minus" else level)
    return complex(np.nan) if problem.condition == "function" else complex(guess)


def level_value(problem: CurveProblem, u: FloatArray) -> float:
    """The level (modulus or real part) of the condition at a point."""
    system = problem.system
    if not problem.level:
        return 1.0 if system.kind == "map" else 0.0
    system = problem.at(u)
    return float(observable_tape(system, [problem.level]).evaluate([*problem.states(u), *system.parameter_vector()])[0])


def make_point(problem: CurveProblem, u: FloatArray, label: str, critical: complex, level: str) -> Point:
    """A point record from unknowns."""
    system = problem.at(u)
    x = problem.states(u)
    return Point(
        system, x, compute_spectrum(system, x), label=label, residual=problem.relative_residual(u),
        free=tuple(problem.free), critical=critical, level=level, condition=problem.condition,
    )  # fmt: skip

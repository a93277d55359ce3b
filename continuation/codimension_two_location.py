"""Where a further eigenvalue reaches the stability boundary on a curve of special points, located to rounding.

Two conditions on the spectrum of one equilibrium or fixed point: the minimally augmented equations of both curves are
solved together, with exact derivatives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.conditions import (
    aim,
    critical_eigenvalue,
    kappa_of,
    kappa_unit,
    make_point,
)
from gan_bifurcation.continuation.counting import margins
from gan_bifurcation.continuation.march import Strip, join, project
from gan_bifurcation.continuation.problem import Condition, CurveProblem

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# What a further eigenvalue (real at 0 or 1, real at -1, a pair) makes of a point on each curve.
CROSSINGS: Final[dict[str, dict[str, dict[str, str]]]] = {
    "flow": {
        "LP": {"real": "BT", "pair": "ZH"},
        "BP": {"real": "BT", "pair": "ZH"},
        "H": {"real": "ZH", "pair": "HH"},
    },
    "map": {
        "LP": {"real": "R1", "minus": "LPPD", "pair": "LPNS"},
        "BP": {"real": "R1", "minus": "LPPD", "pair": "LPNS"},
        "PD": {"real": "LPPD", "minus": "R2", "pair": "PDNS"},
        "NS": {"real": "LPNS", "minus": "PDNS", "pair": "NSNS"},
    },
}
DOUBLE: Final = ("BT", "R1", "R2")
_DEEPEST: Final = 40
_BOUNDARY: Final = 1e-9
_REAL: Final = 1e-10


def others(problem: CurveProblem, strip: Strip, i: int) -> ComplexArray:
    """The eigenvalues at a point of a strip without the critical ones (and without those of the linear states)."""
    spectrum = strip.spectra[i]
    critical = critical_eigenvalue(problem, strip.u[i], complex(np.nan))
    if critical is None:
        return np.zeros(0, dtype=complex)
    wanted = [critical, critical.conjugate()] if problem.condition == "pair" else [critical]
    kept = spectrum.tolist()
    for z in wanted:
        kept.pop(int(np.argmin([abs(s - z) for s in kept])))
    return np.array(kept, dtype=complex)


def tally(kind: str, spectrum: ComplexArray, structural: float) -> tuple[int, int, int, int]:
    """How many eigenvalues lie beyond the boundary: real ones at 0 or 1, real ones at -1, pairs; and the structural."""
    beyond = margins(kind, spectrum) > _BOUNDARY
    real = np.abs(spectrum.imag) <= _REAL * (1.0 + np.abs(spectrum))
    negative = beyond & real & (spectrum.real < 0.0) if kind == "map" else np.zeros(len(spectrum), dtype=bool)
    if kind == "map":
        side = int(structural > 1.0 + _BOUNDARY) - int(structural < -1.0 - _BOUNDARY)
    else:
        side = int(structural > _BOUNDARY)
    return (
        int(np.sum(beyond & real & ~negative)),
        int(np.sum(negative)),
        int(np.sum(beyond & ~real & (spectrum.imag > 0.0))),
        side,
    )


# The eigenvalues that the curve's condition does not speak of, and how many of them lie beyond the boundary.
Counted = tuple[ComplexArray, tuple[int, int, int, int]]


@dataclass(frozen=True, eq=False)
class Crossings:
    """Finds the further crossings along one curve.

    Attributes
    ----------
    problem : CurveProblem
    label : str
        Of the curve.
    """

    problem: CurveProblem
    label: str

    def counted(self, strip: Strip) -> list[Counted]:
        """What is beyond the boundary at each point of a strip."""
        if self.label not in CROSSINGS[self.problem.system.kind] or self.problem.level:
            return []
        kind = self.problem.system.kind
        spectra = [others(self.problem, strip, i) for i in range(len(strip))]
        return [(s, tally(kind, s, float(z))) for s, z in zip(spectra, strip.structural, strict=True)]

    def scan(self, pair: Strip, counted: Sequence[Counted], explained: set[str]) -> list[tuple[float, Point]]:
        """Points between two consecutive ones of the curve, with how far along; double eigenvalues found otherwise
        are `explained`.
        """
        return self._between(pair, counted, pair, 0, explained) if counted else []

    def _between(
        self, pair: Strip, counted: Sequence[Counted], whole: Strip, depth: int, explained: set[str]
    ) -> list[tuple[float, Point]]:
        kind = self.problem.system.kind
        spectra, counts = [s for s, _ in counted], [c for _, c in counted]
        if counts[0] == counts[1] and len(spectra[0]) == len(spectra[1]):
            return []
        if (not len(spectra[0]) and not np.isfinite(pair.structural).all()) or len(spectra[0]) != len(spectra[1]):
            return []
        positive, negative, pairs, structural = (b - a for a, b in zip(*counts, strict=True))
        if positive + negative + 2 * pairs == 0 and pairs and not (positive and negative):
            positive = negative = pairs = 0  # a pair became two real eigenvalues on the unstable side, or back
        changes = {"real": positive, "minus": negative, "pair": pairs}
        names = CROSSINGS[kind][self.label]
        for condition in list(changes):
            if names.get(condition) in explained or condition not in names:
                changes[condition] = 0
        happened = [c for c, change in changes.items() if change]
        if not happened and not structural:
            return []
        if len(happened) == 1 and abs(changes[happened[0]]) == 1 and not structural:
            point = self._locate(happened[0], pair, spectra)
            if point is not None:
                return [(self._fraction(whole, point), point)]
        chord = pair.u[1] - pair.u[0]
        middle = None
        if depth < _DEEPEST and float(np.linalg.norm(chord)) > 1e-11:
            middle = project(self.problem, 0.5 * (pair.u[0] + pair.u[1]), chord)
        if middle is None:
            return self._unresolved(pair, whole, changes, structural)
        halves = join([pair.slice(slice(0, 1)), middle]), join([middle, pair.slice(slice(1, 2))])
        (between,) = self.counted(middle)
        left = self._between(halves[0], (counted[0], between), whole, depth + 1, explained)
        return left + self._between(halves[1], (between, counted[1]), whole, depth + 1, explained)

    def _fraction(self, pair: Strip, point: Point) -> float:
        u = self.problem.pack(point.x, values=point.parameters)
        n = self.problem.q_slice.stop
        chord = (pair.u[1] - pair.u[0])[:n]
        return float(np.clip((u[:n] - pair.u[0][:n]) @ chord / (chord @ chord), 0.0, 1.0))

    def _nearest(self, condition: str, spectrum: ComplexArray) -> complex:
        real = np.abs(spectrum.imag) <= _REAL * (1.0 + np.abs(spectrum))
        if condition == "pair":
            group = spectrum[~real & (spectrum.imag > 0.0)]
        else:
            group = spectrum[real]
            if self.problem.system.kind == "map":
                group = group[(group.real < 0.0) == (condition == "minus")]
        if not len(group):
            group = spectrum
        return complex(group[np.argmin(np.abs(margins(self.problem.system.kind, group)))])

    def _locate(self, condition: str, pair: Strip, spectra: list[ComplexArray]) -> Point | None:
        kind = self.problem.system.kind
        ends = [self._nearest(condition, s) for s in spectra]
        m = [float(margins(kind, np.array([e]))[0]) for e in ends]
        fraction = float(np.clip(m[0] / (m[0] - m[1]), 0.0, 1.0)) if m[0] != m[1] else 0.5
        guess = pair.u[0] + fraction * (pair.u[1] - pair.u[0])
        label = CROSSINGS[kind][self.label][condition]
        if label in DOUBLE:
            solved = None if self.label == "BP" else solve_double(self.problem, guess, label)
        else:
            eigenvalue = ends[0] + fraction * (ends[1] - ends[0])
            solved = solve_both(self.problem, guess, condition, eigenvalue)  # type: ignore[arg-type]
        if solved is None:
            return None
        u, residual = solved
        chord = pair.u[1] - pair.u[0]
        along = float((u - pair.u[0]) @ chord / (chord @ chord))
        off = float(np.linalg.norm(u - pair.u[0] - along * chord))
        if not -1e-6 <= along <= 1.0 + 1e-6 or off > 0.5 * float(np.linalg.norm(chord)) + 1e-9:
            return None
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        point = make_point(self.problem, u, label, complex(np.nan) if critical is None else critical, "")
        note = _BRANCH_POINT if self.label == "BP" else ""
        return replace(point, note=note, residual=max(point.residual, residual))

    def _unresolved(
        self, pair: Strip, whole: Strip, changes: dict[str, int], structural: int
    ) -> list[tuple[float, Point]]:
        """Several eigenvalues at once, which no smaller step separates: one point, its multiplicity said."""
        kind = self.problem.system.kind
        names = CROSSINGS[kind][self.label]
        u = pair.u[0]
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        found = []
        for condition, change in changes.items():
            label = names.get(condition, "")
            if not change or not label or (label in DOUBLE and abs(change) == 1 and self.label != "BP"):
                continue
            point = make_point(self.problem, u, label, complex(np.nan) if critical is None else critical, "")
            note = (
                f"{abs(change)} further eigenvalues (or pairs) cross together here, by symmetry or structure, so no "
                "coefficients apply."
                if abs(change) > 1
                else "Located by halving only: the extended equations are singular here."
            )
            found.append(replace(point, multiplicity=abs(change), note=note))
        if structural:
            condition = "minus" if kind == "map" and float(np.mean(pair.structural)) < 0.0 else "real"
            label = names.get(condition, "")
            if label:
                number = self.problem.structural_multiplicity
                point = make_point(self.problem, u, label, complex(np.nan) if critical is None else critical, "")
                note = (
                    f"The common eigenvalue of the linear states ({number} equal ones) crosses here, a structural "
                    "border: no coefficients apply."
                )
                found.append(replace(point, multiplicity=number, note=note))
        return [(self._fraction(whole, p), p) for p in found]


_BRANCH_POINT: Final = "On a curve of branch points: the real critical eigenvalue is that of a branch point, no fold."


def solve_both(
    problem: CurveProblem, guess: FloatArray, condition: Condition, eigenvalue: complex
) -> tuple[FloatArray, float] | None:
    """Newton's method on the curve's equations and a second condition of the same point.

    Returns
    -------
    (array, float) or None
        Unknowns of `problem`, and the largest residual relative to the size of its terms; None where it does not
        converge, or a pair turned real.
    """
    kind = problem.system.kind
    unit = kappa_unit(kind, condition, eigenvalue)
    second = CurveProblem(problem.system, problem.free, condition, scale=problem.scale, kappa_unit=unit)
    n, f = problem.system.n, len(problem.free)
    shared = np.zeros(n + f)
    shared[:n], shared[n:] = guess[:n], guess[problem.q_slice]
    v = np.zeros(second.size)
    v[: n + f] = shared
    if second.has_kappa:
        v[-1] = kappa_of(second, eigenvalue)
    if not aim(second, v, eigenvalue):
        return None
    u = guess.copy()
    k = problem.k
    own = problem.size  # unknowns of the first problem; behind them the second's kappa
    total = own + second.has_kappa
    z = np.append(u, v[n + f :])
    columns = np.concatenate([np.arange(n), np.arange(n + k, n + k + f), np.arange(own, total)])
    last = np.inf
    for _ in range(20):
        r1, d1 = problem.residual(z[:own])
        r2, d2 = second.residual(z[columns])
        matrix = np.zeros((problem.equations + second.equations - n, total))
        matrix[: problem.equations, :own] = d1
        matrix[problem.equations :, columns] = d2[n:]
        right = np.concatenate([r1, r2[n:]])
        if matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all() or not np.isfinite(right).all():
            return None
        try:
            step = np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            return None
        z = z - step
        size = float(np.max(np.abs(step) / np.maximum(1.0, np.abs(z))))
        if size < 1e-14 or (size < 1e-11 and size >= 0.5 * last):
            break
        last = size
    else:
        return None
    if critical_eigenvalue(second, z[columns], eigenvalue) is None:
        return None
    return z[:own], max(relative(*problem.residual(z[:own])), relative(*second.residual(z[columns])))


def relative(residual: FloatArray, derivative: FloatArray) -> float:
    """The largest residual in units of its equation: of what a change of one unknown by 1 makes of it."""
    sizes = np.max(np.abs(derivative), axis=1)
    return float(np.max(np.abs(residual) / np.where(sizes > 0.0, sizes, 1.0)))


def solve_double(problem: CurveProblem, guess: FloatArray, label: str) -> tuple[FloatArray, float] | None:
    """Newton's method for a double real eigenvalue on the boundary: a pair at the end of its curve (BT, R1, R2)."""
    second = CurveProblem(problem.system, problem.free, "pair", scale=problem.scale)
    target = {"BT": 0.0, "R1": 1.0, "R2": -1.0}[label]
    n = problem.system.n
    v = np.zeros(second.size)
    v[:n], v[second.q_slice], v[-1] = guess[:n], guess[problem.q_slice], target
    if not aim(second, v, complex(target)):
        return None
    row = np.zeros(second.size)
    row[-1] = 1.0
    v, ok = second.newton(v, row, target)
    if not ok:
        return None
    u = guess.copy()
    u[:n], u[problem.q_slice] = v[:n], v[second.q_slice]
    if problem.has_kappa:
        u[-1] = target
    return u, relative(*second.residual(v))

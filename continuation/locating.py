"""Locating a special point in an interval: Newton's method on the extended system of its label.

Where that system does not apply (equal eigenvalues, a manifold of equilibria) the eigenvalues themselves place the
point.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import branch_points
from gan_bifurcation.continuation.conditions import kappa_unit, make_point, solve_condition
from gan_bifurcation.continuation.counting import margin, margins, transverse, width_of
from gan_bifurcation.continuation.defect import balanced
from gan_bifurcation.continuation.march import Strip, project
from gan_bifurcation.continuation.problem import CONDITION_OF, Condition, CurveProblem

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
# Eigenvalues that are equal by symmetry differ by rounding, or by its square root in a defective block.
EQUAL: Final = 1e-6
# What rounding makes of the imaginary parts of equal real eigenvalues, relative to the largest one.
_ROUNDED: Final = 1e-12
# Rounding of an eigenvalue, in units of the norm of its matrix over the angle of its left and right vectors.
_ROUNDINGS: Final = 1e-13


class Locator:
    """Places special points on a branch, given two neighbouring points of it."""

    def __init__(self, problem: CurveProblem) -> None:
        self.problem = problem
        self.kind = problem.system.kind
        self._conditioned: dict[tuple[Condition, str, float], CurveProblem] = {}

    def conditioned(self, condition: Condition, level: str = "", unit: float = 1.0) -> CurveProblem:
        """The branch's problem with a condition, its parameter the only free one: a square system, made once."""
        key = (condition, level, unit)
        if key not in self._conditioned:
            self._conditioned[key] = self.problem.under(condition, level, unit)
        return self._conditioned[key]

    # -- intervals ----------------------------------------------------------------------------------------------------

    def project(self, guess: FloatArray, row: FloatArray) -> Strip | None:
        """The point of the branch in the plane through `guess` with normal `row`."""
        new = project(self.problem, guess, row)
        return None if new is None else transverse(self.problem, new)

    def fraction(self, pair: Strip, u: FloatArray) -> float:
        """Where a point lies between two others, along their chord."""
        chord = pair.u[1] - pair.u[0]
        return float((u[: len(chord)] - pair.u[0]) @ chord / (chord @ chord))

    def inside(self, pair: Strip, u: FloatArray) -> bool:
        """Whether a solution belongs to the interval between two points."""
        chord = pair.u[1] - pair.u[0]
        square = chord @ chord
        away = u[: len(chord)] - pair.u[0]
        fraction = away @ chord / square
        off = away - fraction * chord
        return bool(-1e-6 <= fraction <= 1.0 + 1e-6 and np.sqrt(off @ off) <= 0.5 * np.sqrt(square) + 1e-9)

    # -- eigenvalues --------------------------------------------------------------------------------------------------

    def group(self, label: str, spectrum: ComplexArray, number: int) -> ComplexArray:
        """The eigenvalues of a label's sort that are nearest to the boundary."""
        return np.array(self._nearest(label, spectrum)[:number], dtype=complex)

    def critical(self, label: str, spectrum: ComplexArray) -> complex:
        """The eigenvalue of a spectrum that a label speaks of: nearest the boundary among those of the right sort."""
        nearest = self._nearest(label, spectrum) or self._nearest("", spectrum)
        return nearest[0]

    def _nearest(self, label: str, spectrum: ComplexArray) -> list[complex]:
        """The eigenvalues of a label's sort, those nearest to the boundary first; without a label, all of them."""
        values: list[complex] = spectrum.tolist()
        if label in ("H", "NS"):
            values = [z for z in values if z.imag > 0.0]
        elif label:
            size = max(map(abs, values), default=0.0)
            values = [z for z in values if abs(z.imag) <= max(EQUAL * abs(z), _ROUNDED * size)]
            if self.kind == "map":
                values = [z for z in values if (z.real < 0.0 if label == "PD" else z.real > 0.0)]
        return sorted(values, key=lambda z: abs(margin(self.kind, z)))

    def tells(self, label: str, pair: Strip) -> bool:
        """Whether an eigenvalue of a label's sort is further from the boundary than by rounding, at either end."""
        for u, spectrum in zip(pair.u, pair.spectra, strict=True):
            nearest = self.critical(label, spectrum)
            matrix, _ = balanced(self.problem.jacobian_states(u))
            values, left, right = scipy.linalg.eig(matrix, left=True, right=True)
            k = int(np.argmin(np.abs(values - nearest)))
            sharpness = abs(np.vdot(left[:, k], right[:, k]))
            if abs(margin(self.kind, nearest)) * sharpness > _ROUNDINGS * np.linalg.norm(matrix):
                return True
        return False

    # -- extended systems ---------------------------------------------------------------------------------------------

    def locate(self, label: str, pair: Strip, *, anywhere: bool = False) -> Point | None:
        """The point of a label in an interval, by its extended system; None if it has no solution there."""
        ends = [self.critical(label, pair.spectra[i]) for i in (0, 1)]
        a, b = (margin(self.kind, e) for e in ends)
        fraction = min(max(a / (a - b), 0.0), 1.0) if a * b < 0.0 else 0.5
        guess = pair.u[0] + fraction * (pair.u[1] - pair.u[0])
        if label == "BP":
            return branch_points.locate(self.problem, guess, pair, self.inside)
        eigenvalue = ends[0] + fraction * (ends[1] - ends[0])
        return self.extended(label, CONDITION_OF[self.kind][label], "", guess, eigenvalue, None if anywhere else pair)

    def extended(
        self, label: str, condition: Condition, level: str, guess: FloatArray, eigenvalue: complex, pair: Strip | None
    ) -> Point | None:
        """Newton on the square system of one label with the branch's parameter as the only free one."""
        problem = self.conditioned(condition, level, kappa_unit(self.kind, condition, eigenvalue))
        located = solve_condition(problem, guess, eigenvalue, reference=self.problem.states(guess))
        if located is None:
            return None
        u, critical = located
        if pair is not None and not self.inside(pair, u):
            return None
        return make_point(problem, u, label, critical, level)

    def structural(self, pair: Strip, minus: bool) -> Point | None:
        """The common eigenvalue of the linear states reaches the boundary (of a map at minus one, or at one)."""
        base = self.problem
        condition: Condition = "structural minus" if minus else "structural"
        problem = self.conditioned(condition)
        u, ok = problem.newton(0.5 * (pair.u[0] + pair.u[1]))
        if not ok:
            return None
        critical = complex(-1.0 if minus else (1.0 if self.kind == "map" else 0.0))
        k = base.structural_multiplicity + self.companions(pair)
        return replace(
            make_point(problem, u, "PD" if minus else "LP", critical, ""), multiplicity=k, condition=condition,
            note=f"Structural: the {k} equal eigenvalues of the linear states reach the boundary together, in "
                 "a linear equation; no normal form applies.",
        )  # fmt: skip

    def companions(self, pair: Strip) -> int:
        """How many eigenvalues of the reduced spectrum are equal to the structural one all along an interval."""
        equal = np.abs(pair.spectra - pair.structural[:, None]) <= 1e-8 * (1.0 + np.abs(pair.structural[:, None]))
        return int(equal.sum(axis=1).min())

    def user_point(self, pair: Strip, target: float) -> Point | None:
        """The point of the branch in an interval at a value of the parameter (in units of its window)."""
        row = np.zeros(self.problem.size)
        at = self.problem.q_slice.start
        row[at] = 1.0
        f = (target - pair.u[0, at]) / (pair.u[1, at] - pair.u[0, at])
        u, ok = self.problem.newton(pair.u[0] + f * (pair.u[1] - pair.u[0]), row, target)
        return make_point(self.problem, u, "UZ", complex(np.nan), "") if ok else None

    # -- where no extended system has its solution --------------------------------------------------------------------

    def beside(self, label: str, pair: Strip) -> Point | None:
        """The solution next to a tiny interval in which an integer changes.

        Integers change where the distance from the boundary is the width that counts as on it, not where it is zero: an
        eigenvalue that all but turns back there is on the boundary further off.
        """
        point = self.locate(label, pair, anywhere=True)
        if point is None:
            return None
        u = self.problem.pack(point.x, values=point.parameters)
        between = self.project(0.5 * (pair.u[0] + u), pair.t[0])
        if between is None:
            return None
        spectrum = between.spectra[0]
        width = width_of(self.kind, spectrum, float(between.structural[0]))
        return point if abs(margin(self.kind, self.critical(label, spectrum))) <= 2.0 * width else None

    def at_margin(self, label: str, pair: Strip, number: int, note: str) -> Point:
        """The point where the mean margin of a label's nearest eigenvalues vanishes, by regula falsi on the branch.

        The mean of equal eigenvalues is smooth where each of them is not.
        """
        problem, project_to, ends = self._regular(label, pair, number)
        row = ends[1] - ends[0]
        low, high = 0.0, 1.0
        a, b = (self.mean_margin(label, spectrum, number) for spectrum in pair.spectra)
        u, side = (ends[0] if abs(a) < abs(b) else ends[1]), 0
        for _ in range(80):
            # Illinois' variant; at equal signs (a margin within rounding) it is the secant method.
            f = (low * b - high * a) / (b - a) if a != b else np.nan
            if not (np.isfinite(f) and -1.0 < f < 2.0):
                break
            new = project_to(ends[0] + f * row, row)
            if new is None:
                # At a branch point there is no tangent; the point itself may be what is looked for.
                straight = ends[0] + f * row
                if np.linalg.norm(problem.residual(straight)[0]) < 1e-12:
                    u = straight
                    break
                f += 1e-3 * (high - low)
                new = project_to(ends[0] + f * row, row)
            m = np.nan if new is None else self.mean_margin(label, new.spectra[0], number)
            if new is None or not np.isfinite(m):
                break
            u = new.u[0]
            if m == 0.0 or abs(high - low) * np.linalg.norm(row) < 1e-15:
                break
            if (m > 0.0) == (b > 0.0):
                high, b, a, side = f, m, a * (0.5 if side == 1 else 1.0), 1
            else:
                low, a, b, side = f, m, b * (0.5 if side == -1 else 1.0), -1
        if problem is not self.problem:
            values = dict(zip(problem.free, problem.values(u), strict=True))
            u = self.problem.pack(problem.states(u), values=values)
        group = self.group(label, self.problem.spectrum(u), number)
        critical = complex(group[0]) if len(group) else complex(np.nan)
        return replace(make_point(self.problem, u, label, critical, ""), multiplicity=number, note=note)

    def mean_margin(self, label: str, spectrum: ComplexArray, number: int) -> float:
        """The mean distance from the boundary of a label's nearest eigenvalues, with its sign."""
        group = self.group(label, spectrum, number)
        return float(np.mean(margins(self.kind, group))) if len(group) else np.nan

    def _regular(
        self, label: str, pair: Strip, number: int
    ) -> tuple[CurveProblem, Callable[[FloatArray, FloatArray], Strip | None], FloatArray]:
        """Equations that determine the branch where several real eigenvalues vanish, how to solve them, and both ends.

        The critical directions are held: by symmetry the branch has no part in them.
        """
        problem = self.problem
        if label != "BP" or number < 2 or problem.k:
            return problem, self.project, pair.u
        nearer = int(np.argmin([abs(self.mean_margin(label, spectrum, number)) for spectrum in pair.spectra]))
        u, spectrum = pair.u[nearer], pair.spectra[nearer]
        scale = problem.scale[:, None]
        matrix = problem.jacobian_states(u) * (problem.scale / scale)
        matrix.flat[:: len(matrix) + 1] -= float(np.mean(self.group(label, spectrum, number).real))
        left, _, right = np.linalg.svd(matrix)
        held = CurveProblem(
            problem.system, problem.free, pins=np.ascontiguousarray(right[-number:].T / scale),
            unfolding=np.ascontiguousarray(left[:, -number:] * scale), scale=problem.scale,
        )  # fmt: skip
        held.set_reference(problem.states(u))
        ends = np.array([
            held.pack(problem.states(v), values=dict(zip(problem.free, problem.values(v), strict=True)))
            for v in pair.u
        ])  # fmt: skip
        return held, partial(project, held), ends

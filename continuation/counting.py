"""Counting along a strip: how many eigenvalues lie beyond the stability boundary, and which are neutral."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _tally
from gan_bifurcation.continuation.march import Strip
from gan_bifurcation.continuation.problem import CurveProblem

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Integers = tuple[int, int, int, int, int]


@dataclass(frozen=True, eq=False)
class Counts:
    """The integers of a strip, and how close to the boundary an eigenvalue counts as on it.

    Attributes
    ----------
    integers : int array (N, 5)
        Whose changes say what happened: real eigenvalues beyond 0 (flows) or +1 (maps); real multipliers beyond -1;
        unstable complex pairs; the structural multiplier below -1, inside, above 1 as -1, 0, 1; the sign of the
        bordered determinant.
    neutral, unstable : int array (N,)
        How many eigenvalues are on the boundary, and beyond it (structural ones not counted).
    changed : int array (N,)
        ALTERED where an integer is another than at the point before, and EXCHANGED (see `_tally`).
    width : array (N,)
    size : array (N,)
        The largest modulus of the spectrum.
    distances : array (N, reduced)
        From the boundary, the nearest first.
    """

    integers: NDArray[np.int64]
    neutral: NDArray[np.int64]
    unstable: NDArray[np.int64]
    changed: NDArray[np.int64]
    width: FloatArray
    size: FloatArray
    distances: FloatArray

    def at(self, i: int) -> Integers:
        """The integers of one point."""
        positive, negative, pairs, structural, sign = self.integers[i].tolist()
        return positive, negative, pairs, structural, sign


def margins(kind: str, spectra: ComplexArray) -> FloatArray:
    """Signed distance from the stability boundary: real part, or modulus minus one."""
    return np.asarray(spectra.real if kind == "flow" else np.abs(spectra) - 1.0)


def margin(kind: str, eigenvalue: complex) -> float:
    """The same of one eigenvalue."""
    return eigenvalue.real if kind == "flow" else abs(eigenvalue) - 1.0


def width_of(kind: str, spectrum: ComplexArray, structural: float = np.nan) -> float:
    """How close to the boundary an eigenvalue of a spectrum counts as on it."""
    spectra = np.asarray(spectrum, dtype=complex)[None]
    return float(_counts(kind, spectra, np.array([float(structural)]), np.zeros(1)).width[0])


def transverse(problem: CurveProblem, strip: Strip) -> Strip:
    """Without the eigenvalues that a manifold of equilibria keeps on the boundary: they are put far away."""
    if not problem.k:
        return strip
    s = strip.spectra.copy()
    is_map = problem.system.kind == "map"
    order = np.argsort(np.abs(s - (1.0 if is_map else 0.0)), axis=1)[:, : problem.k]
    np.put_along_axis(s, order, 0.0 if is_map else -_tally.FAR, axis=1)
    return replace(strip, spectra=s)


def count(problem: CurveProblem, strip: Strip) -> Counts:
    """The integers of a strip."""
    return _counts(problem.system.kind, strip.spectra, strip.structural, strip.signs)


def _counts(kind: str, spectra: ComplexArray, structural: FloatArray, signs: FloatArray) -> Counts:
    n = len(spectra)
    table, width, size, distances = np.empty((n, 8), dtype=np.int64), np.empty(n), np.empty(n), np.empty(spectra.shape)
    _tally.tally(kind == "map", spectra, structural, signs, table, width, size, distances)
    neutral, unstable, changed = (table[:, c] for c in (_tally.NEUTRAL, _tally.UNSTABLE, _tally.CHANGED))
    return Counts(table[:, :5], neutral, unstable, changed, width, size, distances)


def unstable_count(problem: CurveProblem, strip: Strip) -> NDArray[np.int64]:
    """Number of unstable eigenvalues of the full system at each point."""
    counts = count(problem, strip)
    return np.asarray(counts.unstable + problem.structural_multiplicity * np.abs(counts.integers[:, _tally.STRUCTURAL]))

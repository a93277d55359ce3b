"""Counting along a strip: how many eigenvalues lie beyond the stability boundary, and which are neutral."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.march import Strip
from gan_bifurcation.continuation.problem import CurveProblem

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Closer to the stability boundary than this is on it: eigenvalues carry rounding. In units of the largest eigenvalue
# where all are small (slow time) or rounding is larger (very stiff).
NEUTRAL: Final = 1e-9
REAL_PART: Final = 1e-10
ROUNDING: Final = 1e-15
# Larger than any eigenvalue that means something.
FAR: Final = 1e300


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


def neutral_width(kind: str, strip: Strip) -> FloatArray:
    """How close to the boundary an eigenvalue counts as on it, (N, 1)."""
    if kind == "map":
        return np.full((len(strip), 1), NEUTRAL)
    sizes = np.abs(strip.spectra)
    sizes[~(sizes < FAR)] = 0.0
    size = np.fmax(sizes.max(axis=1, initial=0.0), np.abs(strip.structural))[:, None]
    return np.asarray(np.maximum(NEUTRAL * np.minimum(1.0, size), ROUNDING * size))


def width_of(kind: str, spectrum: ComplexArray, structural: float = np.nan) -> float:
    """The same for one spectrum."""
    if kind == "map":
        return NEUTRAL
    size = float(np.fmax(np.max(np.where(np.abs(spectrum) < FAR, np.abs(spectrum), 0.0), initial=0.0), abs(structural)))
    return max(NEUTRAL * min(1.0, size), ROUNDING * size)


def transverse(problem: CurveProblem, strip: Strip) -> Strip:
    """Without the eigenvalues that a manifold of equilibria keeps on the boundary: they are put far away."""
    if not problem.k:
        return strip
    s = strip.spectra.copy()
    is_map = problem.system.kind == "map"
    order = np.argsort(np.abs(s - (1.0 if is_map else 0.0)), axis=1)[:, : problem.k]
    np.put_along_axis(s, order, 0.0 if is_map else -FAR, axis=1)
    return replace(strip, spectra=s)


def count(problem: CurveProblem, strip: Strip) -> Counts:
    """The integers of a strip."""
    kind = problem.system.kind
    s = strip.spectra
    margin = margins(kind, s)
    width = neutral_width(kind, strip)
    beyond = margin > width
    real = np.abs(s.imag) <= REAL_PART * (1.0 + np.abs(s))
    c = strip.structural
    if kind == "map":
        structural = np.where(c > 1.0 + NEUTRAL, 1, np.where(c < -1.0 - NEUTRAL, -1, 0))
    else:
        structural = np.where(c > width[:, 0], 1, 0)
    positive = beyond & real & (s.real > 0.0) if kind == "map" else beyond & real
    turning = ~real & (s.imag > 0.0)
    return Counts(
        positive.sum(axis=1),
        (beyond & real & (s.real < 0.0)).sum(axis=1) if kind == "map" else np.zeros(len(s), dtype=np.int64),
        (beyond & turning).sum(axis=1),
        structural,
        strip.signs.astype(np.int64),
        turning.sum(axis=1),
        (np.abs(margin) <= width).sum(axis=1),
    )


def unstable_count(problem: CurveProblem, strip: Strip) -> NDArray[np.int64]:
    """Number of unstable eigenvalues of the full system at each point."""
    width = neutral_width(problem.system.kind, strip)
    number = np.sum(margins(problem.system.kind, strip.spectra) > width, axis=1)
    if problem.structural_multiplicity:
        c = strip.structural
        bad = np.abs(c) > 1.0 + NEUTRAL if problem.system.kind == "map" else c > width[:, 0]
        number = number + problem.structural_multiplicity * bad
    return np.asarray(number, dtype=np.int64)

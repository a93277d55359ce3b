"""The last system of a collocation problem as a plain matrix, and solutions spread from it: for null vectors."""

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _cycle_march as march
from gan_bifurcation.continuation._cycle_kernels import System, do
from gan_bifurcation.continuation._cycle_memory import SOLUTION, SPARE
from gan_bifurcation.continuation._packs import LANES
from gan_bifurcation.kernels import FloatArray

IntArray = NDArray[np.int64]


def last_system(s: System, closure: float, rows: IntArray, cols: IntArray, out: FloatArray) -> None:
    """[[P + closure Q, columns], [rows, corner]] (n + rows, n + columns), for borders that are in the factors."""
    do(s, march.LAST_SYSTEM, 0, 1.0, closure, cols, rows, out=out)


def bordered(
    s: System, column: int, columns: FloatArray, row: int, rows: FloatArray, closure: float, numbers: IntArray,
    which: IntArray,
) -> FloatArray:  # fmt: skip
    """Factors at the trial point with more columns (., N, q) and rows, products with states (., N m + 1, n).

    From the numbers `column` and `row` on; returns the last system with the rows `numbers` and the columns `which`.
    """
    n = s.sizes.n
    out = np.zeros((n + len(numbers), n + len(which)))
    do(s, march.BORDERED, row, float(column), closure, which, numbers, rows, columns.reshape(-1), out=out)
    return out


def joined(
    s: System, which: IntArray, rows: FloatArray, corner: FloatArray, wanted: FloatArray, target: float
) -> float:
    """A step of Newton's method from the trial point; its length.

    Conditions, rows in packs with their derivatives by border unknowns (., nb), stand after the first row, and are to
    change by `wanted`; the last row, if it is none of them, is to have the value `target`.
    """
    return do(s, march.JOINED, 0, target, which=which, u=rows, t=wanted, b=corner.reshape(-1))[0]


def curved(s: System, phi: FloatArray, psi: FloatArray, by: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Derivatives of -psi^T M phi at the trial point of `bordered`, for parts of psi and of phi.

    `by` (., 1 + nf) are phi's components in the period and the parameters. Returns rows in packs and derivatives by
    border unknowns (parts of psi, parts of phi, .).
    """
    p = s.sizes
    count = len(psi) * len(phi)
    out = np.zeros(count * (p.turns * p.wide * LANES + p.nb))
    do(s, march.CURVED, u=psi, t=phi, b=by.reshape(-1), out=out)
    corner = out[len(out) - count * p.nb :].reshape(len(psi), len(phi), p.nb)
    return out[: len(out) - count * p.nb].reshape(len(psi), len(phi), -1), corner


def border_parts(
    s: System, rows: IntArray, cols: IntArray, columns: FloatArray, starts: FloatArray, ends: FloatArray,
    corner: FloatArray,
) -> None:  # fmt: skip
    """What the last system knows of borders: columns (n, k), rows at x_0 and at x_N (k, n), corner (k, k)."""
    n = s.sizes.n
    out = np.zeros((n + len(rows), n + len(cols)))
    last_system(s, 0.0, rows, cols, out)
    columns[:], starts[:], corner[:] = out[:n, n:], out[n:, :n], out[n:, n:]
    ends[:] = s.view(s.sizes.rowf, s.sizes.k, 2, n)[rows, 1]


def spread(s: System, closure: float, cols: IntArray, x: FloatArray, with_right: float, out: FloatArray) -> None:
    """The states (N m + 1, n) that belong to a solution x of the last system: x_0, then the border unknowns."""
    assert with_right == 0.0
    n = s.sizes.n
    spread_between(s, x[:n], closure * x[:n], cols, x[n:], out)
    s.borders(SOLUTION)[cols] = x[n:]


def spread_between(
    s: System, x0: FloatArray, xn: FloatArray, cols: IntArray, weights: FloatArray, out: FloatArray
) -> None:
    """The states (N m + 1, n) of K x + columns . weights = 0 from both ends."""
    do(s, march.SPREAD, which=cols[: len(weights)], u=x0, t=xn, b=weights)
    out[:] = s.states(SPARE)


def spread_adjoint(s: System, last: FloatArray, rows: IntArray, weights: FloatArray, psi: FloatArray) -> None:
    """The left solution (N, q) from what it is in the last system: n equations, then weights of border rows."""
    do(s, march.LEFT, rows=rows, u=last, b=weights, out=psi)

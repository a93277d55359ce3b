"""The last system of a collocation problem as a plain matrix, and solutions spread from it: for null vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._cycle_kernels import back, crossing
from gan_bifurcation.kernels import FloatArray, jit

IntArray = NDArray[np.int64]


@jit
def last_system(s: Any, closure: float, rows: IntArray, cols: IntArray, out: FloatArray) -> None:
    """[[P + closure Q, columns], [rows, corner]] (n + rows, n + columns), for borders that are in the factors."""
    n = s.n
    for r in range(n):
        for c in range(n):
            out[r, c] = s.tp[c, r] + closure * s.tq[c, r]
        for c in range(cols.shape[0]):
            out[r, n + c] = s.colf[cols[c], r]
    for r in range(rows.shape[0]):
        for c in range(n):
            out[n + r, c] = s.rowf[rows[r], 0, c] + closure * s.rowf[rows[r], 1, c]
        for c in range(cols.shape[0]):
            out[n + r, n + c] = s.corner[rows[r], cols[c]] - crossing(s, rows[r], cols[c])


@jit
def spread(s: Any, closure: float, cols: IntArray, x: FloatArray, with_right: float, out: FloatArray) -> None:
    """The states (N m + 1, n) that belong to a solution x of the last system: x_0, then the border unknowns."""
    for c in range(x.shape[0]):
        s.right[c] = x[c]
    back(s, closure, cols, with_right, out)

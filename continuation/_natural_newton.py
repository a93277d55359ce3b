"""Newton's method from far away, compiled: most of a search's starts end soon, and in Python each step took longest."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.continuation._linear_algebra import lu_factor, lu_solve
from gan_bifurcation.evaluation import jacobian, value
from gan_bifurcation.kernels import FloatArray

_LEAST_DAMPING: Final = 1e-3


@jit
def natural_newton(
    e: Any, is_map: bool, z: FloatArray, iterations: int, work: FloatArray, a: FloatArray, j: FloatArray,
    pivots: NDArray[np.int64],
) -> bool:  # fmt: skip
    """Newton's method on the states in the first row of `z` (2, n + m), in place; whether it ends at a zero.

    Both rows of `z` are the start; `work` (6, n), `a` (n, n), `j` (n, n + m) and `pivots` (n,) are work arrays, which
    would take longer to compile than all the rest. Nothing is called in two places, for the same reason.
    """
    n = e.n
    f, step, correction, rows, unit, length = work[0], work[1], work[2], work[3], work[4], work[5]
    here, trial = z[0], z[1]
    damping, last, size = 1.0, np.inf, 0.0
    # A state that is taken gets a derivative and a step of its own, one that is tried a correction by the last one's.
    taken, again, count = True, False, 0
    while True:
        if not again:
            value(e, trial, f)
        finite = True
        for i in range(n):
            finite = finite and abs(f[i]) < np.inf
        if taken:
            count += 1
            if not finite or count > iterations:
                return False
            largest = 0.0
            for i in range(n):
                here[i] = trial[i]
                largest = max(largest, abs(here[i]))
            jacobian(e, here, correction, j)
            for i in range(n):
                unit[i] = abs(here[i]) + 1e-8 * largest + 1e-12
            # Unknowns in their units, and rows divided by their largest terms.
            for i in range(n):
                rows[i] = 0.0
                for c in range(n):
                    a[i, c] = (j[i, c] - (1.0 if is_map and i == c else 0.0)) * unit[c]
                    rows[i] = max(rows[i], abs(a[i, c])) if abs(a[i, c]) < np.inf else np.inf
                rows[i] = 1.0 if rows[i] == 0.0 else rows[i]
                for c in range(n):
                    a[i, c] /= rows[i]
            if lu_factor(a, pivots) == 0.0:
                return False
        for i in range(n):
            correction[i] = ((trial[i] if is_map else 0.0) - f[i]) / rows[i]
        lu_solve(a, pivots, correction)
        for i in range(n):
            correction[i] *= unit[i]
            finite = finite and abs(correction[i]) < np.inf
        if taken:
            relative = square = 0.0
            for i in range(n):
                step[i] = correction[i]
                relative = max(relative, abs(step[i]) / max(abs(here[i]), 1e-6))
                length[i] = abs(here[i]) + abs(step[i]) + 1e-300
                square += (step[i] / length[i]) ** 2
            if not finite:
                return False
            if relative < 1e-12 or 0.5 * last <= relative < 1e-9:
                for i in range(n):
                    here[i] += step[i]
                return True
            last, size, taken = relative, np.sqrt(square), False
        else:
            off = square = 0.0
            for i in range(n):
                off += ((correction[i] - (1.0 - damping) * step[i]) / length[i]) ** 2
                square += (correction[i] / length[i]) ** 2
            fitting = min(1.0, 0.5 * size * damping**2 / max(np.sqrt(off), 1e-300))
            if finite and np.sqrt(square) <= (1.0 - 0.25 * damping) * size:
                # The next look at this state is the same, with a derivative of its own.
                damping, taken, again = fitting, True, True
                continue
            damping = min(0.5 * damping, max(fitting, 0.1 * damping)) if finite else 0.25 * damping
            if damping < _LEAST_DAMPING:
                return False
        for i in range(n):
            trial[i] = here[i] + damping * step[i]
        again = False

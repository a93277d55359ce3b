"""The compiled tracer: Newton's corrector and the march along a curve or branch, one for every curve problem."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.continuation._kernels import refresh_borders, residual_jacobian
from gan_bifurcation.continuation._linear_algebra import lu_factor, lu_solve, reduced_spectrum
from gan_bifurcation.kernels import FloatArray

# Why a chunk ended, and the mode in which `advance` only solves.
FULL, LEFT_WINDOW, STEP_TOO_SMALL, TOO_LARGE = 0, 1, 2, 3
# A correction smaller than this, relative to each unknown, changes no derivative that is used.
_SAME = 1e-11


@jit
def correct(s: Any, u: FloatArray, row: FloatArray, target: float, iterations: int, tolerance: float) -> int:
    """Newton's method on the problem with one more equation row . u = target (none where it is square), in place.

    Returns the number of iterations used, -1 if it did not converge. With iterations = 0 nothing is solved: the
    tangent on the side of `row` is put into `s.tangent`, and the sign of det [D; row] is returned (0: singular).
    """
    size = s.size
    square = s.equations == size
    last = np.inf
    iteration = 0
    while True:
        if not residual_jacobian(s, u):
            return 0 if iterations == 0 else -1
        r, d = s.residual, s.system
        if not square:
            total = -target
            for i in range(size):
                d[size - 1, i] = row[i]
                total += row[i] * u[i]
            r[size - 1] = total
        sign = lu_factor(d, s.pivots)
        if sign == 0.0:
            return 0 if iterations == 0 else -1
        if iterations > 0:
            lu_solve(d, s.pivots, r)
        update = 0.0
        same = not square
        for i in range(size if iterations > 0 else 0):
            update = max(update, abs(r[i]) / max(1.0, abs(u[i])))
            same = same and abs(r[i]) <= _SAME * abs(u[i])
            u[i] -= r[i]
        iteration += 1
        if not update < np.inf:
            return -1
        if update < tolerance or iterations == 0:
            # After so small a correction the derivative is that of the result, and its factors give the tangent.
            s.determinant = 0.0
            if same:
                t = s.tangent
                for i in range(size):
                    t[i] = 0.0
                t[size - 1] = 1.0
                lu_solve(d, s.pivots, t)
                norm = 0.0
                for i in range(size):
                    norm += t[i] * t[i]
                if norm > 0.0 and norm < np.inf:
                    norm = np.sqrt(norm)
                    for i in range(size):
                        t[i] /= norm
                    s.determinant = sign
            return int(s.determinant) if iterations == 0 else iteration
        if iteration >= iterations or (iteration >= 3 and update > 2.0 * last and update > 1e-7):
            return -1
        last = update


@jit
def trace_chunk(
    s: Any,
    u: FloatArray,  # start, overwritten by the last point
    t: FloatArray,  # its tangent, overwritten
    step: FloatArray,  # (4,): current, smallest, largest step, cosine of the largest angle between tangents
    points: FloatArray,  # (N, unknowns)
    tangents: FloatArray,  # (N, unknowns)
    spectra: NDArray[np.complex128],  # (N, reduced)
    structural: FloatArray,  # (N,): common coefficient of the linear states
    signs: FloatArray,  # (N,): sign of det [D; t]
    limit: float,
) -> tuple[int, int]:
    """Advance until the buffers are full, the window is left or the step collapses: (points written, reason)."""
    size, n, k = s.size, s.n, s.k
    trial, new_t = s.trial, s.tangent
    count = 0
    while count < points.shape[0]:
        h = step[0]
        for i in range(k):
            u[n + i] = 0.0
        # Hold the pinned directions where the curve is; how it moves along them is not determined.
        for i in range(n):
            s.reference[i] = u[i] * s.scale[i]
        target = 0.0
        for i in range(size):
            trial[i] = u[i] + h * t[i]
            target += t[i] * trial[i]
        used = 0
        solving = True
        accepted = False
        sign = 0
        cosine = distance = 0.0
        # One call site for both: first solve, then the tangent there, unless the last correction left it.
        while True:
            outcome = correct(s, trial, t, target, 7 if solving else 0, 1e-9)
            if solving:
                used = outcome
                if used <= 0:
                    break
                solving = False
                sign = int(s.determinant)
                if sign == 0:
                    continue
            else:
                sign = outcome
            for i in range(size):
                cosine += t[i] * new_t[i]
                distance += (trial[i] - u[i]) ** 2
            distance = np.sqrt(distance)
            accepted = sign != 0 and distance < 1.5 * h and (cosine > step[3] or (h <= 4.0 * step[1] and cosine > 0.0))
            break
        if not accepted:
            step[0] = 0.5 * h
            if step[0] < step[1]:
                return count, STEP_TOO_SMALL
            continue
        refresh_borders(s)
        spectrum = reduced_spectrum(s.j, s.linear, s.rest)
        for i in range(size):
            u[i] = trial[i]
            t[i] = new_t[i]
            points[count, i] = u[i]
            tangents[count, i] = t[i]
        for i in range(spectrum.shape[0]):
            spectra[count, i] = spectrum[i]
        structural[count] = s.j[s.linear[0], s.linear[0]] if s.linear.shape[0] > 0 else np.nan
        signs[count] = sign
        count += 1
        largest = 0.0
        for i in range(n):
            largest = max(largest, abs(u[i]))
        for i in range(s.nf):
            if u[n + k + i] < 0.0 or u[n + k + i] > 1.0:
                return count, LEFT_WINDOW
        if largest > limit:
            return count, TOO_LARGE
        # No unknown moves by more than the largest step: parameters in units of the window, others relative
        # to their size.
        cap = np.inf
        for i in range(size):
            room = step[2] if n + k <= i < n + k + s.nf else step[2] * max(1.0, largest if i < n + k else abs(u[i]))
            if abs(t[i]) * cap > room:
                cap = room / abs(t[i])
        if used <= 3 and cosine > 0.5 * (1.0 + step[3]):
            h = 1.4 * h
        elif used >= 5 or cosine < step[3] + 0.25 * (1.0 - step[3]):
            h = 0.7 * h
        step[0] = max(step[1], min(cap, h))
    return count, FULL

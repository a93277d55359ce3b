"""Steps along a branch of cycles in compiled code: predictor, Newton's corrector, tangent, multipliers, many at a time.

All of it is behind one compiled function, `act`, so that it is compiled once.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._cycle_mesh import density, extrema
from gan_bifurcation.continuation._cycle_system import (
    B0,
    B1,
    BN,
    DB,
    DU,
    REMEMBERED,
    TB,
    TB1,
    TU,
    TU1,
    U0,
    U1,
    UN,
    WEIGHTS,
    Layout,
    border_row,
    evaluate,
    factorise_final,
    factors,
    forward,
    gather,
    inner_product,
    last_system,
    recover_left,
    reduce_row,
    row_times,
    solve,
)
from gan_bifurcation.continuation._packs import LANES, ONE, ZERO, inlined
from gan_bifurcation.continuation.floquet import multipliers
from gan_bifurcation.kernels import FloatArray, jit, leaf

IntArray = NDArray[np.int64]

# Places in the array of a step.
STEP, SMALLEST, LARGEST, ANGLE, LAST, SIGN, TOLERANCE = range(7)
STEP_SIZES: Final = 7

# What `act` does.
(
    EVALUATE, FACTORS, NEWTON, SETTLE, ACCEPT, MARCH, PHASE_ROW, PRODUCT_ROW, BORDER, REDUCE_ROW, ROW_TIMES, FINAL,
    LAST_SYSTEM, SPREAD, LEFT, COLUMN, IMPROVE, TANGENT, INNER, MULTIPLIERS, DENSITY, EXTREMA,
) = range(22)  # fmt: skip

# What the loop of `act` is at.
_PREDICT, _CORRECT, _SETTLE, _POLISH, _RETREAT = range(30, 35)
# Why a march came back: it is full, no step succeeds, the last point is to be looked at, the mesh is to be adapted.
FULL, TOO_SMALL, LOOK, MESH = range(4)

# The predictor may be off by this part of the step; beyond it the corrector may have found another curve.
_OFF: Final = 0.4
_GROWTH: Final = 1.6
_REAL: Final = 1e-9
# How often the mesh is looked at.
EVERY: Final = 3


@inlined
def _corrected(p: Layout, w: FloatArray, to: int, weights: int) -> float:
    """Length of a solution of the system: states at `to`, border unknowns in `right`."""
    gather(p, w, w, to, p.xl)
    size = inner_product(p, w, p.xl, p.xl)
    for c in range(p.nb):
        size += w[weights + c] * w[p.right + p.n + c] ** 2
    return float(np.sqrt(size))


@leaf
def _dot(p: Layout, w: FloatArray, x: int, y: int) -> float:
    total = 0.0
    for i in range(p.size + p.nb):
        total += w[x + i] * w[y + i]
    return total


@inlined
def _remember(p: Layout, w: FloatArray, count: int) -> float:
    """Broyden's correction for the one just computed with old factors, from `count` corrections that went before.

    The new one is kept if there is room. Returns how much of it is left in the direction of the last one.

    Kelley: Iterative Methods for Linear and Nonlinear Equations (1995), section 7.3.
    """
    row = p.size + p.k
    z = p.memory + min(count, REMEMBERED - 1) * row
    if count >= REMEMBERED:
        return 0.0
    du = p.io + DU * p.size
    for i in range(p.size):
        w[z + i] = w[du + i]
    # The period counts like the states.
    for c in range(p.nb):
        w[z + p.size + c] = w[p.right + p.n + c] * np.sqrt(w[p.bio + WEIGHTS * p.k + c] * p.size)
    left = 0.0
    for j in range(count):
        s = p.memory + j * row
        left = _dot(p, w, s, z) / _dot(p, w, s, s)
        if j + 1 < count:
            for i in range(p.size + p.nb):
                w[z + i] += left * w[s + row + i]
    factor = 1.0 / (1.0 - left) if abs(left) < 0.6 else 1.0
    for i in range(p.size + p.nb):
        w[z + i] *= factor
    for i in range(p.size):
        w[du + i] = w[z + i]
    for c in range(p.nb):
        w[p.right + p.n + c] = w[z + p.size + c] / np.sqrt(w[p.bio + WEIGHTS * p.k + c] * p.size)
    return left


@leaf
def _arclength_row(p: Layout, w: FloatArray, t: FloatArray, tb: FloatArray, at: int, at_b: int) -> None:
    """The last row: the product with a tangent, states and border unknowns."""
    last = p.nb - 1
    gather(p, w, t, at, p.xl)
    border_row(p, w, ONE, last, p.xl)
    for c in range(p.nb):
        w[p.corner + last * p.k + c] = w[p.bio + WEIGHTS * p.k + c] * tb[at_b + c]


@leaf
def _accept(p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray, moved: int) -> None:
    """Make the trial point just settled (or the present one, if it was not `moved`) the present one."""
    for i in range(p.size):
        at = p.io + i
        if moved == 1:
            w[at + U1 * p.size] = w[at + U0 * p.size]
            w[at + TU1 * p.size] = w[at + TU * p.size]
            w[at + U0 * p.size] = w[at + UN * p.size]
        w[at + TU * p.size] = w[at + DU * p.size]
    for c in range(p.nb):
        at = p.bio + c
        if moved == 1:
            w[at + B1 * p.k] = w[at + B0 * p.k]
            w[at + TB1 * p.k] = w[at + TB * p.k]
            w[at + B0 * p.k] = w[at + BN * p.k]
        w[at + TB * p.k] = w[at + DB * p.k]
    _arclength_row(p, w, w, w, p.io + TU * p.size, p.bio + TB * p.k)
    reduce_row(p, w, p.nb - 1)
    factorise_final(p, w, final, pivots, which)


@inlined
def _predict(p: Layout, w: FloatArray, ds: float, before: float) -> float:
    """The trial point: on the cubic through this point and the last with their tangents, or on the tangent if there is
    no last one (`before` = 0). Returns the value of the last row there."""
    for part in range(2):
        base, step, count = (p.io, p.size, p.size) if part == 0 else (p.bio, p.k, p.nb)
        u, t, u1, t1, un = (U0, TU, U1, TU1, UN) if part == 0 else (B0, TB, B1, TB1, BN)
        for i in range(count):
            at = base + i
            x, slope = w[at + u * step], w[at + t * step]
            c2 = c3 = 0.0
            if before > 0.0:
                a = (w[at + u1 * step] - x + before * slope) / before
                c3 = (w[at + t1 * step] - slope + 2.0 * a) / (before * before)
                c2 = a / before + before * c3
            w[at + un * step] = x + ds * (slope + ds * (c2 + ds * c3))
    last = p.nb - 1
    gather(p, w, w, p.io + U0 * p.size, p.xl)
    target = ds + row_times(p, w, last, p.xl)
    for c in range(p.nb):
        target += w[p.corner + last * p.k + c] * w[p.bio + B0 * p.k + c]
    return float(target)


@leaf
def _outside(spectrum: NDArray[np.complex128], kind: int) -> int:
    """How many multipliers, the trivial one left out, lie outside the unit circle: above 1, below -1, pairs."""
    count = 0
    for i in range(1, spectrum.shape[0]):
        mu = spectrum[i]
        if abs(mu) > 1.0:
            real = abs(mu.imag) <= _REAL * abs(mu)
            if (kind == 2 and not real and mu.imag > 0.0) or (kind < 2 and real and (mu.real > 0.0) == (kind == 0)):
                count += 1
    return count


@inlined
def _look(
    p: Layout, w: FloatArray, spectrum: NDArray[np.complex128], old: NDArray[np.complex128],
    limits: FloatArray, first: FloatArray, count: int, low: FloatArray, high: FloatArray,
) -> bool:  # fmt: skip
    """Whether the point just accepted is one of those that are looked at: something changed, or may have ended.

    `limits`: the sign of the determinant before; the longest period, the largest trivial error, the largest state that
    are let pass; then values of the parameter to stop at, in its window.
    """
    b0, b1, tb, tb1 = p.bio + B0 * p.k, p.bio + B1 * p.k, p.bio + TB * p.k, p.bio + TB1 * p.k
    if w[p.step + SIGN] * limits[0] < 0.0 or w[tb + 1] * w[tb1 + 1] < 0.0:
        return True
    if w[b0] > limits[1] or not abs(spectrum[0] - 1.0) < limits[2]:
        return True
    for i in range(1, p.nb):
        if not 0.0 <= w[b0 + i] <= 1.0:
            return True
    for kind in range(3):
        if _outside(spectrum, kind) != _outside(old, kind):
            return True
    for c in range(p.n):
        if not max(abs(low[c]), abs(high[c])) * w[p.scale + c] < limits[3]:
            return True
    for i in range(4, limits.shape[0]):
        if min(w[b0 + 1], w[b1 + 1]) <= limits[i] <= max(w[b0 + 1], w[b1 + 1]):
            return True
    # Beyond the equilibrium that a cycle shrank to, it is upside down.
    product = 0.0
    points = p.intervals * p.m + 1
    for c in range(p.n):
        mean = mean1 = total = 0.0
        for i in range(points):
            x, y = w[p.io + U0 * p.size + i * p.n + c], w[p.io + U1 * p.size + i * p.n + c]
            mean += x
            mean1 += y
            total += x * y
        product += total - mean * mean1 / points
    if not product > 0.0:
        return True
    if count < 8:
        return False
    for i in range(p.nb):
        x, y = w[b0 + i], w[b1 + i]
        slack = 0.5 * abs(x - y) + 1e-9
        if not min(x, y) - slack <= first[i] <= max(x, y) + slack:
            return False
    return True


@inlined
def _wanted(p: Layout, w: FloatArray, target: float, period: float) -> None:
    """What the border rows are to change by at the trial point, whose states are in `ul`."""
    last = p.nb - 1
    bn = p.bio + BN * p.k
    for r in range(p.nb):
        wanted = period - w[bn]
        if r == 0 or r == last:
            wanted = -row_times(p, w, r, p.ul)
        if r == last:
            wanted += target
            for c in range(p.nb):
                wanted -= w[p.corner + r * p.k + c] * w[bn + c]
        w[p.right + p.n + r] = wanted


@inlined
def _record(p: Layout, w: FloatArray, records: FloatArray, at: int, d: FloatArray) -> None:
    """The present point: the step, the sign of the determinant, border unknowns, their tangent, extrema, states."""
    n, nb = p.n, p.nb
    records[at] = w[p.step + LAST]
    records[at + 1] = w[p.step + SIGN]
    for c in range(nb):
        records[at + 2 + c] = w[p.bio + B0 * p.k + c]
        records[at + 2 + nb + c] = w[p.bio + TB * p.k + c]
    at += 2 + 2 * nb
    extrema(w, p.io + U0 * p.size, n, p.m, p.intervals, records[at : at + n], records[at + n : at + 2 * n], d)
    for c in range(p.size):
        records[at + 2 * n + c] = w[p.io + U0 * p.size + c]


@inlined
def _uneven(
    p: Layout, w: FloatArray, h: FloatArray, top: FloatArray, limits: FloatArray, trivial: float, low: FloatArray,
    high: FloatArray,
) -> bool:  # fmt: skip
    """Whether the mesh and the sizes of the states are to be looked at."""
    result = trivial > limits[1]
    if density(h, w, p.io + U0 * p.size, p.n, top, w[p.memory : p.memory + p.intervals]) > limits[0]:
        result = True
    for c in range(p.n):
        if high[c] - low[c] > 2.0:
            result = True
    return result


@jit
def act(
    s: Any, what: int, k: int, x: float, y: float, which: IntArray, rows: IntArray, u: FloatArray, t: FloatArray,
    b: FloatArray, out: FloatArray, spectra: NDArray[np.complex128],
) -> tuple[float, int, int, float]:  # fmt: skip
    """Do one of the things that are named above; `_cycle_kernels` and `_cycle_steps` say what arguments they take.

    To march, `k` is how many points of the branch are known, `x` a period that is held, `u` the lengths of the
    intervals, `t` the derivative for the mesh; `b` begins with the largest share in the error and the largest trivial
    error of a mesh that is kept, and the border unknowns of the first point of the branch (see `_look` for the others).
    `out` takes the records, `spectra` the multipliers, after those of the present point. It answers with why it came
    back, and how many points there are.
    """
    p, tape, w, v, g, box, final, pivots = s.p, s.tape, s.w, s.v, s.g, s.box, s.final, s.pivots
    n, nb = p.n, p.nb
    if what == BORDER:
        _arclength_row(p, w, u, b, ZERO, ZERO)
        return 0.0, 0, 0, 0.0
    if what == PHASE_ROW or what == PRODUCT_ROW:
        gather(p, w, u, ZERO, p.xl)
        border_row(p, w, ZERO if what == PHASE_ROW else ONE, k, p.xl)
        return 0.0, 0, 0, 0.0
    if what == ROW_TIMES:
        gather(p, w, u, ZERO, p.xl)
        return row_times(p, w, k, p.xl), 0, 0, 0.0
    if what == REDUCE_ROW:
        reduce_row(p, w, k)
        return 0.0, 0, 0, 0.0
    if what == FINAL:
        factorise_final(p, w, final, pivots, which)
        return 0.0, 0, 0, 0.0
    if what == LAST_SYSTEM:
        last_system(p, w, x, y, rows, which, out.reshape((n + rows.shape[0], n + which.shape[0])))
        return 0.0, 0, 0, 0.0
    if what == LEFT:
        for c in range(n):
            w[p.right + c] = u[c]
        for c in range(rows.shape[0]):
            w[p.right + n + c] = b[c]
        recover_left(p, w, rows, out)
        return 0.0, 0, 0, 0.0
    if what == COLUMN:
        for i in range(p.turns * LANES):
            at = p.coli + ((k * p.turns + i % p.turns) * p.q) * LANES + i // p.turns
            for r in range(p.q):
                w[at + r * LANES] = u[i * p.q + r] if i < p.intervals else 0.0
        forward(p, w, k, ONE)
        return 0.0, 0, 0, 0.0
    if what == INNER:
        gather(p, w, u, ZERO, p.xl)
        gather(p, w, t, ZERO, p.yl)
        return inner_product(p, w, p.xl, p.yl), 0, 0, 0.0
    if what == DENSITY:
        return density(b, u, ZERO, k, t, out), 0, 0, 0.0
    if what == EXTREMA:
        extrema(u, ZERO, rows[0], rows[1], rows[2], t, out, b)
        return 0.0, 0, 0, 0.0
    if what == ACCEPT:
        _accept(p, w, final, pivots, which, ZERO)
        return 0.0, 0, 0, 0.0

    # The rest is one loop, so that each of the large functions is called, and compiled, at one place.
    un, du, weights = p.io + UN * p.size, p.io + DU * p.size, p.bio + WEIGHTS * p.k
    bn = w[p.bio + BN * p.k : p.bio + (BN + 1) * p.k]
    step = w[p.step : p.step + STEP_SIZES]
    width = 2 + 2 * nb + 2 * n + p.size
    differences = np.zeros(p.m + 1)
    present = what
    border = b if what == EVALUATE or what == FACTORS or what == SETTLE else bn
    fresh = True
    target, tolerance, most, period = x, y, k, x
    if what == NEWTON:
        period = b[0]
        present = _CORRECT
    elif what == MARCH:
        tolerance, most = step[TOLERANCE], 10
        b[2 + nb] = step[SIGN]
        present = _PREDICT
    attempt = iteration = known = renewed = count = row = 0
    before, moved, size, ds, slant = np.inf, 0.0, 0.0, 0.0, 1.0
    touched = good = False
    while True:
        if present == _PREDICT:
            if count == spectra.shape[0] - 1:
                return 0.0, FULL, count, 0.0
            ds = min(step[STEP], step[LARGEST])
            # A cubic through points that lie closer than the step magnifies their errors. The factors of the last point
            # mean nothing where the matrix is nearly singular, as beside a branch point: then others are made.
            target = _predict(p, w, ds, step[LAST] if attempt == 0 and 2.0 * step[LAST] > ds else 0.0)
            fresh = attempt == 1
            iteration = known = renewed = 0
            before, moved = np.inf, 0.0
            present = _CORRECT

        # Where f and its derivatives are wanted.
        if present == _CORRECT or present == _SETTLE:
            gather(p, w, w, un, p.ul)
            border = bn
        elif present == _RETREAT:
            gather(p, w, w, p.io + U0 * p.size, p.ul)
            border = w[p.bio + B0 * p.k : p.bio + (B0 + 1) * p.k]
        elif present == EVALUATE or present == SETTLE:
            gather(p, w, u, ZERO, p.ul)
        if present == _CORRECT or present == _SETTLE or present == _RETREAT or present == EVALUATE or present == SETTLE:
            order = k
            if present != EVALUATE:
                order = 2 if present == _SETTLE or present == SETTLE else (1 if fresh or present == _RETREAT else 0)
            evaluate(p, tape, w, v, g, box, border, order)
        if present == _SETTLE or present == SETTLE or present == _RETREAT:
            border_row(p, w, ZERO, ZERO, p.ul)
        if (
            present == _SETTLE or present == SETTLE or present == _RETREAT or present == FACTORS
            or (present == _CORRECT and fresh)
        ):  # fmt: skip
            factors(p, w, final, pivots, which, border[0])
            renewed += 1
        if present == _SETTLE or present == SETTLE or present == MULTIPLIERS:
            step[SIGN] = w[p.whole]
            row = count + 1 if what == MARCH else 0
            multipliers(p, w, spectra[row])
        if present == EVALUATE or present == FACTORS or present == MULTIPLIERS:
            return 0.0, 0, 0, 0.0
        if present == _RETREAT:
            attempt = 0
            present = _PREDICT
            continue

        # What is solved for: a correction, a tangent, or (states from both ends) a solution that is given there.
        place, with_right, with_borders = du, 1.0, 1
        if present == _CORRECT:
            iteration += 1
            _wanted(p, w, target, period)
        elif present == IMPROVE:
            for r in range(nb):
                w[p.right + n + r] = t[r]
        elif present == _POLISH:
            place = p.spare
            for r in range(nb):
                w[p.right + n + r] = period - bn[0] if 0 < r < nb - 1 else 0.0
        elif present == SPREAD:
            place, with_right, with_borders = p.spare, 0.0, 0
            for c in range(n):
                w[p.right + c] = u[c]
                w[p.last + c] = t[c]
            for c in range(which.shape[0]):
                w[p.right + n + c] = b[c]
        else:
            with_right = 0.0
            for r in range(nb):
                w[p.right + n + r] = 1.0 if r == nb - 1 else 0.0
        solve(p, w, final, pivots, which, bn[0], with_right, with_borders, place)
        if present == SPREAD:
            return 0.0, 0, 0, 0.0
        if present == _CORRECT and not fresh:
            _remember(p, w, known)
            known += 1
        size = _corrected(p, w, place, weights)
        if present == _CORRECT or present == _POLISH or present == IMPROVE:
            for i in range(p.size):
                w[un + i] += w[place + i]
            for c in range(nb):
                bn[c] += w[p.right + n + c]
        else:
            for i in range(p.size):
                w[du + i] /= size
            for c in range(nb):
                w[p.bio + DB * p.k + c] = w[p.right + n + c] / size
            slant = size

        if present == IMPROVE or present == TANGENT or present == SETTLE:
            return size, 0, 0, w[p.whole]
        if present == _SETTLE:
            # What is left of the error falls to rounding with the new factors, at no further evaluation.
            present = _POLISH
            continue
        if present == _CORRECT:
            moved += size
            rate = size / before
            finished = False
            good = False
            if not (size < 1e3 and bn[0] > 0.0):
                finished = True
            # The second correction says little of the third: what is fast has gone by then.
            elif size <= tolerance or (iteration > 2 and rate < 0.5 and size * rate <= 0.3 * tolerance):
                finished = good = True
            elif fresh and iteration > 2 and rate > 0.3 and size <= 1e2 * tolerance:
                # Rounding is all that is left.
                finished = good = True
            elif (rate > 0.9 and iteration > 3) or iteration == most:
                finished = True
            fresh = fresh or (rate > 0.3 and iteration > 1)
            before = size
            if not finished:
                continue
            if what == NEWTON:
                return (1.0 if good else 0.0), iteration, renewed, moved
            attempt += 1
            good = good and moved < _OFF * ds
            touched = attempt > 1 or renewed > 0
            if good:
                present = _SETTLE
                continue
            if attempt < 2:
                present = _PREDICT
                continue
        else:
            touched = True
            good = 1.0 / slant > np.cos(min(2.0 * step[ANGLE], 1.4))
            renewed -= 1
        if not good:
            step[STEP] = 0.5 * ds
            attempt = 0
            if step[STEP] < step[SMALLEST]:
                return 0.0, TOO_SMALL, count, 0.0
            present = _RETREAT if touched else _PREDICT
            continue
        step[LAST] = ds
        angle = np.arccos(min(1.0, 1.0 / slant))
        growth = min(_GROWTH, step[ANGLE] / angle) if angle > 0.0 else _GROWTH
        # Old factors serve badly beside a branch point, where shorter steps would be no help.
        if renewed > 3:
            growth = min(growth, 0.7)
        elif iteration > 5 or renewed > 0:
            growth = min(growth, 1.0)
        elif iteration > 4:
            growth = min(growth, 1.1)
        step[STEP] = min(max(ds * growth, step[SMALLEST]), step[LARGEST])
        _accept(p, w, final, pivots, which, ONE)
        at = count * width
        _record(p, w, out, at, differences)
        at += 2 + 2 * nb
        low, high = out[at : at + n], out[at + n : at + 2 * n]
        count += 1
        if _look(p, w, spectra[count], spectra[count - 1], b[2 + nb :], b[2 : 2 + nb], k + count - 1, low, high):
            return 0.0, LOOK, count, 0.0
        b[2 + nb] = step[SIGN]
        if (k + count) % EVERY == 0 and _uneven(p, w, u, t, b, abs(spectra[count, 0] - 1.0), low, high):
            return 0.0, MESH, count, 0.0
        attempt = 0
        present = _PREDICT

"""Steps along a branch of cycles in compiled code: predictor, Newton's corrector, tangent, multipliers, many at a time.

All of it is behind one compiled function, `act`, so that it is compiled once.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.continuation._cycle_factors import (
    factorise_final,
    factors,
    forward,
    last_system,
    recover_left,
    reduce_row,
    solve,
)
from gan_bifurcation.continuation._cycle_linear import copy
from gan_bifurcation.continuation._cycle_memory import (
    ANGLE,
    BEFORE,
    BEFORE_TANGENT,
    LARGEST,
    LAST,
    MEMORY,
    PRESENT,
    REMEMBERED,
    SIGN,
    SMALLEST,
    SOLUTION,
    SPARE,
    STEP,
    STEP_SIZES,
    TANGENT,
    TOLERANCE,
    TRIAL,
    Layout,
)
from gan_bifurcation.continuation._cycle_mesh import density, extrema
from gan_bifurcation.continuation._cycle_system import (
    border_row,
    evaluate,
    gather,
    inner_product,
    row_times,
)
from gan_bifurcation.continuation._cycle_watch import look, record, uneven
from gan_bifurcation.continuation._packs import (
    LANES,
    ONE,
    ZERO,
    apart,
    inlined,
    load,
    put,
    spread,
    store,
    take,
    total,
)
from gan_bifurcation.continuation.floquet import multipliers
from gan_bifurcation.kernels import FloatArray

IntArray = NDArray[np.int64]

# What `act` does.
(
    EVALUATE, FACTORS, NEWTON, SETTLE, ACCEPT, MARCH, PHASE_ROW, PRODUCT_ROW, BORDER, REDUCE_ROW, ROW_TIMES, FINAL,
    LAST_SYSTEM, SPREAD, LEFT, COLUMN, IMPROVE, ALONG, INNER, MULTIPLIERS, DENSITY, EXTREMA,
) = range(22)  # fmt: skip

# What the loop of `act` is at.
_PREDICT, _CORRECT, _SETTLE, _POLISH, _RETREAT = range(30, 35)
# Why a march came back: it is full, no step succeeds, the last point is to be looked at, the mesh is to be adapted.
FULL, TOO_SMALL, LOOK, MESH = range(4)

# The predictor may be off by this part of the step; beyond it the corrector may have found another curve.
_OFF: Final = 0.4
_GROWTH: Final = 1.6
# With old factors no correction is trusted to leave less than this part of itself.
_SLOW: Final = 0.1
# How often the mesh is looked at.
EVERY: Final = 3


@leaf
def _length(p: Layout, w: FloatArray, at: int) -> float:
    """Length of a vector, in the measure of arclength."""
    apart()
    gather(p, w, w, at, p.xl)
    size = inner_product(p, w, p.xl, p.xl)
    for c in range(p.nb):
        size += take(w, p.weights + c) * take(w, at + p.border + c) ** 2
    return float(np.sqrt(size))


@leaf
def _add(w: FloatArray, to: int, factor: float, x: int, count: int) -> None:
    apart()
    for i in range(0, count, LANES):
        store(w, to + i, load(w, to + i) + factor * load(w, x + i))


@leaf
def _dot(w: FloatArray, x: int, y: int, count: int) -> float:
    apart()
    sums = spread(0.0)
    for i in range(0, count, LANES):
        sums = sums + load(w, x + i) * load(w, y + i)
    return float(total(sums))


@leaf
def _remember(p: Layout, w: FloatArray, count: int) -> None:
    """Broyden's correction for the one just computed with old factors, from `count` corrections that went before.

    The new one is kept if there is room.

    Kelley: Iterative Methods for Linear and Nonlinear Equations (1995), section 7.3.
    """
    apart()
    z = p.vectors + SOLUTION * p.vector
    s = p.vectors + MEMORY * p.vector
    left = 0.0
    for j in range(min(count, REMEMBERED)):
        left = _dot(w, s, z, p.border) / _dot(w, s, s, p.border)
        s += p.vector
        if j + 1 < min(count, REMEMBERED):
            _add(w, z, left, s, p.vector)
    if count < REMEMBERED:
        # The last one says how much is left of what it did not find.
        if abs(left) < 0.6:
            _add(w, z, left / (1.0 - left), z, p.vector)
        copy(w, z, s, p.vector // LANES)


@leaf
def _arclength_row(p: Layout, w: FloatArray, t: FloatArray, tb: FloatArray, at: int, at_b: int) -> None:
    """The last row: the product with a tangent, states and border unknowns."""
    apart()
    last = p.nb - 1
    gather(p, w, t, at, p.xl)
    border_row(p, w, ONE, last, p.xl)
    for c in range(p.nb):
        put(w, p.corner + last * p.k + c, take(w, p.weights + c) * take(tb, at_b + c))


@leaf
def _accept(p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray, moved: int) -> None:
    """Make the trial point just settled (or the present one, if it was not `moved`) the present one."""
    apart()
    at, step = p.vectors, p.vector
    if moved == 1:
        copy(w, at + PRESENT * step, at + BEFORE * step, step // LANES)
        copy(w, at + TANGENT * step, at + BEFORE_TANGENT * step, step // LANES)
        copy(w, at + TRIAL * step, at + PRESENT * step, step // LANES)
    copy(w, at + SOLUTION * step, at + TANGENT * step, step // LANES)
    tangent = at + TANGENT * step
    _arclength_row(p, w, w, w, tangent, tangent + p.border)
    reduce_row(p, w, p.nb - 1)
    factorise_final(p, w, final, pivots, which)


@inlined
def _predict(p: Layout, w: FloatArray, ds: float, before: float) -> float:
    """The trial point: on the cubic through this point and the last with their tangents, or on the tangent if there is
    no last one (`before` = 0). Returns the value of the last row there."""
    at, step = p.vectors, p.vector
    for i in range(at, at + step, LANES):
        x, slope = load(w, i + PRESENT * step), load(w, i + TANGENT * step)
        change = ds * slope
        if before > 0.0:
            a = (load(w, i + BEFORE * step) - x) / before + slope
            c3 = (load(w, i + BEFORE_TANGENT * step) - slope + 2.0 * a) / (before * before)
            c2 = a / before + before * c3
            change = change + (ds * ds) * (c2 + ds * c3)
        store(w, i + TRIAL * step, x + change)
    # Newton's corrections close, so they never mend a gap between the ends, which a cubic multiplies by five each step.
    for c in range(p.n):
        put(w, at + TRIAL * step + p.states - p.n + c, take(w, at + TRIAL * step + c))
    last = p.nb - 1
    gather(p, w, w, at + PRESENT * step, p.xl)
    target = ds + row_times(p, w, last, p.xl)
    for c in range(p.nb):
        target += take(w, p.corner + last * p.k + c) * take(w, at + PRESENT * step + p.border + c)
    return float(target)


@inlined
def _wanted(p: Layout, w: FloatArray, target: float, period: float) -> None:
    """What the border rows are to change by at the trial point, whose states are in `ul`."""
    last = p.nb - 1
    bn = p.vectors + TRIAL * p.vector + p.border
    for r in range(p.nb):
        wanted = period - w[bn]
        if r == 0 or r == last:
            wanted = -row_times(p, w, r, p.ul)
        if r == last:
            wanted += target
            for c in range(p.nb):
                wanted -= w[p.corner + r * p.k + c] * w[bn + c]
        w[p.right + p.n + r] = wanted


@jit
def act(
    s: Any, what: int, k: int, x: float, y: float, which: IntArray, rows: IntArray, u: FloatArray, t: FloatArray,
    b: FloatArray, out: FloatArray, spectra: NDArray[np.complex128],
) -> tuple[float, int, int, float]:  # fmt: skip
    """Do one of the things that are named above; `_cycle_kernels` and `_cycle_steps` say what arguments they take.

    To march, `k` is how many points of the branch are known, `x` a period that is held, `u` the lengths of the
    intervals, `t` the derivative for the mesh; `b` begins with the largest share in the error and the largest trivial
    error of a mesh that is kept, and the border unknowns of the first point of the branch (see `look` for the others).
    `out` takes the records, `spectra` the multipliers, after those of the present point. It answers with why it came
    back, and how many points there are.
    """
    apart()
    p, tape, w, v, g, box, final, pivots = s.sizes[0], s.tape, s.w, s.v, s.g, s.box, s.final, s.pivots
    n, nb = p.n, p.nb
    if what == BORDER:
        _arclength_row(p, w, u, b, ZERO, ZERO)
        return 0.0, 0, 0, 0.0
    if PHASE_ROW <= what <= PRODUCT_ROW:
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
    present, trial = p.vectors + PRESENT * p.vector, p.vectors + TRIAL * p.vector
    solution = p.vectors + SOLUTION * p.vector
    bn = w[trial + p.border : trial + p.border + p.k]
    step = w[p.step : p.step + STEP_SIZES]
    width = 2 + 2 * nb + 2 * n + p.states
    differences = np.zeros(p.m + 1)
    stage = what
    # Given from outside, or those of the trial point.
    border = bn if what == NEWTON else b
    fresh = True
    target, tolerance, most, period = x, y, k, x
    if what == NEWTON:
        period = b[0]
        stage = _CORRECT
    elif what == SETTLE:
        stage = _SETTLE
    elif what == IMPROVE:
        border = bn
    elif what == MARCH:
        tolerance, most = step[TOLERANCE], 10
        b[2 + nb] = step[SIGN]
        stage = _PREDICT
    attempt = iteration = known = renewed = count = row = 0
    before, moved, size, ds, slant = np.inf, 0.0, 0.0, 0.0, 1.0
    touched = good = False
    while True:
        if stage == _PREDICT:
            if count == spectra.shape[0] - 1:
                return 0.0, FULL, count, 0.0
            ds = min(step[STEP], step[LARGEST])
            # A cubic through points that lie closer than the step magnifies their errors. The factors of the last point
            # mean nothing where the matrix is nearly singular, as beside a branch point: then others are made.
            target = _predict(p, w, ds, step[LAST] if attempt == 0 and 2.0 * step[LAST] > ds else 0.0)
            fresh = attempt == 1
            iteration = known = renewed = 0
            before, moved = np.inf, 0.0
            stage = _CORRECT

        correcting, settling, retreating = stage == _CORRECT, stage == _SETTLE, stage == _RETREAT
        evaluating, factoring, separate = stage == EVALUATE, stage == FACTORS, stage == MULTIPLIERS
        improving, polishing, spreading = stage == IMPROVE, stage == _POLISH, stage == SPREAD

        # Where f and its derivatives are wanted, and factors.
        if evaluating or what == SETTLE:
            gather(p, w, u, ZERO, p.ul)
        elif correcting or settling:
            gather(p, w, w, trial, p.ul)
            border = bn
        elif retreating:
            gather(p, w, w, present, p.ul)
            border = w[present + p.border : present + p.border + p.k]
        if evaluating or correcting or settling or retreating:
            order = 2 if settling else (1 if fresh or retreating else 0)
            if evaluating:
                order = k
            evaluate(p, tape, w, v, g, box, border, order)
        if settling or retreating:
            border_row(p, w, ZERO, ZERO, p.ul)
        if settling or retreating or factoring or (correcting and fresh):
            factors(p, w, final, pivots, which, border[0])
            renewed += 1
        if settling or separate:
            step[SIGN] = w[p.whole]
            row = count + 1 if what == MARCH else 0
            multipliers(p, w, spectra[row])
        if evaluating or factoring or separate:
            return 0.0, 0, 0, 0.0
        if retreating:
            attempt = 0
            stage = _PREDICT
            continue

        # What is solved for: a correction, a tangent, or (states from both ends) a solution that is given there.
        place, with_right, with_borders = solution, 1.0, 1
        if correcting:
            iteration += 1
            _wanted(p, w, target, period)
        elif improving:
            for r in range(nb):
                w[p.right + n + r] = t[r]
        elif polishing:
            place = p.vectors + SPARE * p.vector
            for r in range(nb):
                w[p.right + n + r] = period - bn[0] if 0 < r < nb - 1 else 0.0
        elif spreading:
            place, with_right, with_borders = p.vectors + SPARE * p.vector, 0.0, 0
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
        if spreading:
            return 0.0, 0, 0, 0.0
        if correcting and not fresh:
            _remember(p, w, known)
            known += 1
        size = _length(p, w, place)
        if correcting or polishing or improving:
            _add(w, trial, 1.0, place, p.vector)
        else:
            _add(w, place, 1.0 / size - 1.0, place, p.vector)
            slant = size

        if what == IMPROVE or what == ALONG or what == SETTLE:  # noqa: SIM109
            return size, 0, 0, w[p.whole]
        if settling:
            # What is left of the error falls to rounding with the new factors, at no further evaluation.
            stage = _POLISH
            continue
        if correcting:
            moved += size
            # What is fast with old factors may be chance.
            rate = size / before if fresh else max(size / before, _SLOW)
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
                stage = _SETTLE
                continue
            if attempt < 2:
                stage = _PREDICT
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
            stage = _RETREAT if touched else _PREDICT
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
        record(p, w, out, at, differences)
        at += 2 + 2 * nb
        low, high = out[at : at + n], out[at + n : at + 2 * n]
        count += 1
        if look(p, w, spectra[count], spectra[count - 1], b[2 + nb :], b[2 : 2 + nb], k + count - 1, low, high):
            return 0.0, LOOK, count, 0.0
        b[2 + nb] = step[SIGN]
        if (k + count) % EVERY == 0 and uneven(p, w, u, t, b, abs(spectra[count, 0] - 1.0), low, high):
            return 0.0, MESH, count, 0.0
        attempt = 0
        stage = _PREDICT

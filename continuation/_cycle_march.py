"""Steps along a branch of cycles in compiled code: predictor, Newton's corrector, tangent, multipliers, many at a time.

All of it is behind one compiled function, `act`, so that it is compiled once.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.continuation._cycle_additions import borders, join
from gan_bifurcation.continuation._cycle_extrema import extrema
from gan_bifurcation.continuation._cycle_factors import (
    factorise_final,
    factors,
    last_system,
    recover_left,
    reduce_row,
    solve,
)
from gan_bifurcation.continuation._cycle_memory import (
    ANGLE,
    LARGEST,
    LAST,
    PRESENT,
    SIGN,
    SMALLEST,
    SOLUTION,
    SPARE,
    STEP,
    STEP_SIZES,
    TOLERANCE,
    TRIAL,
)
from gan_bifurcation.continuation._cycle_mesh import density, remesh
from gan_bifurcation.continuation._cycle_second import curved
from gan_bifurcation.continuation._cycle_system import (
    border_row,
    evaluate,
    gather,
    inner_product,
    row_times,
)
from gan_bifurcation.continuation._cycle_vectors import (
    accept,
    add,
    arclength_row,
    length,
    predict,
    remember,
    scaled,
    wanted,
)
from gan_bifurcation.continuation._cycle_watch import look, record, uneven
from gan_bifurcation.continuation._packs import (
    ONE,
    ZERO,
    apart,
)
from gan_bifurcation.continuation.floquet import multipliers
from gan_bifurcation.kernels import FloatArray

IntArray = NDArray[np.int64]

# What `act` does.
(
    EVALUATE, FACTORS, NEWTON, SETTLE, ACCEPT, MARCH, PHASE_ROW, BORDER, REDUCE_ROW, ROW_TIMES, FINAL,
    LAST_SYSTEM, SPREAD, LEFT, ALONG, INNER, MULTIPLIERS, DENSITY, EXTREMA, BORDERED, CURVED, JOINED,
) = range(22)  # fmt: skip

# What the loop of `act` is at.
_PREDICT, _CORRECT, _SETTLE, _POLISH, _RETREAT, _REMESH, _WATCH = range(30, 37)
# Why a march came back: it is full, no step succeeds, the last point is to be looked at, as are mesh and sizes.
FULL, TOO_SMALL, LOOK, MESH = range(4)

# The predictor may be off by this part of the step; beyond it the corrector may have found another curve.
_OFF: Final = 0.4
_GROWTH: Final = 1.6
# With old factors no correction is trusted to leave less than this part of itself.
_SLOW: Final = 0.1
# How often the mesh is looked at.
EVERY: Final = 3


@jit
def act(
    s: Any, what: int, k: int, x: float, y: float, which: IntArray, rows: IntArray, u: FloatArray, t: FloatArray,
    b: FloatArray, out: FloatArray, spectra: NDArray[np.complex128],
) -> tuple[float, int, int, float]:  # fmt: skip
    """Do one of the things that are named above; `_cycle_kernels` and `_cycle_steps` say what arguments they take.

    To march, `k` is how many points of the branch are known, `x` a period that is held, `u` the lengths of the
    intervals, `t` the derivative for the mesh; `b` begins with the largest share in the error and the largest trivial
    error of a mesh that is kept, and the border unknowns of the first point of the branch (see `look` for the others).
    `out` takes the records, then the meshes, of which the first is given, `spectra` the multipliers, after those of the
    present point. It answers with why it came back, how many points there are, and the number of the last mesh.
    """
    apart()
    p, tape, w, v, g, box, final, pivots = s.sizes[0], s.tape, s.w, s.v, s.g, s.box, s.final, s.pivots
    n, nb = p.n, p.nb
    if what == BORDER:
        arclength_row(p, w, u, b, ZERO, ZERO)
        return 0.0, 0, 0, 0.0
    if what == PHASE_ROW:
        gather(p, w, u, ZERO, p.xl)
        border_row(p, w, ZERO, k, p.xl)
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
    if what == INNER:
        gather(p, w, u, ZERO, p.xl)
        gather(p, w, t, ZERO, p.yl)
        return inner_product(p, w, p.xl, p.yl), 0, 0, 0.0
    if what == DENSITY:
        return density(b, u, ZERO, k, t, out), 0, 0, 0.0
    if what == ACCEPT:
        accept(p, w, final, pivots, which, ZERO)
        return 0.0, 0, 0, 0.0

    # The rest is one loop, so that each of the large functions is called, and compiled, at one place.
    present, trial = p.vectors + PRESENT * p.vector, p.vectors + TRIAL * p.vector
    solution = p.vectors + SOLUTION * p.vector
    bn = w[trial + p.border : trial + p.border + p.k]
    step = w[p.step : p.step + STEP_SIZES]
    width = 3 + 2 * nb + 2 * n + p.states
    meshes = (spectra.shape[0] - 1) * width
    differences, ends = np.zeros(p.m + 4), np.zeros(2 * n)
    stage = what
    # Given from outside, or those of the trial point.
    border = bn if what == NEWTON or what == BORDERED else b  # noqa: SIM109
    fresh = True
    target, tolerance, most, period = x, y, k, x
    if what == NEWTON:
        period = b[0]
        stage = _CORRECT
    elif what == SETTLE:
        stage = _SETTLE
    elif what == JOINED:
        border = bn
        join(p, w, u, b)
        factorise_final(p, w, final, pivots, which)
    elif what == MARCH:
        tolerance, most = step[TOLERANCE], 10
        b[2 + nb] = step[SIGN]
        stage = _WATCH
    if what == CURVED:
        curved(p, tape, w, v, g, box, t, u, b, out)
        return 0.0, 0, 0, 0.0
    if what == EXTREMA:
        # Of states that are in the spare place.
        extrema(p, tape, w, v, g, box, b, p.vectors + SPARE * p.vector, out, differences)
        return 0.0, 0, 0, 0.0
    attempt = iteration = known = renewed = count = row = mesh = 0
    before, moved, size, ds, slant = np.inf, 0.0, 0.0, 0.0, 1.0
    touched = good = False
    while True:
        if stage == _WATCH:
            border = w[present + p.border : present + p.border + p.k]
            extrema(p, tape, w, v, g, box, border, present, ends, differences)
            if count > 0:
                record(p, w, out, (count - 1) * width, mesh, ends)
                if look(p, w, spectra[count], spectra[count - 1], b[2 + nb :], b[2 : 2 + nb], k + count - 1, ends):
                    return 0.0, LOOK, count, float(mesh)
            b[2 + nb] = step[SIGN]
            attempt = 0
            stage = _PREDICT
            if (k + count) % EVERY == 0 or k + count == 1:
                change = uneven(p, w, u, t, b, abs(spectra[count, 0] - 1.0), ends)
                if change == 2:
                    return 0.0, MESH, count, float(mesh)
                if change == 1:
                    at = meshes + mesh * (p.intervals + 1)
                    end = at + p.intervals + 1
                    remesh(p, w, u, out[at:end], out[end : end + p.intervals + 1])
                    mesh += 1
                    scaled(p, w)
                    stage = _REMESH
        if stage == _PREDICT:
            if count == spectra.shape[0] - 1:
                return 0.0, FULL, count, float(mesh)
            ds = min(step[STEP], step[LARGEST])
            # A cubic through points that lie closer than the step magnifies their errors. The factors of the last point
            # mean nothing where the matrix is nearly singular, as beside a branch point: then others are made.
            target = predict(p, w, ds, step[LAST] if attempt == 0 and 2.0 * step[LAST] > ds else 0.0)
            fresh = attempt == 1
            iteration = known = renewed = 0
            before, moved = np.inf, 0.0
            stage = _CORRECT

        correcting, settling, retreating = stage == _CORRECT, stage == _SETTLE, stage == _RETREAT
        evaluating, factoring, separate = stage == EVALUATE, stage == FACTORS, stage == MULTIPLIERS
        bordering = stage == BORDERED
        joining, polishing, spreading, remeshing = stage == JOINED, stage == _POLISH, stage == SPREAD, stage == _REMESH

        # Where f and its derivatives are wanted, and factors.
        if evaluating or what == SETTLE:
            gather(p, w, u, ZERO, p.ul)
        elif correcting or settling or bordering:
            gather(p, w, w, trial, p.ul)
            border = bn
        elif retreating or remeshing:
            gather(p, w, w, present, p.ul)
            border = w[present + p.border : present + p.border + p.k]
        again = retreating or remeshing
        if evaluating or correcting or settling or again or bordering:
            order = 2 if settling or bordering else (1 if fresh or again else 0)
            if evaluating:
                order = k
            evaluate(p, tape, w, v, g, box, border, order)
        if settling or again:
            border_row(p, w, ZERO, ZERO, p.ul)
        if settling or again or factoring or bordering or (correcting and fresh):
            factors(p, w, final, pivots, which, border[0])
            renewed += 1
        if settling or separate:
            step[SIGN] = w[p.whole]
            row = count + 1 if what == MARCH else 0
            multipliers(p, w, spectra[row])
        if bordering:
            borders(p, w, int(x), t, k, u, y, which, rows, out)
        if evaluating or factoring or separate or bordering:
            return 0.0, 0, 0, 0.0
        if retreating:
            attempt = 0
            stage = _PREDICT
            continue

        # What is solved for: a correction, a tangent, or (states from both ends) a solution that is given there.
        place, with_right, with_borders = solution, 1.0, 1
        if correcting or joining:
            iteration += 1
            wanted(p, w, target, period)
            # What conditions are to change by is given.
            for r in range(t.shape[0] if joining else 0):
                w[p.right + n + 1 + r] = t[r]
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
            remember(p, w, known)
            known += 1
        size = length(p, w, place)
        if correcting or polishing or joining:
            add(w, trial, 1.0, place, p.vector)
        else:
            add(w, place, 1.0 / size - 1.0, place, p.vector)
            slant = size

        if joining or what in (ALONG, SETTLE):
            return size, 0, 0, w[p.whole]
        if remeshing:
            step[SIGN] = b[2 + nb] = w[p.whole]
            accept(p, w, final, pivots, which, ZERO)
            stage = _PREDICT
            continue
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
                return 0.0, TOO_SMALL, count, float(mesh)
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
        accept(p, w, final, pivots, which, ONE)
        count += 1
        stage = _WATCH

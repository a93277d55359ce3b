"""Steps along a branch of cycles in compiled code: predictor, Newton's corrector, tangent, multipliers."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._cycle_kernels import (
    assemble,
    back,
    crossing,
    factorise,
    factorise_final,
    forward,
    inner_product,
    phase_row,
    product_row,
    reduce_row,
    residual,
    row_times,
    solve_final,
)
from gan_bifurcation.kernels import FloatArray, inner, jit

IntArray = NDArray[np.int64]

# Places in the array of a step.
STEP, SMALLEST, LARGEST, ANGLE, LAST, USED, SIGN, TOLERANCE, FRESH = range(9)
STEP_SIZES: Final = 9


@jit
def factors(s: Any, b: FloatArray, which: IntArray) -> float:
    """Factors of the system at the point just evaluated, with all columns and rows; the sign of the determinant."""
    assemble(s, b)
    factorise(s)
    for k in range(s.nb):
        forward(s, k)
    for r in range(s.nb):
        reduce_row(s, r)
    sign: float = factorise_final(s, 1.0, which)
    return sign


@jit
def improve(s: Any, which: IntArray, target: float, period: float) -> float:
    """A step of Newton's method with the factors at hand, from the trial point just evaluated; its length.

    The last row is as given, and its value is to be the target.
    """
    n, nb = s.n, s.nb
    residual(s, s.un, s.bn)
    forward(s, s.rhs)
    for c in range(n):
        s.right[c] = s.colf[s.rhs, c]
    for r in range(nb):
        if r == 0:
            wanted = -row_times(s, 0, s.un)
        elif r == nb - 1:
            wanted = target - row_times(s, r, s.un)
            for c in range(nb):
                wanted -= s.corner[r, c] * s.bn[c]
        else:
            wanted = period - s.bn[0]
        s.right[n + r] = wanted - crossing(s, r, s.rhs)
    solve_final(s, nb)
    back(s, 1.0, which, 1.0, s.du)
    size = inner_product(s, s.du, s.du)
    for c in range(nb):
        size += s.weights[c] * s.db[c] ** 2
        s.bn[c] += s.db[c]
    un, du = s.un, s.du
    for i in range(un.shape[0]):
        for c in range(n):
            un[i, c] += du[i, c]
    return float(np.sqrt(size))


@jit
def tangent(s: Any, which: IntArray) -> float:
    """The tangent for the factors at hand into `s.du`, `s.db`, on the side of the last row; 1/cos of the angle."""
    n, nb = s.n, s.nb
    for c in range(n + nb):
        s.right[c] = 0.0
    s.right[n + nb - 1] = 1.0
    solve_final(s, nb)
    back(s, 1.0, which, 0.0, s.du)
    size = inner_product(s, s.du, s.du)
    for c in range(nb):
        size += s.weights[c] * s.db[c] ** 2
    size = np.sqrt(size)
    du = s.du
    for i in range(du.shape[0]):
        for c in range(n):
            du[i, c] /= size
    for c in range(nb):
        s.db[c] /= size
    return float(size)


@jit
def polish(s: Any, which: IntArray, u: FloatArray, b: FloatArray, period: float) -> None:
    """A last step of Newton's method from the point that the factors and the values of f belong to, in its own plane.

    The tangent that is in `s.du`, `s.db` stays there.
    """
    n, nb = s.n, s.nb
    residual(s, u, b)
    forward(s, s.rhs)
    for c in range(n):
        s.right[c] = s.colf[s.rhs, c]
    for r in range(nb):
        wanted = period - b[0] if 0 < r < nb - 1 else 0.0
        s.right[n + r] = wanted - crossing(s, r, s.rhs)
    solve_final(s, nb)
    for c in range(nb):
        s.kept[c] = s.db[c]
    back(s, 1.0, which, 1.0, s.spare)
    for c in range(nb):
        b[c] += s.db[c]
        s.db[c] = s.kept[c]
    spare = s.spare
    for i in range(spare.shape[0]):
        for c in range(n):
            u[i, c] += spare[i, c]


@jit
def arclength_row(s: Any, t: FloatArray, tb: FloatArray) -> None:
    """The last row: product with a tangent."""
    last = s.nb - 1
    product_row(s, t, last)
    for c in range(s.nb):
        s.corner[last, c] = s.weights[c] * tb[c]


@jit
def accept(s: Any, which: IntArray, step: FloatArray, moved: bool) -> None:
    """Make the trial point just settled (or the present one, if it was not `moved`) the present one."""
    u0, u1, un, tu, tu1, du = s.u0, s.u1, s.un, s.tu, s.tu1, s.du
    for i in range(u0.shape[0]):
        for c in range(s.n):
            if moved:
                u1[i, c] = u0[i, c]
                tu1[i, c] = tu[i, c]
                u0[i, c] = un[i, c]
            tu[i, c] = du[i, c]
    if moved:
        for c in range(s.nb):
            s.b1[c] = s.b0[c]
            s.tb1[c] = s.tb[c]
            s.b0[c] = s.bn[c]
    for c in range(s.nb):
        s.tb[c] = s.db[c]
    arclength_row(s, s.tu, s.tb)
    reduce_row(s, s.nb - 1)
    factorise_final(s, 1.0, which)


@inner
def _extrapolate(x: float, t: float, x1: float, t1: float, ds: float, before: float) -> float:
    if before == 0.0:
        return x + ds * t
    a = (x1 - x + before * t) / before
    c3 = (t1 - t + 2.0 * a) / (before * before)
    c2 = a / before + before * c3
    return x + ds * (t + ds * (c2 + ds * c3))


@jit
def predict(s: Any, ds: float, before: float) -> float:
    """The trial point: on the cubic through this point and the last with their tangents, or on the tangent if there is
    no last one (`before` = 0). Returns the value of the last row there."""
    un, u0, tu, u1, tu1 = s.un, s.u0, s.tu, s.u1, s.tu1
    for i in range(un.shape[0]):
        for c in range(un.shape[1]):
            un[i, c] = _extrapolate(u0[i, c], tu[i, c], u1[i, c], tu1[i, c], ds, before)
    # Newton's corrections close, so they never mend a gap between the ends, which a cubic multiplies by five each step.
    for c in range(un.shape[1]):
        un[un.shape[0] - 1, c] = un[0, c]
    for c in range(s.nb):
        s.bn[c] = _extrapolate(s.b0[c], s.tb[c], s.b1[c], s.tb1[c], ds, before)
    last = s.nb - 1
    target = ds + row_times(s, last, s.u0)
    for c in range(s.nb):
        target += s.corner[last, c] * s.b0[c]
    return float(target)


@jit
def height(s: Any, u: FloatArray, b: FloatArray) -> float:
    """The value of the last row, as given, at a point."""
    last = s.nb - 1
    total = row_times(s, last, u)
    for c in range(s.nb):
        total += s.corner[last, c] * b[c]
    return float(total)


@jit
def set_row(s: Any, t: FloatArray, tb: FloatArray, reference: FloatArray) -> None:
    """Border rows as given: phase condition with this reference, a fixed period, the product with this tangent."""
    phase_row(s, reference, 0)
    for c in range(s.nb):
        s.corner[0, c] = 0.0
    for r in range(1, s.nb - 1):
        rows = s.rows[r]
        for i in range(rows.shape[0]):
            for c in range(rows.shape[1]):
                rows[i, c] = 0.0
        for c in range(s.nb):
            s.corner[r, c] = 0.0
        s.corner[r, r - 1] = 1.0
    arclength_row(s, t, tb)

"""The compiled core of normal forms: null vectors and the deciding coefficient of a codimension-one point.

All with <q,q> = <w,w> = 1, where <a,b> = sum conj(a) b; the textbook's p is w / conj(<w,q>). Kuznetsov, Elements of
Applied Bifurcation Theory (3rd ed., 2004): fold (5.20) and (5.50), Hopf (5.62), flip (5.51), Neimark-Sacker (5.66).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import inner, jit, leaf
from gan_bifurcation.continuation._spectrum import balance
from gan_bifurcation.evaluation import jacobian, second
from gan_bifurcation.jets import run_jet
from gan_bifurcation.kernels import COMPLEX_MATRIX, COMPLEX_VECTOR, INDEX, MATRIX, VECTOR, FloatArray, n_slots, types
from gan_bifurcation.linking import linked

ComplexArray = NDArray[np.complex128]

FOLD: Final = 0
HOPF: Final = 1
FLIP: Final = 2
NEIMARK_SACKER: Final = 3
# An entry of a Jacobian smaller than this, of the largest, in any units of the states, is zero.
_NOTHING: Final = 1e-30
_SQRT_HALF: Final = 0.7071067811865476


@linked("complex factors", types.float64(COMPLEX_MATRIX, INDEX), _nrt=False)
def _factor(a: ComplexArray, pivots: NDArray[np.int64]) -> float:
    """LU with partial pivoting in place; the smallest pivot's modulus. A vanishing pivot becomes a tiny one.

    Tiny is measured in the column's own unit: states may differ by many orders of magnitude.
    """
    n = a.shape[0]
    least = np.inf
    whole = 0.0
    for i in range(n):
        for j in range(n):
            whole = max(whole, abs(a[i, j]))
    for k in range(n):
        norm = 0.0
        for i in range(n):
            norm = max(norm, abs(a[i, k]))
        if norm == 0.0:
            # A column of zeros is singular in any unit.
            norm = whole
        best = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[best, k]):
                best = i
        pivots[k] = best
        if best != k:
            for j in range(n):
                t = a[k, j]
                a[k, j] = a[best, j]
                a[best, j] = t
        size = abs(a[k, k])
        least = min(least, size)
        if size <= 1e-17 * norm:
            a[k, k] = 1e-17 * norm if norm > 0.0 else 1.0
        for i in range(k + 1, n):
            factor = a[i, k] / a[k, k]
            a[i, k] = factor
            for j in range(k + 1, n):
                a[i, j] -= factor * a[k, j]
    return float(least)


@linked("complex solution", types.void(COMPLEX_MATRIX, INDEX, COMPLEX_VECTOR), _nrt=False)
def _solve(a: ComplexArray, pivots: NDArray[np.int64], b: ComplexArray) -> None:
    """A x = b in place."""
    n = a.shape[0]
    for k in range(n):
        t = b[k]
        b[k] = b[pivots[k]]
        b[pivots[k]] = t
    for i in range(1, n):
        for j in range(i):
            b[i] -= a[i, j] * b[j]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            b[i] -= a[i, j] * b[j]
        b[i] /= a[i, i]


@leaf
def _solve_in_units(a: ComplexArray, pivots: NDArray[np.int64], b: ComplexArray, scale: FloatArray) -> None:
    """D A D^-1 x = b in place, for the units D of the states in which A is balanced."""
    for i in range(b.shape[0]):
        b[i] /= scale[i]
    _solve(a, pivots, b)
    for i in range(b.shape[0]):
        b[i] *= scale[i]


@leaf
def _solve_adjoint(a: ComplexArray, pivots: NDArray[np.int64], b: ComplexArray) -> None:
    """A^H x = b in place."""
    n = a.shape[0]
    for i in range(n):
        b[i] /= a[i, i].conjugate()
        for j in range(i + 1, n):
            b[j] -= a[i, j].conjugate() * b[i]
    for k in range(n - 1, -1, -1):
        for i in range(k + 1, n):
            b[k] -= a[i, k].conjugate() * b[i]
    for k in range(n - 1, -1, -1):
        t = b[k]
        b[k] = b[pivots[k]]
        b[pivots[k]] = t


@leaf
def _normalise(v: ComplexArray) -> None:
    """Unit length, the largest component real and positive."""
    norm = 0.0
    best = 0
    for i in range(v.shape[0]):
        norm += v[i].real ** 2 + v[i].imag ** 2
        if abs(v[i]) > abs(v[best]) * (1.0 + 1e-9):
            best = i
    factor = np.sqrt(norm) * v[best] / abs(v[best])
    for i in range(v.shape[0]):
        v[i] /= factor


@inner
def _shifted(a: FloatArray, shift: complex, sign: float, out: ComplexArray) -> None:
    """sign * (A - shift I)."""
    n = out.shape[0]
    for i in range(n):
        for j in range(n):
            out[i, j] = sign * a[i, j]
        out[i, i] -= sign * shift


@linked("null vectors", types.void(MATRIX, types.complex128, COMPLEX_VECTOR, COMPLEX_VECTOR, VECTOR, MATRIX))
def _null_vectors(
    a: FloatArray, eigenvalue: complex, q: ComplexArray, w: ComplexArray, scale: FloatArray, balanced: FloatArray
) -> None:
    """Unit right and left null vectors of A - eigenvalue I; `scale`, the units of states, and A `balanced` in them.

    These are its singular vectors of the least singular value.

    By inverse iteration with the factors of the matrix and of its adjoint in turn, in units in which the matrix is
    balanced: vectors whose components differ by many orders of magnitude are right in each of them.
    """
    n = q.shape[0]
    for i in range(n):
        for j in range(n):
            balanced[i, j] = a[i, j]
    for attempt in range(2):
        balance(balanced, scale, n)
        if attempt == 1:
            break
        # A zero of Newton's method may be 1e-90: no unit of a state, to be balanced against. Where states differ by
        # many orders of magnitude an entry is as small, and balanced it is not.
        largest = most = 0.0
        for i in range(n):
            for j in range(n):
                largest = max(largest, abs(a[i, j]))
                most = max(most, abs(balanced[i, j]))
        kept = True
        for i in range(n):
            for j in range(n):
                faint = abs(a[i, j]) <= _NOTHING * largest and abs(balanced[i, j]) <= _NOTHING * most
                kept = kept and not (faint and a[i, j] != 0.0)
                balanced[i, j] = 0.0 if faint else balanced[i, j]
        if kept:
            break
        for i in range(n):
            for j in range(n):
                balanced[i, j] = a[i, j] if balanced[i, j] != 0.0 else 0.0
    m = np.empty((n, n), dtype=np.complex128)
    pivots = np.empty(n, dtype=np.int64)
    _shifted(balanced, eigenvalue, 1.0, m)
    _factor(m, pivots)
    for i in range(n):
        # Nothing special: no direction that a symmetric system could be orthogonal to.
        q[i] = 1.0 + 0.37 * np.sin(3.0 * i + 1.0)
        w[i] = 1.0 + 0.41 * np.cos(2.0 * i + 0.5)
    for _ in range(3):
        _solve_adjoint(m, pivots, q)
        _normalise(q)
        _solve(m, pivots, q)
        _normalise(q)
        _solve(m, pivots, w)
        _normalise(w)
        _solve_adjoint(m, pivots, w)
        _normalise(w)
    for i in range(n):
        q[i] *= scale[i]
        w[i] /= scale[i]
    _normalise(q)
    _normalise(w)


@jit
def third(e: Any, z: FloatArray, directions: FloatArray, out: FloatArray) -> None:
    """D3f(d, d, d) for each row d (n,) of `directions` -> rows of `out`."""
    tape = e.tape
    n = e.n
    slots = np.zeros((n_slots(tape), 4), dtype=np.complex128)
    kept = np.zeros((n, 4), dtype=np.complex128)
    constants = tape.constants.shape[0]
    for k in range(directions.shape[0]):
        for i in range(slots.shape[0]):
            for c in range(4):
                slots[i, c] = 0.0
        for i in range(tape.n_inputs):
            slots[i, 0] = z[i]
        for i in range(n):
            slots[i, 1] = directions[k, i]
        for i in range(constants):
            slots[tape.n_inputs + i, 0] = tape.constants[i]
        for _ in range(e.iterations):
            run_jet(tape, slots)
            # All at once: an output may be an input.
            for i in range(n):
                for c in range(4):
                    kept[i, c] = slots[tape.outputs[i], c]
            for i in range(n):
                for c in range(4):
                    slots[i, c] = kept[i, c]
        for i in range(n):
            out[k, i] = 6.0 * slots[i, 3].real


@inner
def _dot(w: ComplexArray, v: ComplexArray, scale: FloatArray, out: ComplexArray) -> None:
    """out[0] += <w, v>; out[1] += the size that the rounding of that product is to be seen against.

    The size is that of the products of components, so in any units of the states: a coefficient that vanishes by
    structure is the product of orthogonal vectors, each of them large. Where w and v live on other components, what
    remains is rounding of the vectors themselves, some digits below their lengths in units that balance the matrix.
    """
    size = lw = lv = 0.0
    for i in range(w.shape[0]):
        out[0] += w[i].conjugate() * v[i]
        size += abs(w[i]) * abs(v[i])
        lw += (abs(w[i]) * scale[i]) ** 2
        lv += (abs(v[i]) / scale[i]) ** 2
    out[1] += size + 1e-4 * np.sqrt(lw * lv)


@inner
def _apply(hr: FloatArray, hi: FloatArray, sign: float, v: ComplexArray, out: ComplexArray) -> None:
    """B(q, v) = (hr + i sign hi) v, for hr = B(Re q, .), hi = B(Im q, .)."""
    n = v.shape[0]
    for i in range(n):
        total = 0.0j
        for j in range(n):
            total += complex(hr[i, j], sign * hi[i, j]) * v[j]
        out[i] = total


@jit
def coefficient(
    e: Any, z: FloatArray, kind: int, eigenvalue: complex, is_map: bool, q: ComplexArray, w: ComplexArray,
    out: ComplexArray,
) -> bool:  # fmt: skip
    """The sum <w, ...> of a kind's coefficient into out[0], its rounding's size into out[1], <w,q> into out[2].

    Parameters
    ----------
    e : Evaluator
        Of derivatives up to the second.
    z : array (n + m,)
        States and parameters.
    kind : int
        FOLD, HOPF, FLIP or NEIMARK_SACKER.
    eigenvalue : complex
        The critical one, exactly on the boundary.
    is_map : bool
    q, w : arrays (n,)
        Overwritten by the unit null vectors.
    out : array (3,)

    Returns
    -------
    bool
        False if a linear system of the coefficient is singular.
    """
    n = e.n
    nm = z.shape[0]
    f = np.empty(n)
    j = np.empty((n, nm))
    hr = np.zeros((n, nm))
    hi = np.zeros((n, nm))
    jacobian(e, z, f, j)
    scale = np.empty(n)
    balanced = np.empty((n, n))
    _null_vectors(j, eigenvalue, q, w, scale, balanced)
    out[0] = out[1] = out[2] = 0.0
    for i in range(n):
        out[2] += w[i].conjugate() * q[i]
    complex_pair = kind in (HOPF, NEIMARK_SACKER)
    direction = np.zeros(nm)
    for part in range(2 if complex_pair else 1):
        for i in range(n):
            direction[i] = q[i].real if part == 0 else q[i].imag
        second(e, z, direction, f, j, hr if part == 0 else hi)
    bqq = np.empty(n, dtype=np.complex128)
    _apply(hr, hi, 1.0, q, bqq)
    if kind == FOLD:
        for i in range(n):
            bqq[i] *= 0.5
        _dot(w, bqq, scale, out)
        return True
    m = np.empty((n, n), dtype=np.complex128)
    pivots = np.empty(n, dtype=np.int64)
    directions = np.empty((4 if complex_pair else 1, n))
    for i in range(n):
        directions[0, i] = q[i].real
    if complex_pair:
        for i in range(n):
            directions[1, i] = _SQRT_HALF * (q[i].real - q[i].imag)
            directions[2, i] = -q[i].imag
            directions[3, i] = -_SQRT_HALF * (q[i].real + q[i].imag)
    cubes = np.empty((4 if complex_pair else 1, n))
    third(e, z, directions, cubes)
    cubic = np.empty(n, dtype=np.complex128)
    v = np.empty(n, dtype=np.complex128)
    if kind == FLIP:
        for i in range(n):
            cubic[i] = cubes[0, i]
        _dot(w, cubic, scale, out)
        # h2 = (I - A)^-1 B(q, q)
        _shifted(balanced, 1.0 + 0.0j, -1.0, m)
        singular = _factor(m, pivots) == 0.0
        _solve_in_units(m, pivots, bqq, scale)
        _apply(hr, hi, 1.0, bqq, v)
        for i in range(n):
            v[i] *= 3.0
        _dot(w, v, scale, out)
        return not singular
    # Along Re(q e^{i phi}), the third derivative is (e^{3 i phi} C(q,q,q) + 3 e^{i phi} C(q,q,q*) + c.c.) / 8; four
    # angles k pi/4 separate the harmonics.
    for i in range(n):
        cubic[i] = (2.0 / 3.0) * (
            cubes[0, i]
            + cubes[1, i] * complex(_SQRT_HALF, -_SQRT_HALF)
            + cubes[2, i] * complex(0.0, -1.0)
            + cubes[3, i] * complex(-_SQRT_HALF, -_SQRT_HALF)
        )
    _dot(w, cubic, scale, out)
    # h20 = (mu^2 - A)^-1 B(q, q), with 2 i omega for mu^2 in a flow.
    _shifted(balanced, eigenvalue * eigenvalue if is_map else 2.0 * eigenvalue, -1.0, m)
    singular = _factor(m, pivots) == 0.0
    _solve_in_units(m, pivots, bqq, scale)
    _apply(hr, hi, -1.0, bqq, v)
    _dot(w, v, scale, out)
    # h11 = (1 - A)^-1 B(q, q*), with 0 for 1 in a flow.
    for i in range(n):
        v[i] = q[i].conjugate()
    _apply(hr, hi, 1.0, v, bqq)
    _shifted(balanced, 1.0 + 0.0j if is_map else 0.0j, -1.0, m)
    singular = _factor(m, pivots) == 0.0 or singular
    _solve_in_units(m, pivots, bqq, scale)
    _apply(hr, hi, 1.0, bqq, v)
    for i in range(n):
        v[i] *= 2.0
    _dot(w, v, scale, out)
    return not singular

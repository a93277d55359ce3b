"""Eigenvalues of small real matrices in compiled code.

Balancing, Householder reduction to Hessenberg form, and the QR iteration with Francis's double shifts in real
arithmetic, without vectors. For the matrices of this program (two to some thirty rows) it takes a fraction of the time
of a call of LAPACK's complex routine, which is what compiled code can call.

References
----------
Golub, Van Loan: Matrix Computations, 4th ed. (2013), sections 7.4.2 (Hessenberg), 7.5.2 (balancing), 7.5.6 (Francis).
Watkins: The Matrix Eigenvalue Problem (2007), section 4.8 (shifts, deflation).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.kernels import COMPLEX_VECTOR, MATRIX, FloatArray, types
from gan_bifurcation.linking import linked

_EPS: Final = 2.220446049250313e-16
_MOST_SWEEPS: Final = 300
_PATIENCE: Final = 12


@leaf
def isolate(a: FloatArray, n: int) -> int:
    """Permute A so that what states do that nothing drives in return stands at its end; how many are left before them.

    Where a state drives others and is not driven, or the other way round, its diagonal entry is an eigenvalue. Left in
    the matrix, a chain of them would be defective: of fifty, the eigenvalues are known to no digit. (First step of
    balancing in EISPACK.)
    """
    high = n
    found = True
    while found:
        found = False
        for k in range(high - 1, -1, -1):
            row = column = True
            for j in range(high):
                if j != k:
                    row = row and a[k, j] == 0.0
                    column = column and a[j, k] == 0.0
            if row or column:
                high -= 1
                if k != high:
                    for j in range(n):
                        a[k, j], a[high, j] = a[high, j], a[k, j]
                    for j in range(n):
                        a[j, k], a[j, high] = a[j, high], a[j, k]
                found = True
                break
    return high


@leaf
def balance(a: FloatArray, scale: FloatArray, n: int) -> None:
    """Replace A by D^-1 A D, whose rows and columns are alike in size, in place; D, of powers of two -> `scale`."""
    for i in range(n):
        scale[i] = 1.0
    changed = True
    while changed:
        changed = False
        for i in range(n):
            column = row = 0.0
            for j in range(n):
                if j != i:
                    column += abs(a[j, i])
                    row += abs(a[i, j])
            if column == 0.0 or row == 0.0:
                continue
            total = column + row
            factor = 1.0
            while column < 0.5 * row and factor < 1e100:
                factor *= 2.0
                column *= 4.0
            while column >= 2.0 * row and factor > 1e-100:
                factor *= 0.5
                column *= 0.25
            if (column + row) < 0.95 * total * factor:
                changed = True
                scale[i] *= factor
                for j in range(n):
                    a[i, j] /= factor
                for j in range(n):
                    a[j, i] *= factor


@leaf
def _hessenberg(a: FloatArray, v: FloatArray, n: int) -> None:
    """Similar matrix with zeros below the subdiagonal, by reflections, in place; `v` (n,) is scratch."""
    for k in range(n - 2):
        size = 0.0
        for i in range(k + 1, n):
            size += abs(a[i, k])
        below = size - abs(a[k + 1, k])
        if below == 0.0:
            continue
        norm = 0.0
        for i in range(k + 1, n):
            v[i] = a[i, k] / size
            norm += v[i] * v[i]
        norm = np.sqrt(norm)
        if v[k + 1] < 0.0:
            norm = -norm
        v[k + 1] += norm
        beta = 1.0 / (norm * v[k + 1])
        a[k + 1, k] = -norm * size
        for i in range(k + 2, n):
            a[i, k] = 0.0
        for j in range(k + 1, n):
            total = 0.0
            for i in range(k + 1, n):
                total += v[i] * a[i, j]
            total *= beta
            for i in range(k + 1, n):
                a[i, j] -= total * v[i]
        for i in range(n):
            total = 0.0
            for j in range(k + 1, n):
                total += a[i, j] * v[j]
            total *= beta
            for j in range(k + 1, n):
                a[i, j] -= total * v[j]


@leaf
def _of_two(a: float, b: float, c: float, d: float, out: NDArray[np.complex128], at: int) -> None:
    """Eigenvalues of [[a, b], [c, d]] into out[at], out[at + 1]."""
    half = 0.5 * (a + d)
    gap = 0.5 * (a - d)
    square = gap * gap + b * c
    if square < 0.0:
        root = np.sqrt(-square)
        out[at] = complex(half, root)
        out[at + 1] = complex(half, -root)
        return
    # The larger root first; the smaller from the product, where half and the root would cancel.
    root = np.sqrt(square)
    large = half + root if half >= 0.0 else half - root
    other = half - root if half >= 0.0 else half + root
    out[at] = large
    out[at + 1] = (a * d - b * c) / large if abs(other) < 0.5 * abs(large) else other


@linked("francis", types.boolean(MATRIX, types.int64, COMPLEX_VECTOR), _nrt=False)
def _francis(h: FloatArray, n: int, out: NDArray[np.complex128]) -> bool:
    """Eigenvalues of a Hessenberg matrix, destroyed; False if an eigenvalue did not settle."""
    norm = 0.0
    for i in range(n):
        for j in range(max(i - 1, 0), n):
            norm += abs(h[i, j])
    high = n - 1
    sweeps = 0
    shift = 0.0
    while high >= 0:
        low = high
        while low > 0:
            size = abs(h[low - 1, low - 1]) + abs(h[low, low])
            if size == 0.0:
                size = norm
            if abs(h[low, low - 1]) <= _EPS * size:
                h[low, low - 1] = 0.0
                break
            low -= 1
        if low == high:
            out[high] = h[high, high] + shift
            high -= 1
            sweeps = 0
            continue
        if low == high - 1:
            _of_two(h[low, low] + shift, h[low, high], h[high, low], h[high, high] + shift, out, low)
            high -= 2
            sweeps = 0
            continue
        if sweeps == _MOST_SWEEPS:
            return False
        x, y = h[high, high], h[high - 1, high - 1]
        w = h[high, high - 1] * h[high - 1, high]
        if sweeps > 0 and sweeps % _PATIENCE == 0:
            # Shifts of another kind where the usual ones go round in a circle: a pair of another angle each time, since
            # a spectrum that is nearly its own mirror image brings them back to where they were.
            shift += x
            for i in range(high + 1):
                h[i, i] -= x
            s = abs(h[high, high - 1]) + abs(h[high - 1, high - 2])
            cosine = np.cos(0.7 + 1.9 * (sweeps // _PATIENCE))
            x = y = cosine * s
            w = (cosine * cosine - 1.0) * s * s
        sweeps += 1
        # Two small subdiagonal entries in a row end the active block as well.
        m = high - 2
        p = q = r = 0.0
        while True:
            z = h[m, m]
            r = x - z
            s = y - z
            p = (r * s - w) / h[m + 1, m] + h[m, m + 1]
            q = h[m + 1, m + 1] - z - r - s
            r = h[m + 2, m + 1]
            s = abs(p) + abs(q) + abs(r)
            p, q, r = p / s, q / s, r / s
            if m == low:
                break
            left = abs(h[m, m - 1]) * (abs(q) + abs(r))
            right = abs(p) * (abs(h[m - 1, m - 1]) + abs(z) + abs(h[m + 1, m + 1]))
            if left <= _EPS * right:
                break
            m -= 1
        for i in range(m, high - 1):
            h[i + 2, i] = 0.0
            if i > m:
                h[i + 2, i - 1] = 0.0
        for k in range(m, high):
            last = k == high - 1
            if k > m:
                p, q = h[k, k - 1], h[k + 1, k - 1]
                r = 0.0 if last else h[k + 2, k - 1]
                x = abs(p) + abs(q) + abs(r)
                if x == 0.0:
                    continue
                p, q, r = p / x, q / x, r / x
            s = np.sqrt(p * p + q * q + r * r)
            if p < 0.0:
                s = -s
            if k > m:
                h[k, k - 1] = -s * x
            elif low != m:
                h[k, k - 1] = -h[k, k - 1]
            p += s
            x, y, z = p / s, q / s, r / s
            q, r = q / p, r / p
            for j in range(k, high + 1):
                t = h[k, j] + q * h[k + 1, j]
                if not last:
                    t += r * h[k + 2, j]
                    h[k + 2, j] -= t * z
                h[k + 1, j] -= t * y
                h[k, j] -= t * x
            for i in range(low, min(high, k + 3) + 1):
                t = x * h[i, k] + y * h[i, k + 1]
                if not last:
                    t += z * h[i, k + 2]
                    h[i, k + 2] -= t * r
                h[i, k + 1] -= t * q
                h[i, k] -= t
    return True


@jit
def eigenvalues(a: FloatArray) -> NDArray[np.complex128]:
    """Eigenvalues of the leading square block of a real matrix (n, n or more); NaN where it is not finite."""
    n = a.shape[0]
    out = np.full(n, complex(np.nan, 0.0))
    h = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            if not abs(a[i, j]) < np.inf:
                return out
            h[i, j] = a[i, j]
    if n == 1:
        out[0] = h[0, 0]
    elif n == 2:
        _of_two(h[0, 0], h[0, 1], h[1, 0], h[1, 1], out, 0)
    else:
        m = isolate(h, n)
        for i in range(m, n):
            out[i] = h[i, i]
        v = np.empty(n)
        balance(h, v, m)
        _hessenberg(h, v, m)
        if not _francis(h, m, out):
            for i in range(n):
                out[i] = complex(np.nan, 0.0)
    return out

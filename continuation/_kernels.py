"""The compiled core of continuation: the residuals of all curve problems and their derivatives.

One kernel serves every curve. A problem is the defining equations F(x, p) = 0 of an equilibrium or fixed point, pins
against directions in which it is not isolated, and a condition on the Jacobian (none along a branch; a singular
bordered matrix along a curve of bifurcation points). The unknowns are u = (x / scale, pins' multipliers, q, kappa),
where q are the free parameters in units of their window, in logarithm if it is logarithmic.

Conditions use minimally augmented systems (Govaerts 2000, ch. 4): with M = A - s r I (one real eigenvalue s r) or M =
A^2 + alpha A + beta I (a pair), where A is in units of the states, the bordered system [[M, B], [C^T, 0]] [V; G] =
[0; I] has G = 0 exactly where M has the rank deficiency of the border's width; G is smooth, and dG = -W^T dM V.

Loops are written out and every function takes the state behind one pointer: array expressions and arguments by the
dozen multiplied the time that compilation takes by ten.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import inner, jit
from gan_bifurcation.continuation._linear_algebra import (
    lu_factor,
    lu_solve,
    lu_solve_transposed,
    orthonormalise,
)
from gan_bifurcation.evaluation import (
    EVALUATOR,
    add_curvatures,
    jacobian,
    make_evaluator,
    structref,
)
from gan_bifurcation.kernels import INDEX, MATRIX, VECTOR, FloatArray, TapeData, types
from gan_bifurcation.linking import linked

IntArray = NDArray[np.int64]

# Conditions on the Jacobian A (states only; of the map itself for maps).
NONE, REAL, PAIR, FOCUS, FUNCTION, STRUCTURAL = 0, 1, 2, 3, 4, 5


class Arrays(NamedTuple):
    """A curve problem as data; the arrays are shared with the compiled state, which works on some of them in place."""

    tape: TapeData
    iterations: int
    n: int
    is_map: bool
    p: FloatArray  # (m,): all parameters; the free ones are overwritten
    free: IntArray  # (f,): positions of the free parameters in p
    low: FloatArray  # (f,)
    high: FloatArray  # (f,)
    log: IntArray  # (f,): 1 where the window is logarithmic
    scale: FloatArray  # (n,)
    condition: int
    sign: float  # REAL: the eigenvalue is sign * level (maps), level (flows)
    level: TapeData  # one output over (states, parameters): modulus or real part; FUNCTION: the function itself
    pin_rows: FloatArray  # (n, k): directions held at the reference
    pin_columns: FloatArray  # (n, k): unfolding directions
    reference: FloatArray  # (n,): where the pins hold
    border_b: FloatArray  # (n, w), w = 1 or 2: width of the borders
    border_c: FloatArray  # (n, w)
    kappa_unit: float  # flows: kappa is in units of this, so that slow and fast systems are alike
    pick: IntArray  # (4,): the two components of G used by PAIR and FOCUS: row, column, row, column
    linear: IntArray
    rest: IntArray
    z: FloatArray  # (n + m,): the last states and parameters
    f: FloatArray  # (n,): the last right-hand side
    j: FloatArray  # (n, n + m): the last Jacobian
    slope: FloatArray  # (f,): dp/dq at the last point
    residual: FloatArray  # (unknowns,)
    system: FloatArray  # (unknowns, unknowns): rows of the derivative of the residual
    tangent: FloatArray  # (unknowns,)


@structref.register
class _StateType(types.StructRef):  # type: ignore[misc]
    """Type of `State` in compiled code."""


class State(structref.StructRefProxy):  # type: ignore[misc]
    """A curve problem with its scratch arrays; made by `make_state`."""


structref.define_boxing(_StateType, State)

STATE: Final[Any] = _StateType(
    [
        (name, VECTOR)
        for name in ("p", "low", "high", "scale", "reference", "slope", "z", "f", "level_f", "coefficients", "by_kappa")
    ]
    + [(name, VECTOR) for name in ("right", "residual", "trial", "tangent")]
    + [(name, INDEX) for name in ("free", "log", "pick", "linear", "rest", "pivots_m", "pivots", "rows")]
    + [(name, MATRIX) for name in ("pin_rows", "pin_columns", "border_b", "border_c", "j", "a", "level_j", "m", "g")]
    + [(name, MATRIX) for name in ("vectors", "covectors", "lefts", "directions", "gz", "system")]
    + [(name, types.int64) for name in ("n", "k", "nf", "condition", "width", "size", "equations")]
    + [
        ("is_map", types.boolean),
        ("sign", types.float64),
        ("kappa_unit", types.float64),
        ("determinant", types.float64),  # sign of det [D; row] where the tangent is known, else 0
        ("e", EVALUATOR),
        ("level", EVALUATOR),
    ]
)


@jit
def make_state(arrays: Arrays) -> Any:
    """The compiled form of a problem."""
    n, k, nf = arrays.n, arrays.pin_rows.shape[1], arrays.free.shape[0]
    condition = arrays.condition
    nm = arrays.tape.n_inputs
    pair = condition in (PAIR, FOCUS)
    s = structref.new(STATE)
    s.n, s.k, s.nf, s.condition = n, k, nf, condition
    s.width = 2 if pair else 1
    s.size = n + k + nf + (1 if pair else 0)
    s.equations = n + k + (2 if pair else (0 if condition == NONE else 1))
    s.is_map, s.sign, s.kappa_unit, s.determinant = arrays.is_map, arrays.sign, arrays.kappa_unit, 0.0
    s.e = make_evaluator(arrays.tape, arrays.iterations, n, 1)
    s.level = make_evaluator(arrays.level, 1, 1, 1)
    s.p, s.low, s.high, s.scale, s.reference = arrays.p, arrays.low, arrays.high, arrays.scale, arrays.reference
    s.free, s.log, s.pick, s.linear, s.rest = arrays.free, arrays.log, arrays.pick, arrays.linear, arrays.rest
    s.pin_rows, s.pin_columns = arrays.pin_rows, arrays.pin_columns
    s.border_b, s.border_c = arrays.border_b, arrays.border_c
    s.z, s.f, s.j, s.slope = arrays.z, arrays.f, arrays.j, arrays.slope
    s.level_f, s.coefficients = np.zeros(1), np.zeros(6)
    s.right, s.by_kappa, s.rows = np.zeros(n + 2), np.zeros(2), np.zeros(4, dtype=np.int64)
    s.residual, s.system, s.tangent, s.trial = arrays.residual, arrays.system, arrays.tangent, np.zeros(s.size)
    s.a, s.level_j = np.zeros((n, n)), np.zeros((1, nm))
    s.m, s.g = np.zeros((n + s.width, n + s.width)), np.zeros((2, 2))
    s.pivots_m, s.pivots = np.zeros(n + s.width, dtype=np.int64), np.zeros(s.size, dtype=np.int64)
    s.vectors, s.covectors = np.zeros((n, s.width)), np.zeros((n, s.width))
    s.lefts, s.directions, s.gz = np.zeros((4, n)), np.zeros((4, n)), np.zeros((2, nm))
    return s


@inner
def load_point(s: Any, u: FloatArray) -> None:
    """States and parameters of the unknowns `u` into `s.z`, dp/dq into `s.slope`."""
    n, k = s.n, s.k
    for i in range(n):
        s.z[i] = u[i] * s.scale[i]
    for i in range(s.p.shape[0]):
        s.z[n + i] = s.p[i]
    for i in range(s.nf):
        q = u[n + k + i]
        low, high = s.low[i], s.high[i]
        if s.log[i] == 1:
            rate = np.log(high / low)
            number = low * np.exp(q * rate)
            s.slope[i] = number * rate
        else:
            number = low + q * (high - low)
            s.slope[i] = high - low
        s.z[n + s.free[i]] = number


@inner
def _put_gradient(s: Any, source: int, row: int) -> None:
    """A gradient over (states, parameters), row `source` of `s.gz`, into a row of the unknowns' Jacobian `s.system`."""
    n, k = s.n, s.k
    for i in range(s.size):
        s.system[row, i] = 0.0
    for i in range(n):
        s.system[row, i] = s.gz[source, i] * s.scale[i]
    for i in range(s.nf):
        s.system[row, n + k + i] = s.gz[source, n + s.free[i]] * s.slope[i]


@inner
def _solve_borders(s: Any) -> bool:
    """V, W and G of the bordered matrix, whose block M is in `s.m`; False if it is singular."""
    n, width = s.n, s.width
    m, right, b, c0, vectors, covectors = s.m, s.right, s.border_b, s.border_c, s.vectors, s.covectors
    for i in range(n):
        for c in range(width):
            m[i, n + c] = b[i, c]
            m[n + c, i] = c0[i, c]
    for r in range(width):
        for c in range(width):
            m[n + r, n + c] = 0.0
    if lu_factor(m, s.pivots_m) == 0.0:
        return False
    for c in range(width):
        for transposed in range(2):
            for i in range(n + width):
                right[i] = 0.0
            right[n + c] = 1.0
            if transposed == 0:
                lu_solve(m, s.pivots_m, right)
                for i in range(n):
                    vectors[i, c] = right[i]
                for r in range(width):
                    s.g[r, c] = right[n + r]
            else:
                lu_solve_transposed(m, s.pivots_m, right)
                for i in range(n):
                    covectors[i, c] = right[i]
    return True


@inner
def _pair_coefficients(s: Any, kappa: float, level: float) -> None:
    """alpha, beta and their derivatives in kappa and in the level: M = A^2 + alpha A + beta I."""
    c = s.coefficients
    c[4] = c[5] = 0.0
    unit = s.kappa_unit
    kappa = kappa * unit
    if s.condition == FOCUS:  # (A - kappa)^2: a double real eigenvalue
        c[0], c[1], c[2], c[3] = -2.0 * kappa, kappa * kappa, -2.0 * unit, 2.0 * kappa * unit
    elif s.is_map:  # eigenvalues r e^{+-i theta}, kappa = cos theta
        c[0], c[1], c[2], c[3] = -2.0 * kappa * level, level * level, -2.0 * level, 0.0
        c[4], c[5] = -2.0 * kappa, 2.0 * level
    else:  # eigenvalues c +- i omega, kappa = omega^2
        c[0], c[1], c[2], c[3] = -2.0 * level, level * level + kappa, 0.0, unit
        c[4], c[5] = -2.0, 2.0 * level


@inner
def _equilibrium_rows(s: Any, u: FloatArray) -> None:
    """F = 0 and the pins."""
    n, k = s.n, s.k
    r, d, j, scale = s.residual, s.system, s.j, s.scale
    for i in range(n):
        r[i] = s.f[i] - s.z[i] if s.is_map else s.f[i]
        for c in range(n):
            d[i, c] = j[i, c] * scale[c]
        for c in range(n, d.shape[1]):
            d[i, c] = 0.0
        if s.is_map:
            d[i, i] -= scale[i]
        for c in range(s.nf):
            d[i, n + k + c] = s.j[i, n + s.free[c]] * s.slope[c]
        for c in range(k):
            r[i] += s.pin_columns[i, c] * u[n + c]
            d[i, n + c] = s.pin_columns[i, c]
    for c in range(k):
        total = 0.0
        for i in range(s.size):
            d[n + c, i] = 0.0
        for i in range(n):
            total += s.pin_rows[i, c] * (s.z[i] - s.reference[i])
            d[n + c, i] = s.pin_rows[i, c] * s.scale[i]
        r[n + c] = total


@inner
def _real_forms(s: Any, row: int, level: float) -> bool:
    """The bordered scalar of A - shift * level I, and what its gradient needs of second derivatives."""
    n = s.n
    a, m = s.a, s.m
    shift = s.sign if s.is_map else 1.0
    for i in range(n):
        for c in range(n):
            m[i, c] = a[i, c]
        m[i, i] -= shift * level
    if not _solve_borders(s):
        return False
    s.residual[row] = s.g[0, 0]
    overlap = 0.0
    for i in range(n):
        s.lefts[0, i] = -s.covectors[i, 0] / s.scale[i]
        s.directions[0, i] = s.vectors[i, 0] * s.scale[i]
        overlap += s.covectors[i, 0] * s.vectors[i, 0]
    s.rows[0] = 0
    for z in range(s.gz.shape[1]):
        s.gz[0, z] = shift * s.level_j[0, z] * overlap
    return True


@inner
def _pair_forms(s: Any, row: int, level: float, kappa: float) -> bool:
    """Two components of G for M = A^2 + alpha A + beta I, and what their gradients need of second derivatives."""
    n = s.n
    a, m, vectors, covectors = s.a, s.m, s.vectors, s.covectors
    c6 = s.coefficients
    _pair_coefficients(s, kappa, level)
    for i in range(n):
        alpha = c6[0]
        for c in range(n):
            m[i, c] = alpha * a[i, c]
        for x in range(n):
            factor = a[i, x]
            for c in range(n):
                m[i, c] += factor * a[x, c]
        m[i, i] += c6[1]
    if not _solve_borders(s):
        return False
    for e in range(2):
        i, c = s.pick[2 * e], s.pick[2 * e + 1]
        s.residual[row + e] = s.g[i, c]
        s.rows[2 * e] = s.rows[2 * e + 1] = e
        # w^T d(A^2 + alpha A) v = (w, dA (A v + alpha v)) + (A^T w, dA v)
        w_av = w_v = 0.0
        for x in range(n):
            av = wa = 0.0
            for y in range(n):
                av += a[x, y] * vectors[y, c]
                wa += a[y, x] * covectors[y, i]
            s.lefts[2 * e, x] = -s.covectors[x, i] / s.scale[x]
            s.directions[2 * e, x] = (av + c6[0] * s.vectors[x, c]) * s.scale[x]
            s.lefts[2 * e + 1, x] = -wa / s.scale[x]
            s.directions[2 * e + 1, x] = s.vectors[x, c] * s.scale[x]
            w_av += s.covectors[x, i] * av
            w_v += s.covectors[x, i] * s.vectors[x, c]
        for z in range(s.gz.shape[1]):
            s.gz[e, z] = -(c6[4] * w_av + c6[5] * w_v) * s.level_j[0, z]
        s.by_kappa[e] = -(c6[2] * w_av + c6[3] * w_v)
    return True


@linked("residual and its derivative", types.boolean(STATE, VECTOR))
def residual_jacobian(s: Any, u: FloatArray) -> bool:
    """Residual into `s.residual` and its derivative into the first rows of `s.system`.

    False if a bordered matrix is singular.
    """
    n = s.n
    load_point(s, u)
    jacobian(s.e, s.z, s.f, s.j)
    _equilibrium_rows(s, u)
    if s.condition == NONE:
        return True
    row = n + s.k
    # Where states differ by many orders of magnitude, the matrix is as good as singular in any units but theirs.
    a, j, scale = s.a, s.j, s.scale
    for i in range(n):
        for c in range(n):
            a[i, c] = j[i, c] * (scale[c] / scale[i])
    jacobian(s.level, s.z, s.level_f, s.level_j)
    level = s.level_f[0]
    rows = forms = 1
    if s.condition == REAL:
        if not _real_forms(s, row, level):
            return False
    elif s.condition == PAIR or s.condition == FOCUS:
        if not _pair_forms(s, row, level, u[s.size - 1]):
            return False
        rows, forms = 2, 4
    elif s.condition == FUNCTION:
        s.residual[row] = level
        forms = 0
        for z in range(s.gz.shape[1]):
            s.gz[0, z] = s.level_j[0, z]
    else:  # STRUCTURAL: the common coefficient of the linear states is the diagonal entry of any of them.
        i = s.linear[0]
        shift = s.sign if s.is_map else 1.0
        s.residual[row] = s.j[i, i] - shift * level
        for x in range(n):
            s.lefts[0, x] = s.directions[0, x] = 1.0 if x == i else 0.0
        s.rows[0] = 0
        for z in range(s.gz.shape[1]):
            s.gz[0, z] = -shift * s.level_j[0, z]
    if forms > 0:
        # gz[row] += left^T D2f(direction, e_z) for all z of the joint space.
        add_curvatures(s.e, s.z, s.directions, s.lefts, s.rows, forms, s.gz)
    for e in range(rows):
        _put_gradient(s, e, row + e)
        if rows == 2:
            s.system[row + e, s.size - 1] = s.by_kappa[e]
    return True


@jit
def evaluate(s: Any, u: FloatArray) -> bool:
    """`residual_jacobian` for callers in Python."""
    done: bool = residual_jacobian(s, u)
    return done


@inner
def refresh_borders(s: Any) -> None:
    """Take the null vectors just computed as borders, and choose the two components of G that see the pair best.

    Near the curve G = L (a I + b A_c) R with two unknowns a, b; the derivatives in a and b are W^T V and W^T A V.
    """
    if s.condition != REAL and s.condition != PAIR and s.condition != FOCUS:
        return
    n, width = s.n, s.width
    a, b, c = s.a, s.border_b, s.border_c
    for i in range(n):
        for k in range(width):
            b[i, k] = s.covectors[i, k]
            c[i, k] = s.vectors[i, k]
    orthonormalise(b)
    orthonormalise(c)
    # Branch points: what is pinned is the left null vector, along which nothing moves in the subspace (of a symmetry,
    # or an invariant one) that they owe their being to. On a manifold the critical eigenvalue is another one.
    if s.condition == REAL and s.k == 1 and s.sign > 0.0 and s.level_f[0] == (1.0 if s.is_map else 0.0):
        for i in range(n):
            s.pin_rows[i, 0] = b[i, 0] / s.scale[i]
            s.pin_columns[i, 0] = b[i, 0] * s.scale[i]
    if width == 2:
        pairing = np.zeros((2, 4))
        for e in range(2):
            for f in range(2):
                for i in range(n):
                    pairing[0, 2 * e + f] += b[i, e] * c[i, f]
                    for x in range(n):
                        pairing[1, 2 * e + f] += b[i, e] * a[i, x] * c[x, f]
        best = -1.0
        for e in range(4):
            for f in range(e + 1, 4):
                size = abs(pairing[0, e] * pairing[1, f] - pairing[0, f] * pairing[1, e])
                if size > best:
                    best = size
                    s.pick[0], s.pick[1] = e // 2, e % 2
                    s.pick[2], s.pick[3] = f // 2, f % 2

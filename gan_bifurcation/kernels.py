"""The compiled interpreters of the tape: value, Jacobian, second directional derivative, Taylor jet.

Compiled once and cached: a system is data (`TapeData`), never a new compilation. Work arrays are made by the caller,
with the constants of the tape loaded, so that nothing is allocated in a hot loop.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import opcodes as op
from gan_bifurcation.calls import JACOBIAN, SECOND, VALUE, address, call_python
from gan_bifurcation.compiling import leaf
from gan_bifurcation.elementary import integer_power, unary_derivatives, unary_value
from gan_bifurcation.linking import linked

FloatArray = NDArray[np.float64]

# Newton's method for roots: a relative step below the first is followed by one that is below rounding; a step that no
# longer shrinks is rounding if it is below the second.
NEWTON_STEP = 1e-9
NEWTON_FLOOR = 1e-10
NEWTON_MOST = 60


class TapeData(NamedTuple):
    """The arrays of a tape as the compiled code takes them."""

    n_inputs: int
    code: NDArray[np.int32]  # (operations, 4): opcode and three operands
    constants: FloatArray
    outputs: NDArray[np.int64]
    tables: FloatArray  # rows of all node tables, flattened; the weight is the first column
    layout: NDArray[np.int64]  # (tables, 3): offset, rows, columns (with the weight)
    prefix: int  # operations at the front that depend on parameters and constants only


types: Any = numba.types
_typeof: Any = numba.typeof
TAPE: Any = _typeof(
    TapeData(
        0, np.zeros((0, 4), np.int32), np.zeros(0), np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 3), np.int64), 0
    )
)
VECTOR: Any = types.Array(types.float64, 1, "C")
COMPLEX_VECTOR: Any = types.Array(types.complex128, 1, "C")
COMPLEX_MATRIX: Any = types.Array(types.complex128, 2, "C")
INDEX: Any = types.Array(types.int64, 1, "C")
MATRIX: Any = types.Array(types.float64, 2, "C")


@leaf
def n_slots(tape: TapeData) -> int:
    return int(tape.n_inputs + tape.constants.shape[0] + tape.code.shape[0])


@leaf
def load_constants(tape: TapeData, v: FloatArray) -> None:
    for i in range(tape.constants.shape[0]):
        v[tape.n_inputs + i] = tape.constants[i]


@leaf
def run_value(tape: TapeData, v: FloatArray, start: int) -> None:
    """Evaluate all slots; `v` (slots,) holds inputs and constants.

    `start=tape.prefix` skips what only depends on parameters.
    """
    run_span(tape, v, start, tape.code.shape[0])


@leaf
def newton_verdict(size: float, scale: float, previous: float, count: int) -> int:
    """Whether the step of this size was the last one: 1 if so, 0 to go on, -1 if Newton's method has failed."""
    if size <= NEWTON_STEP * scale or (size >= 0.5 * previous and size <= NEWTON_FLOOR * (1.0 + scale)):
        return 1
    return 0 if count < NEWTON_MOST and size < np.inf else -1


@linked("span", types.void(TAPE, VECTOR, types.int64, types.int64), _nrt=False)
def run_span(tape: TapeData, v: FloatArray, start: int, stop: int) -> None:
    """Evaluate the slots of some operations, from `start` to before `stop`."""
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    table = row = count = 0
    previous = np.inf
    i = start
    while i < stop:
        o = code[i, 0]
        s = base + i
        if o <= op.DIV:
            a = v[code[i, 1]]
            b = v[code[i, 2]]
            if o == op.MUL:
                v[s] = a * b
            elif o == op.ADD:
                v[s] = a + b
            elif o == op.SUB:
                v[s] = a - b
            else:
                v[s] = a / b
        elif o == op.POWER_INTEGER:
            v[s] = integer_power(v[code[i, 1]], code[i, 2])
        elif o == op.POWER_REAL:
            x = v[code[i, 1]]
            v[s] = x ** v[code[i, 2]] if x >= 0.0 else np.nan
        elif o <= op.SIGN:
            v[s] = unary_value(o, v[code[i, 1]])
        elif o == op.MINIMUM:
            v[s] = min(v[code[i, 1]], v[code[i, 2]])
        elif o == op.MAXIMUM:
            v[s] = max(v[code[i, 1]], v[code[i, 2]])
        elif o == op.SELECT_POSITIVE:
            v[s] = v[code[i, 1]] if v[code[i, 3]] > 0.0 else v[code[i, 2]]
        elif o == op.SELECT_NONNEGATIVE:
            v[s] = v[code[i, 1]] if v[code[i, 3]] >= 0.0 else v[code[i, 2]]
        elif o == op.LOOP_BEGIN:
            table = code[i, 1]
            row = 0
            j = i + 1
            while code[j, 0] != op.LOOP_END:
                if code[j, 0] == op.ACCUMULATE:
                    v[base + j] = 0.0
                j += 1
        elif o == op.NODE:
            v[s] = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2] + code[i, 1] + 1]
        elif o == op.ACCUMULATE:
            v[s] += tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2]] * v[code[i, 1]]
        elif o == op.LOOP_END:
            if row + 1 < tape.layout[table, 1]:
                row += 1
                i = code[i, 1]
        elif o == op.SOLVE_BEGIN:
            count = 0
            previous = np.inf
        elif o == op.UNKNOWN:
            v[s] = v[code[i, 1]]
        elif o == op.UPDATE:
            v[s] = v[code[i, 1]] - v[code[i, 2]]
        elif o == op.ARGUMENT:
            v[s] = v[code[i, 1]]
        elif o == op.CALL:
            call_python(
                v[code[i, 1]], VALUE, code[i, 2], code[i, 3], 1, address(v, s - code[i, 2]), address(v, s + 1),
                0, 0, 0, 0, 0, 0,
            )  # fmt: skip
            i += code[i, 3]
        else:  # SOLVE_END
            unknowns = code[i, 2]
            size = scale = 0.0
            for k in range(i - unknowns, i):
                step = abs(v[code[k, 2]])
                # Not a number is no maximum of anything.
                size = step if not step <= size else size
                scale = max(scale, abs(v[base + k]))
            count += 1
            verdict = newton_verdict(size, scale, previous, count)
            previous = size
            if verdict == 0:
                for k in range(unknowns):
                    v[base + code[i, 1] + 1 + k] = v[s - unknowns + k]
                i = code[i, 1] + unknowns
            elif verdict < 0:
                for k in range(unknowns):
                    v[s - unknowns + k] = np.nan
        i += 1


@leaf
def _solve(tape: TapeData, v: FloatArray, begin: int) -> int:
    """Values of the roots of a block, put in the place of its unknowns; the number of unknowns."""
    base = tape.n_inputs + tape.constants.shape[0]
    unknowns = int(tape.code[begin, 1])
    end = int(tape.code[begin, 2])
    run_span(tape, v, begin, end + 1)
    for k in range(unknowns):
        v[base + begin + 1 + k] = v[base + end - unknowns + k]
    return unknowns


@linked("jacobian", types.void(TAPE, VECTOR, MATRIX, types.int64, types.int64), _nrt=False)
def run_jacobian(tape: TapeData, v: FloatArray, g: FloatArray, start: int, stop: int) -> None:
    """Value and gradient of the slots of some operations, from `start` to before `stop`.

    `g` (slots, directions) holds the seeds in the rows of the inputs, zeros in those of the constants.
    """
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    m = g.shape[1]
    table = row = 0
    i = start
    while i < stop:
        o = code[i, 0]
        s = base + i
        ia = code[i, 1]
        if o <= op.DIV:
            ib = code[i, 2]
            a = v[ia]
            b = v[ib]
            if o == op.MUL:
                v[s] = a * b
                for j in range(m):
                    g[s, j] = a * g[ib, j] + b * g[ia, j]
            elif o == op.ADD:
                v[s] = a + b
                for j in range(m):
                    g[s, j] = g[ia, j] + g[ib, j]
            elif o == op.SUB:
                v[s] = a - b
                for j in range(m):
                    g[s, j] = g[ia, j] - g[ib, j]
            else:
                q = a / b
                r = 1.0 / b
                v[s] = q
                for j in range(m):
                    g[s, j] = (g[ia, j] - q * g[ib, j]) * r
        elif o <= op.SIGN:
            x = v[ia]
            if o == op.POWER_INTEGER:
                k = code[i, 2]
                y = integer_power(x, k)
                d = k * integer_power(x, k - 1)
            elif o == op.POWER_REAL:
                c = v[code[i, 2]]
                y = x**c if x >= 0.0 else np.nan
                d = c * x ** (c - 1.0) if x >= 0.0 else np.nan
            else:
                y = unary_value(o, x)
                d, _ = unary_derivatives(o, x, y)
            v[s] = y
            for j in range(m):
                g[s, j] = d * g[ia, j]
        elif o <= op.SELECT_NONNEGATIVE:
            ib = code[i, 2]
            if o == op.MINIMUM:
                first = v[ia] <= v[ib]
            elif o == op.MAXIMUM:
                first = v[ia] >= v[ib]
            elif o == op.SELECT_POSITIVE:
                first = v[code[i, 3]] > 0.0
            else:
                first = v[code[i, 3]] >= 0.0
            source = ia if first else ib
            v[s] = v[source]
            for j in range(m):
                g[s, j] = g[source, j]
        elif o == op.LOOP_BEGIN:
            table = ia
            row = 0
            k = i + 1
            while code[k, 0] != op.LOOP_END:
                if code[k, 0] == op.ACCUMULATE:
                    v[base + k] = 0.0
                    for j in range(m):
                        g[base + k, j] = 0.0
                k += 1
        elif o == op.NODE:
            v[s] = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2] + ia + 1]
        elif o == op.ACCUMULATE:
            weight = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2]]
            v[s] += weight * v[ia]
            for j in range(m):
                g[s, j] += weight * g[ia, j]
        elif o == op.LOOP_END:
            if row + 1 < tape.layout[table, 1]:
                row += 1
                i = ia
        elif o == op.SOLVE_BEGIN:
            # At the root, Newton's step does not depend on where it starts: one pass from unknowns that are held fixed
            # gives the derivative by the implicit function theorem.
            unknowns = _solve(tape, v, i)
            for k in range(unknowns):
                for j in range(m):
                    g[s + 1 + k, j] = 0.0
            i += unknowns
        elif o == op.UPDATE:
            ib = code[i, 2]
            v[s] = v[ia] - v[ib]
            for j in range(m):
                g[s, j] = g[ia, j] - g[ib, j]
        elif o == op.ARGUMENT:
            v[s] = v[ia]
            for j in range(m):
                g[s, j] = g[ia, j]
        elif o == op.CALL:
            k = s - code[i, 2]
            call_python(
                v[ia], JACOBIAN, code[i, 2], code[i, 3], m, address(v, k), address(v, s + 1), 0, 0,
                address(g, k * m), address(g, (s + 1) * m), 0, 0,
            )  # fmt: skip
            i += code[i, 3]
        i += 1


@linked("second", types.void(TAPE, VECTOR, VECTOR, MATRIX, MATRIX), _nrt=False)
def run_second(tape: TapeData, v: FloatArray, d: FloatArray, g: FloatArray, h: FloatArray) -> None:
    """Value, directional derivative, gradient, and gradient of the directional derivative of all slots.

    With `d` (slots,) seeded by a direction u and `g` (slots, directions) by the unit vectors, the outputs' rows of
    `h` are the second derivative D2f(u, e_j): what curves of bifurcation points need of their bordered scalar.
    """
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    m = g.shape[1]
    table = row = repeated = 0
    i = 0
    n = code.shape[0]
    while i < n:
        o = code[i, 0]
        s = base + i
        ia = code[i, 1]
        if o <= op.DIV:
            ib = code[i, 2]
            a = v[ia]
            b = v[ib]
            da = d[ia]
            db = d[ib]
            if o == op.MUL:
                v[s] = a * b
                d[s] = da * b + a * db
                for j in range(m):
                    ga = g[ia, j]
                    gb = g[ib, j]
                    g[s, j] = a * gb + b * ga
                    h[s, j] = da * gb + a * h[ib, j] + db * ga + b * h[ia, j]
            elif o == op.ADD:
                v[s] = a + b
                d[s] = da + db
                for j in range(m):
                    g[s, j] = g[ia, j] + g[ib, j]
                    h[s, j] = h[ia, j] + h[ib, j]
            elif o == op.SUB:
                v[s] = a - b
                d[s] = da - db
                for j in range(m):
                    g[s, j] = g[ia, j] - g[ib, j]
                    h[s, j] = h[ia, j] - h[ib, j]
            else:
                q = a / b
                r = 1.0 / b
                dq = (da - q * db) * r
                v[s] = q
                d[s] = dq
                for j in range(m):
                    gq = (g[ia, j] - q * g[ib, j]) * r
                    g[s, j] = gq
                    h[s, j] = (h[ia, j] - gq * db - q * h[ib, j] - dq * g[ib, j]) * r
        elif o <= op.SIGN:
            x = v[ia]
            if o == op.POWER_INTEGER:
                k = code[i, 2]
                y = integer_power(x, k)
                d1 = k * integer_power(x, k - 1)
                d2 = k * (k - 1) * integer_power(x, k - 2)
            elif o == op.POWER_REAL:
                c = v[code[i, 2]]
                y = x**c if x >= 0.0 else np.nan
                d1 = c * x ** (c - 1.0) if x >= 0.0 else np.nan
                d2 = c * (c - 1.0) * x ** (c - 2.0) if x >= 0.0 else np.nan
            else:
                y = unary_value(o, x)
                d1, d2 = unary_derivatives(o, x, y)
            da = d[ia]
            v[s] = y
            d[s] = d1 * da
            curvature = d2 * da
            for j in range(m):
                g[s, j] = d1 * g[ia, j]
                h[s, j] = curvature * g[ia, j] + d1 * h[ia, j]
        elif o <= op.SELECT_NONNEGATIVE:
            ib = code[i, 2]
            if o == op.MINIMUM:
                first = v[ia] <= v[ib]
            elif o == op.MAXIMUM:
                first = v[ia] >= v[ib]
            elif o == op.SELECT_POSITIVE:
                first = v[code[i, 3]] > 0.0
            else:
                first = v[code[i, 3]] >= 0.0
            source = ia if first else ib
            v[s] = v[source]
            d[s] = d[source]
            for j in range(m):
                g[s, j] = g[source, j]
                h[s, j] = h[source, j]
        elif o == op.LOOP_BEGIN:
            table = ia
            row = 0
            k = i + 1
            while code[k, 0] != op.LOOP_END:
                if code[k, 0] == op.ACCUMULATE:
                    v[base + k] = 0.0
                    d[base + k] = 0.0
                    for j in range(m):
                        g[base + k, j] = 0.0
                        h[base + k, j] = 0.0
                k += 1
        elif o == op.NODE:
            v[s] = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2] + ia + 1]
        elif o == op.ACCUMULATE:
            weight = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2]]
            v[s] += weight * v[ia]
            d[s] += weight * d[ia]
            for j in range(m):
                g[s, j] += weight * g[ia, j]
                h[s, j] += weight * h[ia, j]
        elif o == op.LOOP_END:
            if row + 1 < tape.layout[table, 1]:
                row += 1
                i = ia
        elif o == op.SOLVE_BEGIN:
            unknowns = _solve(tape, v, i)
            for k in range(s + 1, s + 1 + unknowns):
                d[k] = 0.0
                for j in range(m):
                    g[k, j] = 0.0
                    h[k, j] = 0.0
            repeated = 0
            i += unknowns
        elif o == op.UPDATE:
            ib = code[i, 2]
            v[s] = v[ia] - v[ib]
            d[s] = d[ia] - d[ib]
            for j in range(m):
                g[s, j] = g[ia, j] - g[ib, j]
                h[s, j] = h[ia, j] - h[ib, j]
        elif o == op.ARGUMENT:
            v[s] = v[ia]
            d[s] = d[ia]
            for j in range(m):
                g[s, j] = g[ia, j]
                h[s, j] = h[ia, j]
        elif o == op.CALL:
            k = s - code[i, 2]
            call_python(
                v[ia], SECOND, code[i, 2], code[i, 3], m, address(v, k), address(v, s + 1), address(d, k),
                address(d, s + 1), address(g, k * m), address(g, (s + 1) * m), address(h, k * m),
                address(h, (s + 1) * m),
            )  # fmt: skip
            i += code[i, 3]
        elif o == op.SOLVE_END and repeated == 0:
            # Newton's method doubles the order of what is right: first derivatives, then second ones.
            repeated = 1
            unknowns = code[i, 2]
            for k in range(unknowns):
                to = base + ia + 1 + k
                source = s - unknowns + k
                v[to] = v[source]
                d[to] = d[source]
                for j in range(m):
                    g[to, j] = g[source, j]
                    h[to, j] = h[source, j]
            i = ia + unknowns
        i += 1

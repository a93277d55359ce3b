"""Many orbits of a map at once: the tape's operations run over lanes of cells, each with its own state and parameters.

One pass of the interpreter serves all lanes, so that what it costs to read an operation is shared, and the arithmetic
between runs in vector registers. One orbit is a single lane. Operations of one kind follow one another
(`Tape.by_kind`), and run in one loop; rows are taken by unsigned numbers, which need no look whether they count from
the end: both cost as much as the arithmetic of a few lanes.
"""

from math import cos, exp, sin
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import opcodes as op
from gan_bifurcation.calls import VALUE, address, call_python
from gan_bifurcation.compiling import entry, leaf
from gan_bifurcation.elementary import integer_power, unary_value
from gan_bifurcation.kernels import INDEX, MATRIX, TAPE, VECTOR, FloatArray, TapeData, newton_verdict, types
from gan_bifurcation.linking import linked
from gan_bifurcation.tape import Tape

IntArray = NDArray[np.int64]

_unsigned: Any = np.uint64

# Numba compiles a function once more for a literal 0 among its arguments; this is none.
ZERO: Any = np.int64(0)

INSIDE: Final = 0
NOT_FINITE: Final = 1
TOO_LARGE: Final = 2
LEFT_DOMAIN: Final = 3  # plus the number of the bound

# More lanes share the cost of an operation, fewer stay in the cache.
_LANES: Final = 32
_MOST_SLOTS: Final = 4096

# pi/2 in two parts, the first short enough for exact multiples (fdlibm), and polynomials on [-pi/4, pi/4] (Cephes).
_QUARTER: Final = 1.57079632673412561417
_QUARTER_REST: Final = 6.07710050650619224932e-11
_S: Final = (
    1.58962301576546568060e-10,
    -2.50507477628578072866e-8,
    2.75573136213857245213e-6,
    -1.98412698295895385996e-4,
    8.33333333332211858878e-3,
    -1.66666666666666307295e-1,
)
_C: Final = (
    -1.13585365213876817300e-11,
    2.08757008419747316778e-9,
    -2.75573141792967388112e-7,
    2.48015872888517045348e-5,
    -1.38888888888730564116e-3,
    4.16666666666665929218e-2,
)
# What is larger in size goes to the library, lane by lane: what an orbit does must not depend on its neighbours.
_FAR: Final = 1e5
_LARGE: Final = 700.0
_LOG2_E: Final = 1.4426950408889634074
_LOG_2: Final = 6.93145751953125e-1
_LOG_2_REST: Final = 1.42860682030941723212e-6
_P: Final = (1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1)
_Q: Final = (
    3.00198505138664455042e-6,
    2.52448340349684104192e-3,
    2.27265548208155028766e-1,
    2.00000000000000000005,
)


class Rows(NamedTuple):
    """Work arrays of one row of lanes."""

    part: FloatArray  # (lanes,)
    bits: IntArray  # (lanes,)
    power: FloatArray  # (lanes,): the memory of `bits` read as floating point numbers


_ROWS: Final[Any] = types.NamedTuple([VECTOR, INDEX, VECTOR], Rows)


class LaneScratch(NamedTuple):
    """Work arrays of one thread."""

    v: FloatArray  # (slots, lanes), with the constants in place
    f: FloatArray  # (states, lanes)
    alive: NDArray[np.bool_]  # (lanes,)
    box: FloatArray  # (2, states, lanes)
    rows: Rows


def make_lane_scratch(tape: Tape, states: int, cells: int) -> LaneScratch:
    """Work arrays for `sweep` over this many cells or more."""
    lanes = max(min(_LANES, cells), 1) if tape.slots <= _MOST_SLOTS else max(min(8, cells), 1)
    v = np.zeros((tape.slots, lanes))
    first = len(tape.inputs)
    v[first : first + len(tape.constants)] = tape.constants[:, None]
    bits = np.zeros(lanes, dtype=np.int64)
    rows = Rows(np.zeros(lanes), bits, bits.view(np.float64))
    f, box = np.zeros((states, lanes)), np.zeros((2, states, lanes))
    return LaneScratch(v, f, np.zeros(lanes, dtype=np.bool_), box, rows)


@entry
def _waves(a: FloatArray, sine: FloatArray, cosine: FloatArray) -> None:
    """Sines and cosines of a row, written so that it runs in vector registers; to about one unit in the last place."""
    lanes = a.shape[0]
    far = 0
    for j in range(lanes):
        near = abs(a[j]) < _FAR
        far += not near
        angle = a[j] if near else 0.0
        quarters = np.rint(angle * 0.63661977236758134308)
        r = (angle - quarters * _QUARTER) - quarters * _QUARTER_REST
        z = r * r
        s = ((((_S[0] * z + _S[1]) * z + _S[2]) * z + _S[3]) * z + _S[4]) * z + _S[5]
        c = ((((_C[0] * z + _C[1]) * z + _C[2]) * z + _C[3]) * z + _C[4]) * z + _C[5]
        s = r + r * z * s
        c = 1.0 - 0.5 * z + z * z * c
        turn = np.int64(quarters)
        value = c if turn & 1 else s
        sine[j] = -value if turn & 2 else value
        turn += 1
        value = c if turn & 1 else s
        cosine[j] = -value if turn & 2 else value
    if far > 0:
        for j in range(lanes):
            if not abs(a[j]) < _FAR:
                finite = abs(a[j]) < np.inf
                sine[j] = sin(a[j]) if finite else np.nan
                cosine[j] = cos(a[j]) if finite else np.nan


@entry
def _exponential(code: int, a: FloatArray, y: FloatArray, rows: Rows) -> None:
    """exp(a), or 1/(1 + exp(-a)), of a row; see `_waves`."""
    lanes = a.shape[0]
    sigmoid = code == op.SIGMOID
    part, bits, power = rows.part, rows.bits, rows.power
    far = 0
    for j in range(lanes):
        near = abs(a[j]) < _LARGE
        far += not near
        x = a[j] if near else 0.0
        x = -abs(x) if sigmoid else x
        n = np.rint(x * _LOG2_E)
        r = (x - n * _LOG_2) - n * _LOG_2_REST
        z = r * r
        p = r * ((_P[0] * z + _P[1]) * z + _P[2])
        q = ((_Q[0] * z + _Q[1]) * z + _Q[2]) * z + _Q[3]
        part[j] = 1.0 + 2.0 * p / (q - p)
        bits[j] = (np.int64(n) + 1023) << 52
    if sigmoid:
        for j in range(lanes):
            e = part[j] * power[j]
            y[j] = (1.0 if a[j] >= 0.0 else e) / (1.0 + e)
    else:
        for j in range(lanes):
            y[j] = part[j] * power[j]
    if far > 0:
        for j in range(lanes):
            if not abs(a[j]) < _LARGE:
                e = exp(-abs(a[j])) if sigmoid else (exp(a[j]) if a[j] < 709.78 else np.inf)
                y[j] = (1.0 if a[j] >= 0.0 else e) / (1.0 + e) if sigmoid else e


@leaf
def _arithmetic(kind: int, code: Any, v: FloatArray, begin: int, end: int, base: int) -> None:
    """Operations of one kind, from `begin` to before `end`."""
    lanes = v.shape[1]
    if kind == op.MUL:
        for i in range(begin, end):
            y, a, b = v[_unsigned(base + i)], v[_unsigned(code[i, 1])], v[_unsigned(code[i, 2])]
            for j in range(lanes):
                y[j] = a[j] * b[j]
    elif kind == op.ADD:
        for i in range(begin, end):
            y, a, b = v[_unsigned(base + i)], v[_unsigned(code[i, 1])], v[_unsigned(code[i, 2])]
            for j in range(lanes):
                y[j] = a[j] + b[j]
    elif kind == op.SUB:
        for i in range(begin, end):
            y, a, b = v[_unsigned(base + i)], v[_unsigned(code[i, 1])], v[_unsigned(code[i, 2])]
            for j in range(lanes):
                y[j] = a[j] - b[j]
    else:
        for i in range(begin, end):
            y, a, b = v[_unsigned(base + i)], v[_unsigned(code[i, 1])], v[_unsigned(code[i, 2])]
            for j in range(lanes):
                y[j] = a[j] / b[j]


@linked("lanes", types.void(TAPE, MATRIX, _ROWS, types.int64), _nrt=False)
def run_lanes(tape: TapeData, v: FloatArray, rows: Rows, start: int) -> None:
    """Evaluate all slots (slots, lanes); see `kernels.run_value`, whose operations these are."""
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    lanes = v.shape[1]
    table = row = count = 0
    i = start
    n = code.shape[0]
    while i < n:
        o = code[i, 0]
        if o <= op.DIV:
            end = max(code[i, 3], i + 1)
            _arithmetic(o, code, v, i, end, base)
            i = end
            continue
        y = v[_unsigned(base + i)]
        a = (
            v[_unsigned(code[i, 1])]
            if o < op.LOOP_BEGIN or o in (op.ACCUMULATE, op.UNKNOWN, op.UPDATE, op.ARGUMENT, op.CALL)
            else y
        )
        if o <= op.SIGN:
            if o == op.NEG:
                for j in range(lanes):
                    y[j] = -a[j]
            elif o == op.SIN or o == op.COS:
                # The cosine of the same, if it is wanted, comes next to the sine.
                if o == op.SIN and i + 1 < n and code[i + 1, 0] == op.COS and code[i + 1, 1] == code[i, 1]:
                    i += 1
                cosine = v[_unsigned(base + i)]
                _waves(a, y if o == op.SIN else rows.part, cosine if code[i, 0] == op.COS else rows.part)
            elif o == op.EXP or o == op.SIGMOID:
                _exponential(o, a, y, rows)
            elif o == op.POWER_INTEGER:
                for j in range(lanes):
                    y[j] = integer_power(a[j], code[i, 2])
            elif o == op.POWER_REAL:
                b = v[code[i, 2]]
                for j in range(lanes):
                    y[j] = a[j] ** b[j] if a[j] >= 0.0 else np.nan
            else:
                for j in range(lanes):
                    y[j] = unary_value(o, a[j])
        elif o <= op.SELECT_NONNEGATIVE:
            b = v[code[i, 2]]
            c = v[code[i, 3]]
            for j in range(lanes):
                if o == op.MINIMUM:
                    first = a[j] <= b[j]
                elif o == op.MAXIMUM:
                    first = a[j] >= b[j]
                else:
                    first = c[j] > 0.0 or (o == op.SELECT_NONNEGATIVE and c[j] == 0.0)
                y[j] = a[j] if first else b[j]
        elif o == op.LOOP_BEGIN:
            table = code[i, 1]
            row = 0
            k = i + 1
            while code[k, 0] != op.LOOP_END:
                if code[k, 0] == op.ACCUMULATE:
                    for j in range(lanes):
                        v[base + k, j] = 0.0
                k += 1
        elif o == op.NODE:
            number = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2] + code[i, 1] + 1]
            for j in range(lanes):
                y[j] = number
        elif o == op.ACCUMULATE:
            number = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2]]
            for j in range(lanes):
                y[j] += number * a[j]
        elif o == op.LOOP_END:
            if row + 1 < tape.layout[table, 1]:
                row += 1
                i = code[i, 1]
        elif o == op.SOLVE_BEGIN:
            # Which lanes are done; the row of SOLVE_END holds the size of the last step.
            count = 0
            for j in range(lanes):
                y[j] = 0.0
                v[base + code[i, 2], j] = np.inf
        elif o == op.UNKNOWN:
            for j in range(lanes):
                y[j] = a[j]
        elif o == op.UPDATE:
            b = v[code[i, 2]]
            for j in range(lanes):
                y[j] = a[j] - b[j]
        elif o == op.ARGUMENT:
            for j in range(lanes):
                y[j] = a[j]
        elif o == op.CALL:
            k = base + i
            call_python(
                a[0], VALUE, code[i, 2], code[i, 3], lanes, address(v, (k - code[i, 2]) * lanes),
                address(v, (k + 1) * lanes), 0, 0, 0, 0, 0, 0,
            )  # fmt: skip
            i += code[i, 3]
        else:  # SOLVE_END
            count += 1
            if _newton_lanes(tape, v, i, count):
                i = code[i, 1] + code[i, 2]
        i += 1


@entry
def _newton_lanes(tape: TapeData, v: FloatArray, end: int, count: int) -> bool:
    """Take the lanes that are not done a step of Newton's method on; whether any is left."""
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    begin = code[end, 1]
    unknowns = code[end, 2]
    again = False
    for j in range(v.shape[1]):
        if v[base + begin, j] != 0.0:
            continue
        size = scale = 0.0
        for k in range(end - unknowns, end):
            step = abs(v[code[k, 2], j])
            size = step if not step <= size else size
            scale = max(scale, abs(v[base + k, j]))
        verdict = newton_verdict(size, scale, v[base + end, j], count)
        v[base + end, j] = size
        v[base + begin, j] = 0.0 if verdict == 0 else 1.0
        again = again or verdict == 0
        # A lane that is done keeps its unknowns, so that what the others still need changes nothing for it.
        for k in range(unknowns):
            if verdict == 0:
                v[base + begin + 1 + k, j] = v[base + end - unknowns + k, j]
            elif verdict < 0:
                v[base + begin + 1 + k, j] = np.nan
                v[base + end - unknowns + k, j] = np.nan
    return again


@entry
def _stop(
    tape: TapeData, n: int, v: FloatArray, f: FloatArray, bound: float, step: int, looking: bool,
    alive: NDArray[np.bool_], first: int, exits: IntArray,
) -> int:  # fmt: skip
    """Take the lanes that are outside off the run; return how many. A look ahead asks for the domain only."""
    stopped = 0
    for j in range(alive.shape[0]):
        if not alive[j]:
            continue
        code = INSIDE
        for q in range(n, tape.outputs.shape[0]):
            if code == INSIDE and not v[tape.outputs[q], j] >= 0.0:
                code = LEFT_DOMAIN + q - n
        for i in range(n):
            if code == INSIDE and not looking and not abs(f[i, j]) <= bound:
                code = TOO_LARGE if abs(f[i, j]) <= np.inf else NOT_FINITE
        if code != INSIDE:
            alive[j] = False
            stopped += 1
            exits[first + j, 0] += step
            exits[first + j, 1] = code
    return stopped


@entry
def sweep(
    tape: TapeData, iterations: int, x: FloatArray, p: FloatArray, steps: int, bound: float, scratch: LaneScratch,
    low: FloatArray, high: FloatArray, ahead: FloatArray, exits: IntArray, record: FloatArray, stride: int,
) -> None:  # fmt: skip
    """Iterate a map from the rows of `x` (cells, n), in place, with the parameters in the rows of `p` (cells, m).

    The tape's outputs are the n next states and then the bounds of the domain, which are not negative inside. A cell
    stops at its first state outside, or at its last one that is finite and at most `bound` in size.

    Parameters
    ----------
    low, high : array (cells, n)
        Smallest and largest value of each state, the start and the end included.
    ahead : array (cells, n)
        The state after the last one.
    exits : int array (cells, 2)
        Steps taken, and INSIDE or why the cell stopped. A cell that has stopped before is left alone.
    record : array (cells, n, rows)
        Every `stride`-th state, the start first; columns beyond the end are left alone.
    """
    cells, n = x.shape
    m = p.shape[1]
    v, f, alive, box, outside = scratch.v, scratch.f, scratch.alive, scratch.box, scratch.rows.bits
    lanes = v.shape[1]
    bounds = tape.outputs.shape[0] - n
    kept = record.shape[2]
    for first in range(0, cells, lanes):
        count = min(lanes, cells - first)
        living = 0
        for j in range(lanes):
            # Lanes without a cell repeat the last one.
            cell = first + min(j, count - 1)
            alive[j] = j < count and exits[cell, 1] == INSIDE
            if alive[j]:
                living += 1
            for i in range(n):
                v[i, j] = x[cell, i]
                box[0, i, j] = x[cell, i]
                box[1, i, j] = x[cell, i]
            for i in range(m):
                v[n + i, j] = p[cell, i]
        start = ZERO
        due = ZERO
        k = ZERO
        while living > 0:
            if due < kept and k == due * stride:
                for j in range(count):
                    if alive[j]:
                        for i in range(n):
                            record[first + j, i, due] = v[i, j]
                due += 1
            if k == steps:
                for i in range(n):
                    for j in range(count):
                        x[first + j, i] = v[i, j]
            for iterate in range(iterations):
                run_lanes(tape, v, scratch.rows, start)
                start = tape.prefix
                for j in range(lanes):
                    outside[j] = ZERO
                for q in range(bounds):
                    y = v[tape.outputs[n + q]]
                    for j in range(lanes):
                        outside[j] += not y[j] >= 0.0
                for i in range(n):
                    y = v[tape.outputs[i]]
                    z = f[i]
                    for j in range(lanes):
                        z[j] = y[j]
                        outside[j] += not abs(y[j]) <= bound
                stopping = ZERO
                for j in range(lanes):
                    # Cells that have stopped stay where their next state is outside.
                    stopping += outside[j] if alive[j] else ZERO
                if stopping > 0:
                    living -= _stop(tape, n, v, f, bound, k, k == steps, alive, first, exits)
                step_taken = iterate == iterations - 1 and k < steps
                for i in range(n):
                    y = v[i]
                    z = f[i]
                    if living < count:
                        for j in range(lanes):
                            z[j] = z[j] if alive[j] else y[j]
                    if step_taken:
                        smallest = box[0, i]
                        largest = box[1, i]
                        for j in range(lanes):
                            state = z[j]
                            y[j] = state
                            smallest[j] = min(smallest[j], state)
                            largest[j] = max(largest[j], state)
                    else:
                        for j in range(lanes):
                            y[j] = z[j]
            if k == steps:
                break
            k += 1
        for j in range(count):
            cell = first + j
            if alive[j]:
                exits[cell, 0] += steps
            for i in range(n):
                ahead[cell, i] = v[i, j]
                low[cell, i] = box[0, i, j]
                high[cell, i] = box[1, i, j]
                if not alive[j]:
                    x[cell, i] = v[i, j]

"""Many orbits of a map at once: the tape's operations run over lanes of cells, each with its own state and parameters.

One pass of the interpreter serves all lanes, so that what it costs to read an operation is shared, and the arithmetic
between runs in vector registers. One orbit is a single lane.
"""

from math import cos, exp, sin
from typing import Any, Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import opcodes as op
from gan_bifurcation.kernels import FloatArray, TapeData, _integer_power, _unary_value
from gan_bifurcation.tape import Tape

IntArray = NDArray[np.int64]

_njit: Any = numba.njit
# For functions that allocate nothing: without reference counts, arrays as arguments cost nothing (three times faster,
# and sooner compiled).
leaf: Any = _njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
# Numba compiles a function once more for a literal 0 among its arguments; this is none.
ZERO: Any = np.int64(0)

INSIDE: Final = 0
NOT_FINITE: Final = 1
TOO_LARGE: Final = 2
LEFT_DOMAIN: Final = 3  # plus the number of the bound

# Slots of all lanes should stay in the first cache.
_CACHE_NUMBERS: Final = 4096


class LaneScratch(NamedTuple):
    """Work arrays of one thread."""

    v: FloatArray  # (slots, lanes), with the constants in place
    f: FloatArray  # (states, lanes)
    alive: NDArray[np.bool_]  # (lanes,)
    box: FloatArray  # (2, states, lanes)


def make_lane_scratch(tape: Tape, states: int, cells: int) -> LaneScratch:
    """Work arrays for `sweep` over this many cells or more."""
    lanes = int(min(max(8, _CACHE_NUMBERS // tape.slots // 8 * 8), 64, max(cells, 1)))
    v = np.zeros((tape.slots, lanes))
    first = len(tape.inputs)
    v[first : first + len(tape.constants)] = tape.constants[:, None]
    return LaneScratch(v, np.zeros((states, lanes)), np.zeros(lanes, dtype=np.bool_), np.zeros((2, states, lanes)))


@leaf
def run_lanes(tape: TapeData, v: FloatArray, start: int) -> None:
    """Evaluate all slots (slots, lanes); see `kernels.run_value`, whose operations these are."""
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    lanes = v.shape[1]
    table = row = 0
    i = start
    n = code.shape[0]
    while i < n:
        o = code[i, 0]
        y = v[base + i]
        a = v[code[i, 1]] if o < op.LOOP_BEGIN or o == op.ACCUMULATE else y
        if o <= op.DIV:
            b = v[code[i, 2]]
            if o == op.MUL:
                for j in range(lanes):
                    y[j] = a[j] * b[j]
            elif o == op.ADD:
                for j in range(lanes):
                    y[j] = a[j] + b[j]
            elif o == op.SUB:
                for j in range(lanes):
                    y[j] = a[j] - b[j]
            else:
                for j in range(lanes):
                    y[j] = a[j] / b[j]
        elif o <= op.SIGN:
            if o == op.NEG:
                for j in range(lanes):
                    y[j] = -a[j]
            elif o == op.SIN:
                for j in range(lanes):
                    y[j] = sin(a[j])
            elif o == op.COS:
                for j in range(lanes):
                    y[j] = cos(a[j])
            elif o == op.EXP:
                for j in range(lanes):
                    y[j] = exp(a[j])
            elif o == op.POWER_INTEGER:
                for j in range(lanes):
                    y[j] = _integer_power(a[j], code[i, 2])
            elif o == op.POWER_REAL:
                b = v[code[i, 2]]
                for j in range(lanes):
                    y[j] = a[j] ** b[j] if a[j] >= 0.0 else np.nan
            else:
                for j in range(lanes):
                    y[j] = _unary_value(o, a[j])
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
        elif row + 1 < tape.layout[table, 1]:  # LOOP_END
            row += 1
            i = code[i, 1]
        i += 1


@leaf
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


@leaf
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
    v, f, alive, box = scratch.v, scratch.f, scratch.alive, scratch.box
    lanes = v.shape[1]
    bounds = tape.outputs.shape[0] - n
    rows = record.shape[2]
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
            if due < rows and k == due * stride:
                for j in range(count):
                    if alive[j]:
                        for i in range(n):
                            record[first + j, i, due] = v[i, j]
                due += 1
            if k == steps:
                for i in range(n):
                    for j in range(count):
                        x[first + j, i] = v[i, j]
            for _ in range(iterations):
                run_lanes(tape, v, start)
                start = tape.prefix
                outside = 0
                for q in range(bounds):
                    y = v[tape.outputs[n + q]]
                    for j in range(lanes):
                        outside += not y[j] >= 0.0
                for i in range(n):
                    y = v[tape.outputs[i]]
                    z = f[i]
                    for j in range(lanes):
                        z[j] = y[j]
                        outside += not abs(y[j]) <= bound
                if outside > 0:
                    living -= _stop(tape, n, v, f, bound, k, k == steps, alive, first, exits)
                for i in range(n):
                    y = v[i]
                    z = f[i]
                    for j in range(lanes):
                        y[j] = z[j] if alive[j] else y[j]
            if k == steps:
                break
            k += 1
            for i in range(n):
                y = v[i]
                smallest = box[0, i]
                largest = box[1, i]
                for j in range(lanes):
                    smallest[j] = min(smallest[j], y[j])
                    largest[j] = max(largest[j], y[j])
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

"""The tape's operations over packs: a system's right-hand side and its Jacobian at eight points at once."""

from typing import Any

import numpy as np

from gan_bifurcation import opcodes as op
from gan_bifurcation.calls import JACOBIAN, VALUE, address, call_python
from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._packs import LANES, ZERO, apart, choose, inlined, load, spread, store
from gan_bifurcation.elementary import integer_power, unary_derivatives, unary_value
from gan_bifurcation.kernels import FloatArray, TapeData
from gan_bifurcation.lanes import _newton_lanes


@leaf
def _chain(g: FloatArray, row: int, source: int, count: int, slope: Any) -> None:
    """A row of derivatives is that of another slot times its slope."""
    apart()
    for c in range(0, count * LANES, LANES):
        store(g, row + c, slope * load(g, source + c))


@leaf
def _ask(tape: TapeData, v: FloatArray, g: FloatArray, box: FloatArray, i: int, m: int) -> None:
    """A call of Python, with derivatives one lane after the other; `box` holds the numbers of one lane."""
    apart()
    base = tape.n_inputs + tape.constants.shape[0]
    given, results = tape.code[i, 2], tape.code[i, 3]
    s = base + i
    if m == 0:
        call_python(
            v[tape.code[i, 1], 0], VALUE, given, results, LANES, address(v, (s - given) * LANES),
            address(v, (s + 1) * LANES), 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
        return
    count = given + 1 + results
    for lane in range(LANES):
        for k in range(count):
            slot = s - given + k
            box[k] = v[slot, lane]
            for c in range(m):
                box[count + k * m + c] = g[(slot * m + c) * LANES + lane]
        call_python(
            v[tape.code[i, 1], 0], JACOBIAN, given, results, m, address(box, 0), address(box, given + 1), 0, 0,
            address(box, count), address(box, count + (given + 1) * m), 0, 0,
        )  # fmt: skip
        for k in range(given + 1, count):
            slot = s - given + k
            v[slot, lane] = box[k]
            for c in range(m):
                g[(slot * m + c) * LANES + lane] = box[count + k * m + c]


@inlined
def run_packs(tape: TapeData, v: FloatArray, g: FloatArray, box: FloatArray, directions: int, asked: bool,
              start: int) -> None:  # fmt: skip
    """Evaluate all slots from an operation on, `v` (slots, LANES), and if `asked` their derivatives.

    The derivatives of a slot by its `directions` lie in `g` one after the other, (slots, directions, LANES) flattened;
    rows of inputs and constants hold what they are.
    """
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    width = directions * LANES
    table = row = count = 0
    solving = False
    i = start
    n = code.shape[0]
    while i < n:
        o = code[i, 0]
        s = base + i
        ia, ib = code[i, 1], code[i, 2]
        m = directions if asked and not solving else 0
        gs, ga, gb = s * width, ia * width, ib * width
        if o <= op.DIV:
            a, b = load(v, ia * LANES), load(v, ib * LANES)
            if o == op.MUL:
                store(v, s * LANES, a * b)
                for c in range(0, m * LANES, LANES):
                    store(g, gs + c, a * load(g, gb + c) + b * load(g, ga + c))
            elif o == op.ADD:
                store(v, s * LANES, a + b)
                for c in range(0, m * LANES, LANES):
                    store(g, gs + c, load(g, ga + c) + load(g, gb + c))
            elif o == op.SUB:
                store(v, s * LANES, a - b)
                for c in range(0, m * LANES, LANES):
                    store(g, gs + c, load(g, ga + c) - load(g, gb + c))
            else:
                quotient, inverse = a / b, 1.0 / b
                store(v, s * LANES, quotient)
                for c in range(0, m * LANES, LANES):
                    store(g, gs + c, (load(g, ga + c) - quotient * load(g, gb + c)) * inverse)
        elif o <= op.SIGN:
            for lane in range(LANES):
                x = v[ia, lane]
                if o == op.POWER_INTEGER:
                    y = integer_power(x, ib)
                    d = ib * integer_power(x, ib - 1)
                elif o == op.POWER_REAL:
                    power = v[ib, lane]
                    y = x**power if x >= 0.0 else np.nan
                    d = power * x ** (power - 1.0) if x >= 0.0 else np.nan
                else:
                    y = unary_value(o, x)
                    d = 0.0
                    if m > 0:
                        d, _ = unary_derivatives(o, x, y)
                v[s, lane] = y
                box[lane] = d
            _chain(g, gs, ga, m, load(box, ZERO))
        elif o <= op.SELECT_NONNEGATIVE:
            for lane in range(LANES):
                if o == op.MINIMUM:
                    first = v[ia, lane] <= v[ib, lane]
                elif o == op.MAXIMUM:
                    first = v[ia, lane] >= v[ib, lane]
                else:
                    x = v[code[i, 3], lane]
                    first = x > 0.0 or (o == op.SELECT_NONNEGATIVE and x == 0.0)
                v[s, lane] = v[ia, lane] if first else v[ib, lane]
                box[lane] = 1.0 if first else 0.0
            for c in range(0, m * LANES, LANES):
                store(g, gs + c, choose(load(box, ZERO), spread(0.5), load(g, ga + c), load(g, gb + c)))
        elif o == op.LOOP_BEGIN:
            table = ia
            row = 0
            k = i + 1
            while code[k, 0] != op.LOOP_END:
                if code[k, 0] == op.ACCUMULATE:
                    store(v, (base + k) * LANES, spread(0.0))
                    for c in range(0, m * LANES, LANES):
                        store(g, (base + k) * width + c, spread(0.0))
                k += 1
        elif o == op.NODE:
            number = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2] + ia + 1]
            store(v, s * LANES, spread(number))
        elif o == op.ACCUMULATE:
            weight = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2]]
            store(v, s * LANES, load(v, s * LANES) + weight * load(v, ia * LANES))
            for c in range(0, m * LANES, LANES):
                store(g, gs + c, load(g, gs + c) + weight * load(g, ga + c))
        elif o == op.LOOP_END:
            if row + 1 < tape.layout[table, 1]:
                row += 1
                i = ia
        elif o == op.SOLVE_BEGIN:
            # Values first; then one pass from unknowns that are held fixed at the roots, which gives the derivatives.
            solving = True
            count = 0
            for lane in range(LANES):
                v[s, lane] = 0.0
                v[base + ib, lane] = np.inf
        elif o == op.UNKNOWN or o == op.ARGUMENT:
            store(v, s * LANES, load(v, ia * LANES))
            _chain(g, gs, ga, m, spread(1.0))
        elif o == op.UPDATE:
            store(v, s * LANES, load(v, ia * LANES) - load(v, ib * LANES))
            for c in range(0, m * LANES, LANES):
                store(g, gs + c, load(g, ga + c) - load(g, gb + c))
        elif o == op.CALL:
            _ask(tape, v, g, box, i, m)
            i += code[i, 3]
        elif solving:  # SOLVE_END
            count += 1
            solving = _newton_lanes(tape, v, i, count)
            if solving or asked:
                if not solving:
                    for k in range(ib):
                        unknown = base + ia + 1 + k
                        store(v, unknown * LANES, load(v, (s - ib + k) * LANES))
                        for c in range(0, width, LANES):
                            store(g, unknown * width + c, spread(0.0))
                i = ia + ib
        i += 1

"""Second derivatives from the results backwards: one pass gives those of a sum in one direction and all inputs.

What comes forward is the value and a directional derivative of each slot (the interpreter of Jacobians with few
directions). Backwards go the derivatives of a sum of weights times directional derivatives of the outputs: by each
slot's value and by its directional derivative. It costs a few evaluations, however many inputs there are; several
sums, each with a direction of its own, cost little more than one.
"""

import numpy as np

from gan_bifurcation import opcodes as op
from gan_bifurcation.calls import ADJOINT, address, call_python
from gan_bifurcation.compiling import leaf
from gan_bifurcation.elementary import integer_power, unary_derivatives
from gan_bifurcation.kernels import MATRIX, TAPE, VECTOR, FloatArray, TapeData, run_jacobian, types
from gan_bifurcation.linking import linked


@leaf
def _again(tape: TapeData, v: FloatArray, g: FloatArray, begin: int, end: int, row: int) -> None:
    """Values and directional derivatives inside a loop at one row of its table."""
    table = tape.code[begin, 1]
    columns = tape.layout[table, 2]
    # From this row on, it is the first one of the first table.
    shifted = TapeData(
        tape.n_inputs, tape.code, tape.constants, tape.outputs, tape.tables[row * columns :], tape.layout[table:],
        tape.prefix,
    )  # fmt: skip
    run_jacobian(shifted, v, g, begin + 1, end)


@linked("adjoint", types.void(TAPE, VECTOR, MATRIX, MATRIX, MATRIX), _nrt=False)
def run_adjoint(tape: TapeData, v: FloatArray, g: FloatArray, by_value: FloatArray, by_slope: FloatArray) -> None:
    """Take derivatives by the values and the directional derivatives of the outputs back to those of the inputs.

    Parameters
    ----------
    v, g : array (slots,), (slots, sums)
        As `run_jacobian` left them. Inside loops and blocks of roots they are worked on.
    by_value, by_slope : array (slots, sums)
        Derivatives of numbers by each slot's value and directional derivative: those of the outputs and inputs, zeros
        elsewhere. Only those of the inputs are left.
    """
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    sums = g.shape[1]
    table = row = last = 0
    # Newton's method doubles the order of what is right: two steps of it are taken back, first the later one.
    later = False
    i = code.shape[0] - 1
    while i >= 0:
        o = code[i, 0]
        s = base + i
        ia = code[i, 1]
        ib = code[i, 2]
        if o <= op.DIV:
            a = v[ia]
            b = v[ib]
            r = 1.0 / b
            for j in range(sums):
                y = by_value[s, j]
                t = by_slope[s, j]
                by_value[s, j] = by_slope[s, j] = 0.0
                if o == op.MUL:
                    da = g[ia, j]
                    by_value[ia, j] += y * b + t * g[ib, j]
                    by_slope[ia, j] += t * b
                    by_value[ib, j] += y * a + t * da
                    by_slope[ib, j] += t * a
                elif o == op.DIV:
                    db = g[ib, j]
                    by_value[ia, j] += (y - t * db * r) * r
                    by_slope[ia, j] += t * r
                    by_value[ib, j] += (t * (v[s] * db * r - g[s, j]) - y * v[s]) * r
                    by_slope[ib, j] -= t * v[s] * r
                else:
                    by_value[ia, j] += y
                    by_slope[ia, j] += t
                    by_value[ib, j] += y if o == op.ADD else -y
                    by_slope[ib, j] += t if o == op.ADD else -t
        elif o <= op.SIGN:
            x = v[ia]
            if o == op.POWER_INTEGER:
                first = ib * integer_power(x, ib - 1)
                second = ib * (ib - 1) * integer_power(x, ib - 2)
            elif o == op.POWER_REAL:
                c = v[ib]
                first = c * x ** (c - 1.0) if x >= 0.0 else np.nan
                second = c * (c - 1.0) * x ** (c - 2.0) if x >= 0.0 else np.nan
            else:
                first, second = unary_derivatives(o, x, v[s])
            for j in range(sums):
                y = by_value[s, j]
                t = by_slope[s, j]
                by_value[s, j] = by_slope[s, j] = 0.0
                # What no sum depends on may have no derivative.
                if y != 0.0 or t != 0.0:
                    by_value[ia, j] += y * first + t * second * g[ia, j]
                    by_slope[ia, j] += t * first
        elif o <= op.SELECT_NONNEGATIVE or o == op.ARGUMENT:
            source = ia
            if o == op.MINIMUM:
                source = ia if v[ia] <= v[ib] else ib
            elif o == op.MAXIMUM:
                source = ia if v[ia] >= v[ib] else ib
            elif o == op.SELECT_POSITIVE:
                source = ia if v[code[i, 3]] > 0.0 else ib
            elif o == op.SELECT_NONNEGATIVE:
                source = ia if v[code[i, 3]] >= 0.0 else ib
            for j in range(sums):
                by_value[source, j] += by_value[s, j]
                by_slope[source, j] += by_slope[s, j]
                by_value[s, j] = by_slope[s, j] = 0.0
        elif o == op.LOOP_END:
            table = code[ia, 1]
            row = tape.layout[table, 1] - 1
            last = i
            _again(tape, v, g, ia, last, row)
        elif o == op.ACCUMULATE:
            weight = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2]]
            for j in range(sums):
                by_value[ia, j] += weight * by_value[s, j]
                by_slope[ia, j] += weight * by_slope[s, j]
                if row == 0:
                    by_value[s, j] = by_slope[s, j] = 0.0
        elif o == op.NODE:
            for j in range(sums):
                by_value[s, j] = by_slope[s, j] = 0.0
        elif o == op.LOOP_BEGIN:
            if row > 0:
                row -= 1
                _again(tape, v, g, i, last, row)
                i = last
        elif o == op.SOLVE_END:
            later = True
            for k in range(ib):
                to = base + ia + 1 + k
                v[to] = v[s - ib + k]
                for j in range(sums):
                    g[to, j] = g[s - ib + k, j]
            run_jacobian(tape, v, g, ia + 1 + ib, i)
        elif o == op.UPDATE:
            for j in range(sums):
                by_value[ia, j] += by_value[s, j]
                by_slope[ia, j] += by_slope[s, j]
                by_value[ib, j] -= by_value[s, j]
                by_slope[ib, j] -= by_slope[s, j]
                by_value[s, j] = by_slope[s, j] = 0.0
        elif o == op.SOLVE_BEGIN:
            for k in range(ia):
                to = base + ib - ia + k
                source = s + 1 + k
                for j in range(sums):
                    if later:
                        # The unknowns of the later step are the results of the first, whose unknowns are held fixed.
                        by_value[to, j] = by_value[source, j]
                        by_slope[to, j] = by_slope[source, j]
                        g[source, j] = 0.0
                    by_value[source, j] = by_slope[source, j] = 0.0
            if later:
                run_jacobian(tape, v, g, i + 1 + ia, ib)
                i = ib
            later = False
        elif o == op.CALL:
            k = s - ib
            call_python(
                v[ia], ADJOINT, ib, code[i, 3], sums, address(v, k), address(v, s + 1), address(g, k * sums), 0,
                address(by_value, k * sums), address(by_value, (s + 1) * sums), address(by_slope, k * sums),
                address(by_slope, (s + 1) * sums),
            )  # fmt: skip
        i -= 1

"""Taylor jets over the tape: all derivatives along a curve, exactly, by the recurrences of the elementary functions.

A jet is a row of Taylor coefficients c[0..K] of t -> c[0] + c[1] t + ... The base point c[0] is real; the higher
coefficients may be complex, so that forms in a complex eigenvector come without polarisation. Composition is
evaluation: the jet of an iterate is the tape run again on the jet that came out.

References
----------
Griewank, Walther: Evaluating Derivatives, 2nd ed. (2008), table 13.2 (recurrences).
"""

from math import acos, asin, atan, erf, erfc
from typing import Any

import numpy as np

from gan_bifurcation import opcodes as op
from gan_bifurcation.calls import JET, address, call_python
from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.elementary import TWO_OVER_SQRT_PI, sigmoid, softplus, unary_value
from gan_bifurcation.kernels import (
    COMPLEX_MATRIX,
    COMPLEX_VECTOR,
    MATRIX,
    TAPE,
    VECTOR,
    TapeData,
    newton_verdict,
    types,
)
from gan_bifurcation.linking import linked

Jets = Any  # float64 or complex128 array (slots, order + 1); the code is compiled for both


# Slices and whole-array assignments bring the messages of broadcasting with them: seconds of compilation.
@leaf
def _copy(source: Jets, out: Jets) -> None:
    for k in range(out.shape[0]):
        out[k] = source[k]


@leaf
def _constant(value: float, out: Jets) -> None:
    for k in range(out.shape[0]):
        out[k] = 0.0
    out[0] = value


@leaf
def _multiply(a: Jets, b: Jets, out: Jets) -> None:
    for k in range(out.shape[0] - 1, -1, -1):
        total = a[0] * b[k]
        for j in range(1, k + 1):
            total += a[j] * b[k - j]
        out[k] = total


@leaf
def _divide(a: Jets, b: Jets, out: Jets) -> None:
    for k in range(out.shape[0]):
        total = a[k]
        for j in range(1, k + 1):
            total -= b[j] * out[k - j]
        out[k] = total / b[0]


@leaf
def _integrate(x: Jets, u: Jets, out: Jets, k: int) -> None:
    """Coefficient k of y, where y' = u(t) x'(t)."""
    total = k * x[k] * u[0]
    for j in range(1, k):
        total += j * x[j] * u[k - j]
    out[k] = total / k


@leaf
def _sqrt(x: Jets, out: Jets) -> None:
    out[0] = np.sqrt(x[0])
    for k in range(1, out.shape[0]):
        total = x[k]
        for j in range(1, k):
            total -= out[j] * out[k - j]
        out[k] = total / (2.0 * out[0])


@leaf
def _exp(x: Jets, out: Jets) -> None:
    out[0] = np.exp(x[0])
    for k in range(1, out.shape[0]):
        _integrate(x, out, out, k)


@leaf
def _pair(code: int, x: Jets, out: Jets, other: Jets) -> None:
    """sin/cos and sinh/cosh together: each is the other's derivative, up to sign."""
    x0 = x[0].real
    if code == op.SIN or code == op.COS:
        out[0] = np.sin(x0)
        other[0] = np.cos(x0)
        sign = -1.0
    else:
        out[0] = np.sinh(x0)
        other[0] = np.cosh(x0)
        sign = 1.0
    for k in range(1, out.shape[0]):
        _integrate(x, other, out, k)
        _integrate(x, out, other, k)
        other[k] = sign * other[k]
    if code == op.COS or code == op.COSH:
        _copy(other, out)


@leaf
def _unary_jet(code: int, x: Jets, out: Jets, u: Jets, w: Jets) -> None:
    n = out.shape[0]
    x0 = x[0].real
    if code == op.NEG:
        for k in range(n):
            out[k] = -x[k]
    elif code == op.SQRT:
        _sqrt(x, out)
    elif code == op.EXP:
        _exp(x, out)
    elif code == op.LOG:
        out[0] = unary_value(op.LOG, x0)
        for k in range(1, n):
            total = k * x[k]
            for j in range(1, k):
                total -= j * out[j] * x[k - j]
            out[k] = total / (k * x[0])
    elif code == op.SIN or code == op.COS or code == op.SINH or code == op.COSH:
        _pair(code, x, out, u)
    elif code == op.TAN or code == op.TANH:
        sign = 1.0 if code == op.TAN else -1.0
        out[0] = unary_value(code, x0)
        for k in range(1, n):
            square = out[0] * out[k - 1]
            for j in range(1, k):
                square += out[j] * out[k - 1 - j]
            u[k - 1] = sign * square
            if k == 1:
                u[0] += 1.0
            _integrate(x, u, out, k)
    elif code == op.ASIN or code == op.ACOS or code == op.ATAN:
        _multiply(x, x, u)
        if code == op.ATAN:
            u[0] += 1.0
            _copy(u, w)
            out[0] = atan(x0)
            sign = 1.0
        else:
            for k in range(n):
                u[k] = -u[k]
            u[0] += 1.0
            _sqrt(u, w)
            sign = 1.0 if code == op.ASIN else -1.0
            out[0] = asin(x0) if code == op.ASIN else acos(x0)
        _constant(sign, u)
        _divide(u, w, u)
        for k in range(1, n):
            _integrate(x, u, out, k)
    elif code == op.ERF or code == op.ERFC:
        sign = 1.0 if code == op.ERF else -1.0
        _multiply(x, x, u)
        for k in range(n):
            u[k] = -u[k]
        _exp(u, w)
        for k in range(n):
            w[k] = sign * TWO_OVER_SQRT_PI * w[k]
        out[0] = erf(x0) if code == op.ERF else erfc(x0)
        for k in range(1, n):
            _integrate(x, w, out, k)
    elif code == op.SIGMOID or code == op.LOG_SIGMOID or code == op.SOFTPLUS:
        # u = sigmoid(x), w = sigmoid(-x), carried together: 1 - u would cancel where u is near one.
        u[0] = sigmoid(x0)
        w[0] = sigmoid(-x0)
        for k in range(1, n):
            total = 0.0 * x[k]
            for j in range(1, k + 1):
                product = u[0] * w[k - j]
                for i in range(1, k - j + 1):
                    product += u[i] * w[k - j - i]
                total += j * x[j] * product
            u[k] = total / k
            w[k] = -total / k
        if code == op.SIGMOID:
            _copy(u, out)
        elif code == op.LOG_SIGMOID:
            out[0] = -softplus(-x0)
            for k in range(1, n):
                _integrate(x, w, out, k)
        else:
            out[0] = softplus(x0)
            for k in range(1, n):
                _integrate(x, u, out, k)
    elif code == op.ABS:
        sign = 1.0 if x0 > 0.0 else (-1.0 if x0 < 0.0 else 0.0)
        for k in range(n):
            out[k] = sign * x[k]
    else:  # SIGN
        _constant(unary_value(op.SIGN, x0), out)


@leaf
def _power_integer(x: Jets, exponent: int, out: Jets, u: Jets, w: Jets) -> None:
    _constant(1.0, out)
    _copy(x, u)
    k = abs(exponent)
    while k > 0:
        if k & 1:
            _multiply(out, u, w)
            _copy(w, out)
        k >>= 1
        if k > 0:
            _multiply(u, u, w)
            _copy(w, u)
    if exponent < 0:
        _constant(1.0, u)
        _copy(out, w)
        _divide(u, w, out)


# Without memory management: counting references to the rows of `s` would take longer than the arithmetic.
@linked(
    "operations of a jet",
    types.void(TAPE, MATRIX, VECTOR, VECTOR),
    types.void(TAPE, COMPLEX_MATRIX, COMPLEX_VECTOR, COMPLEX_VECTOR),
    _nrt=False,
)
def _run(tape: TapeData, s: Jets, u: Jets, w: Jets) -> None:
    """The work of `run_jet`; `u` and `w` (order + 1,) are memory for its own use."""
    base = tape.n_inputs + tape.constants.shape[0]
    code = tape.code
    order = s.shape[1]
    table = row = count = passes = 0
    previous = np.inf
    i = 0
    while i < code.shape[0]:
        o = code[i, 0]
        y = s[base + i]
        a = (
            s[code[i, 1]]
            if o < op.LOOP_BEGIN or o in (op.ACCUMULATE, op.UNKNOWN, op.UPDATE, op.ARGUMENT, op.CALL)
            else s[0]
        )
        if o <= op.DIV:
            b = s[code[i, 2]]
            if o == op.MUL:
                if tape.n_inputs <= code[i, 1] < base:
                    for k in range(order):
                        y[k] = a[0] * b[k]
                elif tape.n_inputs <= code[i, 2] < base:
                    for k in range(order):
                        y[k] = b[0] * a[k]
                else:
                    _multiply(a, b, y)
            elif o == op.ADD:
                for k in range(order):
                    y[k] = a[k] + b[k]
            elif o == op.SUB:
                for k in range(order):
                    y[k] = a[k] - b[k]
            else:
                _divide(a, b, y)
        elif o == op.POWER_INTEGER:
            _power_integer(a, code[i, 2], y, u, w)
        elif o == op.POWER_REAL:
            c = s[code[i, 2], 0].real
            y[0] = a[0].real ** c
            for k in range(1, order):
                total = 0.0 * a[0]
                for j in range(1, k + 1):
                    total += (c * j - (k - j)) * a[j] * y[k - j]
                y[k] = total / (k * a[0])
        elif o <= op.SIGN:
            _unary_jet(o, a, y, u, w)
        elif o <= op.SELECT_NONNEGATIVE:
            b = s[code[i, 2]]
            if o == op.MINIMUM:
                first = a[0].real <= b[0].real
            elif o == op.MAXIMUM:
                first = a[0].real >= b[0].real
            elif o == op.SELECT_POSITIVE:
                first = s[code[i, 3], 0].real > 0.0
            else:
                first = s[code[i, 3], 0].real >= 0.0
            _copy(a if first else b, y)
        elif o == op.LOOP_BEGIN:
            table = code[i, 1]
            row = 0
            j = i + 1
            while code[j, 0] != op.LOOP_END:
                if code[j, 0] == op.ACCUMULATE:
                    _constant(0.0, s[base + j])
                j += 1
        elif o == op.NODE:
            _constant(0.0, y)
            y[0] = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2] + code[i, 1] + 1]
        elif o == op.ACCUMULATE:
            weight = tape.tables[tape.layout[table, 0] + row * tape.layout[table, 2]]
            for k in range(order):
                y[k] += weight * a[k]
        elif o == op.LOOP_END:
            if row + 1 < tape.layout[table, 1]:
                row += 1
                i = code[i, 1]
        elif o == op.SOLVE_BEGIN:
            count = 0
            passes = 0
            previous = np.inf
        elif o == op.UNKNOWN:
            _constant(0.0, y)
            y[0] = a[0]
        elif o == op.UPDATE:
            b = s[code[i, 2]]
            for k in range(order):
                y[k] = a[k] - b[k]
        elif o == op.ARGUMENT:
            _copy(a, y)
        elif o == op.CALL:
            k = base + i
            call_python(
                a[0].real, JET, code[i, 2], code[i, 3], order, address(s, (k - code[i, 2]) * order),
                address(s, (k + 1) * order), s.itemsize, 0, 0, 0, 0, 0,
            )  # fmt: skip
            i += code[i, 3]
        else:  # SOLVE_END
            # Once the base point is a root, each further step of Newton's method doubles the number of coefficients
            # that are right.
            unknowns = code[i, 2]
            if passes == 0:
                size = scale = 0.0
                for k in range(i - unknowns, i):
                    step = abs(s[code[k, 2], 0].real)
                    size = step if not step <= size else size
                    scale = max(scale, abs(s[base + k, 0].real))
                count += 1
                verdict = newton_verdict(size, scale, previous, count)
                previous = size
                if verdict < 0:
                    for k in range(i - unknowns, i):
                        for j in range(order):
                            s[base + k, j] = np.nan
                passes = 1 if verdict == 1 else 0
            else:
                passes *= 2
                verdict = 1
            if verdict >= 0 and passes < order:
                for k in range(unknowns):
                    _copy(s[base + i - unknowns + k], s[base + code[i, 1] + 1 + k])
                i = code[i, 1] + unknowns
        i += 1


@linked("jet", types.void(TAPE, MATRIX), types.void(TAPE, COMPLEX_MATRIX))
def run_jet(tape: TapeData, s: Jets) -> None:
    """Taylor coefficients of all slots; `s` (slots, order + 1) holds the inputs' jets and the constants."""
    _run(tape, s, np.zeros_like(s[0]), np.zeros_like(s[0]))


@jit
def jets_of(tape: TapeData, s: Jets) -> None:
    """`run_jet` for callers in Python."""
    run_jet(tape, s)

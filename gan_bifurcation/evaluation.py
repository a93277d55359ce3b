"""Right-hand sides of a system in compiled code: value, Jacobian and second derivative, for the k-th iterate as well.

All functions work in the joint space z = (states, parameters) of dimension n + m; derivatives are taken in that
space. An `Evaluator` holds a tape with its scratch arrays behind one pointer: compiled functions that took the arrays
one by one were ten times slower to compile.
"""

from typing import Any, Final

import numba
import numba.experimental.structref
import numpy as np

from gan_bifurcation.compiling import jit
from gan_bifurcation.kernels import (
    MATRIX,
    TAPE,
    VECTOR,
    FloatArray,
    TapeData,
    load_constants,
    n_slots,
    run_jacobian,
    run_second,
    run_value,
    types,
)

# Numba's types are partly declared, partly made at run time.
structref: Any = numba.experimental.structref


@structref.register
class _EvaluatorType(types.StructRef):  # type: ignore[misc]
    """Type of `Evaluator` in compiled code."""


class Evaluator(structref.StructRefProxy):  # type: ignore[misc]
    """A tape and its scratch arrays, for one thread; made by `make_evaluator`."""


structref.define_boxing(_EvaluatorType, Evaluator)

EVALUATOR: Final[Any] = _EvaluatorType(
    [
        ("tape", TAPE),
        ("iterations", types.int64),
        ("n", types.int64),
        ("v", VECTOR),  # (slots,)
        ("d", VECTOR),  # (slots,)
        ("g", MATRIX),  # (slots, n + m)
        ("h", MATRIX),  # (slots, n + m), or (1, 1) where second derivatives are never asked for
        ("u", VECTOR),  # (n + m,): the running direction of an iterate
        ("j1", MATRIX),  # (n, n + m)
        ("h1", MATRIX),  # (n, n + m)
    ]
)


@jit
def make_evaluator(tape: TapeData, iterations: int, n: int, derivatives: int) -> Any:
    """An evaluator of a system of n states; `derivatives` is the highest order that will be asked for (0, 1, 2)."""
    slots = n_slots(tape)
    nm = tape.n_inputs
    e: Any = structref.new(EVALUATOR)
    e.tape = tape
    e.iterations = iterations
    e.n = n
    e.v = np.zeros(slots)
    e.d = np.zeros(slots)
    e.g = np.zeros((slots if derivatives > 0 else 1, nm))
    e.h = np.zeros((slots if derivatives > 1 else 1, nm))
    e.u = np.zeros(nm)
    e.j1 = np.zeros((n, nm))
    e.h1 = np.zeros((n, nm))
    load_constants(tape, e.v)
    if derivatives > 0:
        for i in range(nm):
            e.g[i, i] = 1.0
    return e


@jit
def value(e: Any, z: FloatArray, f: FloatArray) -> None:
    """f(z) -> `f` (n,)."""
    v = e.v
    for i in range(z.shape[0]):
        v[i] = z[i]
    for k in range(e.iterations):
        run_value(e.tape, v, 0 if k == 0 else e.tape.prefix)
        for i in range(e.n):
            f[i] = v[e.tape.outputs[i]]
        for i in range(e.n):
            v[i] = f[i]


@jit
def jacobian(e: Any, z: FloatArray, f: FloatArray, j: FloatArray) -> None:
    """f(z) -> `f` (n,), Df(z) -> `j` (n, n + m)."""
    v, g, n, j1, outputs = e.v, e.g, e.n, e.j1, e.tape.outputs
    nm = z.shape[0]
    for i in range(nm):
        v[i] = z[i]
    for iteration in range(e.iterations):
        run_jacobian(e.tape, v, g)
        if iteration == 0:
            for i in range(n):
                for c in range(nm):
                    j[i, c] = g[outputs[i], c]
        else:
            for i in range(n):
                for c in range(nm):
                    j1[i, c] = j[i, c]
            for i in range(n):
                out = outputs[i]
                for c in range(nm):
                    total = g[out, c] if c >= n else 0.0
                    for r in range(n):
                        total += g[out, r] * j1[r, c]
                    j[i, c] = total
        for i in range(n):
            f[i] = v[outputs[i]]
        for i in range(n):
            v[i] = f[i]


@jit
def second(e: Any, z: FloatArray, direction: FloatArray, f: FloatArray, j: FloatArray, h: FloatArray) -> None:
    """f, Df and D2f(direction, e_c) -> `h` (n, n + m), for a direction (n + m,) of the joint space."""
    v, d, g, hh, n, u, j1, h1, outputs = e.v, e.d, e.g, e.h, e.n, e.u, e.j1, e.h1, e.tape.outputs
    nm = z.shape[0]
    for i in range(nm):
        v[i] = z[i]
        u[i] = direction[i]
    for iteration in range(e.iterations):
        for i in range(nm):
            d[i] = u[i]
        run_second(e.tape, v, d, g, hh)
        if iteration == 0:
            for i in range(n):
                for c in range(nm):
                    j[i, c] = g[outputs[i], c]
                    h[i, c] = hh[outputs[i], c]
        else:
            for i in range(n):
                for c in range(nm):
                    j1[i, c] = j[i, c]
                    h1[i, c] = h[i, c]
            for i in range(n):
                out = outputs[i]
                for c in range(nm):
                    first = g[out, c] if c >= n else 0.0
                    curvature = hh[out, c] if c >= n else 0.0
                    for r in range(n):
                        first += g[out, r] * j1[r, c]
                        curvature += hh[out, r] * j1[r, c] + g[out, r] * h1[r, c]
                    j[i, c] = first
                    h[i, c] = curvature
        for i in range(n):
            f[i] = v[outputs[i]]
            u[i] = d[outputs[i]]
        for i in range(n):
            v[i] = f[i]

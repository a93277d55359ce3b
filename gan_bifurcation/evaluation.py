"""Right-hand sides of a system in compiled code: value, Jacobian and second derivative, for the k-th iterate as well.

All functions work in the joint space z = (states, parameters) of dimension n + m; derivatives are taken in that
space. An `Evaluator` holds a tape with its scratch arrays behind one pointer: compiled functions that took the arrays
one by one were ten times slower to compile.
"""

from typing import Any, Final

import numba
import numba.experimental.structref
import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.adjoint import run_adjoint
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
        run_jacobian(e.tape, v, g, 0, e.tape.code.shape[0])
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


@jit
def add_curvatures(
    e: Any, z: FloatArray, directions: FloatArray, weights: FloatArray, rows: NDArray[np.int64], count: int,
    sums: FloatArray,
) -> None:  # fmt: skip
    """sums[rows[k]] (n + m,) += weights[k] (n,) times D2f(directions[k], e_c), for `count` directions (n,) of states.

    All together cost a few evaluations, however many states there are.
    """
    v, n, outputs, nm = e.v, e.n, e.tape.outputs, z.shape[0]
    g = np.zeros((v.shape[0], count))
    by_value, by_slope = np.zeros(g.shape), np.zeros(g.shape)
    # States and directions that an iterate passes through; at last what the sums depend on by these.
    path = np.zeros((e.iterations + 1, n, 1 + count))
    end = np.zeros((2, n, count))
    for i in range(nm):
        v[i] = z[i]
    for i in range(n):
        path[0, i, 0] = z[i]
        for k in range(count):
            path[0, i, 1 + k] = directions[k, i]
            end[1, i, k] = weights[k, i]
    for step in range(2 * e.iterations - 1):
        iteration = min(step, 2 * e.iterations - 2 - step)
        for i in range(n):
            v[i] = path[iteration, i, 0]
            for k in range(count):
                g[i, k] = path[iteration, i, 1 + k]
        run_jacobian(e.tape, v, g, 0, e.tape.code.shape[0])
        if step + 1 < e.iterations:
            for i in range(n):
                path[step + 1, i, 0] = v[outputs[i]]
                for k in range(count):
                    path[step + 1, i, 1 + k] = g[outputs[i], k]
            continue
        for i in range(n):
            for k in range(count):
                by_value[outputs[i], k] += end[0, i, k]
                by_slope[outputs[i], k] += end[1, i, k]
        run_adjoint(e.tape, v, g, by_value, by_slope)
        for i in range(nm):
            for k in range(count):
                if i < n:
                    end[0, i, k], end[1, i, k] = by_value[i, k], by_slope[i, k]
                if i >= n or iteration == 0:
                    sums[rows[k], i] += by_value[i, k]
                by_value[i, k] = by_slope[i, k] = 0.0

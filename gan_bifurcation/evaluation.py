"""Right-hand sides of a system in compiled code: value, Jacobian and second derivative, for the k-th iterate as well.

All functions work in the joint space z = (states, parameters) of dimension n + m; derivatives are taken in that space.
"""

from typing import NamedTuple

import numpy as np

from gan_bifurcation.kernels import (
    FloatArray,
    TapeData,
    jit,
    load_constants,
    n_slots,
    run_jacobian,
    run_second,
    run_value,
)


class Work(NamedTuple):
    """Scratch arrays for one tape and one thread."""

    v: FloatArray  # (slots,)
    d: FloatArray  # (slots,)
    g: FloatArray  # (slots, n + m)
    h: FloatArray  # (slots, n + m), or (1, 1) where second derivatives are never asked for
    y: FloatArray  # (n + m,): the running point of an iterate
    u: FloatArray  # (n + m,): the running direction
    j1: FloatArray  # (n, n + m)
    h1: FloatArray  # (n, n + m)


@jit
def make_work(tape: TapeData, n: int, second: bool) -> Work:
    slots = n_slots(tape)
    nm = tape.n_inputs
    v = np.zeros(slots)
    load_constants(tape, v)
    g = np.zeros((slots, nm))
    for i in range(nm):
        g[i, i] = 1.0
    h = np.zeros((slots, nm)) if second else np.zeros((1, 1))
    return Work(v, np.zeros(slots), g, h, np.zeros(nm), np.zeros(nm), np.zeros((n, nm)), np.zeros((n, nm)))


@jit
def value(tape: TapeData, iterations: int, n: int, z: FloatArray, work: Work, f: FloatArray) -> None:
    """f(z) -> `f` (n,)."""
    v = work.v
    v[: z.shape[0]] = z
    for k in range(iterations):
        run_value(tape, v, 0 if k == 0 else tape.prefix)
        for i in range(n):
            f[i] = v[tape.outputs[i]]
        if k + 1 < iterations:
            v[:n] = f


@jit
def jacobian(tape: TapeData, iterations: int, n: int, z: FloatArray, work: Work, f: FloatArray, j: FloatArray) -> None:
    """f(z) -> `f` (n,), Df(z) -> `j` (n, n + m)."""
    v, g = work.v, work.g
    nm = z.shape[0]
    v[:nm] = z
    run_jacobian(tape, v, g)
    for i in range(n):
        f[i] = v[tape.outputs[i]]
        j[i] = g[tape.outputs[i]]
    for _ in range(1, iterations):
        v[:n] = f
        run_jacobian(tape, v, g)
        work.j1[:] = j
        for i in range(n):
            out = tape.outputs[i]
            f[i] = v[out]
            for c in range(nm):
                total = g[out, c] if c >= n else 0.0
                for r in range(n):
                    total += g[out, r] * work.j1[r, c]
                j[i, c] = total


@jit
def second(
    tape: TapeData, iterations: int, n: int, z: FloatArray, direction: FloatArray, work: Work,
    f: FloatArray, j: FloatArray, h: FloatArray,
) -> None:  # fmt: skip
    """f, Df and D2f(direction, e_c) -> `h` (n, n + m), for a direction (n + m,) of the joint space."""
    v, d, g, hh = work.v, work.d, work.g, work.h
    nm = z.shape[0]
    v[:nm] = z
    d[:nm] = direction
    run_second(tape, v, d, g, hh)
    work.u[:] = direction
    for i in range(n):
        out = tape.outputs[i]
        f[i] = v[out]
        work.u[i] = d[out]
        j[i] = g[out]
        h[i] = hh[out]
    for _ in range(1, iterations):
        v[:n] = f
        d[:nm] = work.u
        run_second(tape, v, d, g, hh)
        work.j1[:] = j
        work.h1[:] = h
        for i in range(n):
            out = tape.outputs[i]
            f[i] = v[out]
            work.u[i] = d[out]
            for c in range(nm):
                first = g[out, c] if c >= n else 0.0
                curvature = hh[out, c] if c >= n else 0.0
                for r in range(n):
                    first += g[out, r] * work.j1[r, c]
                    curvature += hh[out, r] * work.j1[r, c] + g[out, r] * work.h1[r, c]
                j[i, c] = first
                h[i, c] = curvature


@jit
def iterate_orbit(
    tape: TapeData, iterations: int, n: int, z: FloatArray, steps: int, bound: float, orbit: FloatArray
) -> int:
    """Write x_0, x_1, ... into `orbit` (steps + 1, n); return how many are finite and below `bound` in size."""
    work = make_work(tape, n, False)
    v = work.v
    v[: z.shape[0]] = z
    orbit[0] = z[:n]
    f = np.zeros(n)
    started = False
    for s in range(steps):
        for _ in range(iterations):
            run_value(tape, v, tape.prefix if started else 0)
            started = True
            for i in range(n):
                f[i] = v[tape.outputs[i]]
            v[:n] = f
        orbit[s + 1] = f
        for i in range(n):
            if not abs(f[i]) < bound:
                return s + 1
    return steps + 1

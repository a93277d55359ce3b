"""More borders of a collocation system in compiled code: those of conditions on a cycle, and their derivatives."""

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_factors import forward, last_system, reduce_row
from gan_bifurcation.continuation._cycle_memory import (
    Layout,
)
from gan_bifurcation.continuation._cycle_system import border_row, gather
from gan_bifurcation.continuation._packs import LANES, ONE, apart, load, put, store, take
from gan_bifurcation.kernels import FloatArray

IntArray = NDArray[np.int64]


@leaf
def column(p: Layout, w: FloatArray, k: int, values: FloatArray, at: int) -> None:
    """Column k as given, (N, q) from a place on, and then through the factors."""
    apart()
    for i in range(p.turns * LANES):
        to = p.coli + ((k * p.turns + i % p.turns) * p.q) * LANES + i // p.turns
        for r in range(p.q):
            put(w, to + r * LANES, take(values, at + i * p.q + r) if i < p.intervals else 0.0)
    forward(p, w, k, ONE)


@leaf
def borders(
    p: Layout, w: FloatArray, place: int, columns: FloatArray, k: int, rows: FloatArray, end: float, which: IntArray,
    numbers: IntArray, out: FloatArray,
) -> None:  # fmt: skip
    """More columns, (., N, q) as given, and rows, products with states, from their numbers on; the last system."""
    apart()
    for j in range(columns.shape[0] // (p.intervals * p.q)):
        column(p, w, place + j, columns, j * p.intervals * p.q)
    for j in range(rows.shape[0] // p.states):
        gather(p, w, rows, j * p.states, p.xl)
        border_row(p, w, ONE, k + j, p.xl)
        for c in range(p.k):
            put(w, p.corner + (k + j) * p.k + c, 0.0)
        reduce_row(p, w, k + j)
    last_system(p, w, 1.0, end, numbers, which, out.reshape((p.n + numbers.shape[0], p.n + which.shape[0])))


@leaf
def join(p: Layout, w: FloatArray, rows: FloatArray, corners: FloatArray) -> None:
    """Border rows from the first on, in packs, and their corners (., nb), through the factors."""
    apart()
    width = p.turns * p.wide * LANES
    for r in range(1, 1 + corners.shape[0] // p.nb):
        for c in range(0, width, LANES):
            store(w, p.rows + r * width + c, load(rows, (r - 1) * width + c))
        for c in range(p.k):
            put(w, p.corner + r * p.k + c, take(corners, (r - 1) * p.nb + c) if c < p.nb else 0.0)
        reduce_row(p, w, r)

"""Orthogonal collocation for cycles: what compiled code does with a system, one thing at a time."""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.continuation import _cycle_march as march
from gan_bifurcation.continuation._cycle_march import act
from gan_bifurcation.continuation._cycle_memory import CYCLE, Cycle, layout
from gan_bifurcation.continuation._packs import LANES
from gan_bifurcation.evaluation import structref
from gan_bifurcation.kernels import FloatArray, TapeData

IntArray = NDArray[np.int64]

_NONE: Final = np.zeros(0)
_NO_NUMBERS: Final = np.zeros(0, dtype=np.int64)
_NO_SPECTRA: Final = np.zeros((0, 0), dtype=complex)


@dataclass(frozen=True, eq=False)
class System:
    """A collocation system: sizes and places, memory, and what compiled code takes.

    Attributes
    ----------
    sizes : namespace
    memory : array
    handle : Cycle
    """

    sizes: SimpleNamespace
    memory: FloatArray
    handle: Cycle

    def view(self, at: int, *shape: int) -> FloatArray:
        """The array of this shape at a place of the memory."""
        return self.memory[at : at + math.prod(shape)].reshape(shape)

    def states(self, number: int) -> FloatArray:
        """The states (N m + 1, n) of a vector."""
        p = self.sizes
        return self.view(p.vectors + number * p.vector, p.intervals * p.m + 1, p.n)

    def borders(self, number: int) -> FloatArray:
        """The border unknowns of a vector."""
        p = self.sizes
        return self.view(p.vectors + number * p.vector + p.border, p.k)


@jit
def _cycle(
    sizes: NDArray[np.void], tape: TapeData, w: FloatArray, v: FloatArray, g: FloatArray, box: FloatArray,
    final: FloatArray, pivots: IntArray,
) -> Any:  # fmt: skip
    s = structref.new(CYCLE)
    s.sizes, s.tape, s.w, s.v, s.g, s.box, s.final, s.pivots = sizes, tape, w, v, g, box, final, pivots
    return s


def _aligned(count: int) -> FloatArray:
    """Zeros that begin where a line of the cache does."""
    numbers = np.zeros(count + LANES)
    first = -(numbers.ctypes.data // 8) % LANES
    return numbers[first : first + count]


def make_cycle(
    tape: TapeData, n: int, h: FloatArray, d: FloatArray, w: FloatArray, omega: FloatArray, window: FloatArray,
    free: IntArray, p: FloatArray, scale: FloatArray, extra: int,
) -> System:  # fmt: skip
    """A collocation system.

    Parameters
    ----------
    h : array (N,)
        Lengths of the intervals.
    d, w : array (m, m + 1)
        Derivatives and values of the node polynomials at the Gauss points, on an interval of length 1.
    omega : array (m,)
        Weights of the Gauss points.
    window : array (3, nf)
        Low, high, and whether it is logarithmic, of each free parameter.
    free : int array (nf,)
    p : array (parameters,)
    scale : array (n,)
    extra : int
        Unknowns beside period and parameters.
    """
    intervals, m, nf = len(h), len(d), len(free)
    sizes, record, count = layout(n, m, intervals, nf, extra, len(p))
    memory = _aligned(count)
    lengths = np.zeros(LANES * sizes.turns)
    lengths[:intervals] = h
    for at, values in (
        (sizes.h, lengths.reshape(LANES, sizes.turns).T), (sizes.d, d), (sizes.w, w), (sizes.omega, omega),
        (sizes.low, window[0]), (sizes.high, window[1]), (sizes.log, window[2]), (sizes.free, free),
        (sizes.parameters, p), (sizes.scale, scale),
    ):  # fmt: skip
        memory[at : at + values.size] = values.ravel()
    slots = tape.n_inputs + len(tape.constants) + len(tape.code)
    v = _aligned(slots * LANES).reshape(slots, LANES)
    v[tape.n_inputs : tape.n_inputs + len(tape.constants)] = tape.constants[:, None]
    # Derivatives by the states and the free parameters only.
    directions = n + nf
    g = _aligned(slots * directions * LANES)
    seeds = g.reshape(slots, directions, LANES)
    for c, slot in enumerate([*range(n), *(n + free)]):
        seeds[slot, c] = 1.0
    box = _aligned((slots + 1) * (1 + directions) + LANES)
    size = n + sizes.nb
    handle = _cycle(
        record, tape, memory, v, g, box, np.zeros((size, size)), np.zeros(size, dtype=np.int64)
    )  # fmt: skip
    return System(sizes, memory, handle)


def do(
    s: System, what: int, k: int = 0, x: float = 0.0, y: float = 0.0, which: IntArray = _NO_NUMBERS,
    rows: IntArray = _NO_NUMBERS, u: FloatArray = _NONE, t: FloatArray = _NONE, b: FloatArray = _NONE,
    out: FloatArray = _NONE, spectra: NDArray[np.complex128] = _NO_SPECTRA,
) -> tuple[float, int, int, float]:  # fmt: skip
    """Call compiled code; all arrays are contiguous and may be written to."""
    u, t, out = (a if a.ndim == 1 else a.reshape(-1) for a in (u, t, out))
    return act(s.handle, what, k, x, y, which, rows, u, t, b, out, spectra)  # type: ignore[no-any-return]


def evaluate(s: System, u: FloatArray, b: FloatArray, order: int) -> None:
    """f at the Gauss points; with order 1 also its Jacobian, with order 2 then f at the mesh points as well."""
    do(s, march.EVALUATE, order, u=u, b=b)


def phase_row(s: System, reference: FloatArray, r: int) -> None:
    """Row of the integral phase condition: the integral of <u, reference'>."""
    do(s, march.PHASE_ROW, r, u=reference)


def reduce_row(s: System, r: int) -> None:
    """Row r through the factors."""
    do(s, march.REDUCE_ROW, r)


def row_times(s: System, r: int, u: FloatArray) -> float:
    """Row r, as given, times the states u."""
    return do(s, march.ROW_TIMES, r, u=u)[0]


def inner_product(s: System, u: FloatArray, v: FloatArray) -> float:
    """The mean over the states of the integral of u v."""
    return do(s, march.INNER, u=u, t=v)[0]


def factorise_final(s: System, closure: float, which: IntArray) -> float:
    """Factors of the last system with the borders of these numbers; the sign of the determinant of the whole."""
    assert closure == 1.0
    do(s, march.FINAL, which=which)
    return float(s.memory[s.sizes.whole])

"""The derivative of a bordered scalar of a cycle by the cycle, its period and its parameters, in compiled code.

Second derivatives are central differences of the Jacobian, at eight points at once: to nine or ten digits, which is
enough for Newton's method on a scalar that is exact itself.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_linear import clear
from gan_bifurcation.continuation._cycle_memory import TRIAL, Layout
from gan_bifurcation.continuation._cycle_system import evaluate, gather
from gan_bifurcation.continuation._packs import LANES, ZERO, apart, load, put, store, take, total
from gan_bifurcation.kernels import FloatArray, TapeData

IntArray = NDArray[np.int64]

# The step of differences, in scaled unknowns.
_STEP: Final = 6e-6


@leaf
def _lay(p: Layout, w: FloatArray, psi: FloatArray, o: int) -> None:
    """A left solution (N, q), number o of several, to `yl` in packs; nothing in intervals of no length."""
    apart()
    for j in range(p.turns):
        for lane in range(LANES):
            i = lane * p.turns + j
            for c in range(p.q):
                number = take(psi, (o * p.intervals + i) * p.q + c) if i < p.intervals else 0.0
                put(w, p.yl + (j * p.q + c) * LANES + lane, number)


@leaf
def _accumulate(
    p: Layout, w: FloatArray, factor: float, by_period: float, out: FloatArray, row: int, corner: int
) -> None:
    """Add the derivative of psi^T h f by the states and the parameters times a factor, and itself by the period."""
    apart()
    n, m = p.n, p.m
    for j in range(p.turns):
        h = load(w, p.h + j * LANES)
        for i in range(m):
            psi = p.yl + (j * p.q + i * n) * LANES
            jac = p.jac + (j * m + i) * n * p.directions * LANES
            clear(w, p.work, n)
            for r in range(n):
                y = load(w, psi + r * LANES) * h
                for c in range(n):
                    x = load(w, p.work + c * LANES) + y * load(w, jac + (r * p.directions + c) * LANES)
                    store(w, p.work + c * LANES, x)
                for c in range(p.nf):
                    out[corner + 1 + c] += factor * total(y * load(w, jac + (r * p.directions + n + c) * LANES))
                if by_period != 0.0:
                    out[corner] += by_period * total(y * load(w, p.fv + ((j * m + i) * n + r) * LANES))
            for k in range(m + 1):
                part = factor * take(w, p.w + i * (m + 1) + k)
                to = row + (j * p.wide + ((k - 1) * n if k > 0 else m * n)) * LANES
                for c in range(0, n * LANES, LANES):
                    store(out, to + c, load(out, to + c) + part * load(w, p.work + c))


@leaf
def curved(
    p: Layout, tape: TapeData, w: FloatArray, v: FloatArray, g: FloatArray, box: FloatArray, phi: FloatArray,
    psi: FloatArray, by: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    """Derivatives of g = -psi^T M phi at the trial point, whose Jacobian was evaluated.

    Parameters
    ----------
    phi, psi : arrays
        Parts (k, N m + 1, n) and (j, N, q).
    by : array
        Components of phi in the period and the parameters, (k, 1 + nf): M has the columns -h f and -h T df/dp.
    out : array
        For each part of psi and each of phi a row as `rows` has it; then as many derivatives by borders, (., nb).
    """
    apart()
    parts, others = phi.shape[0] // p.states, psi.shape[0] // (p.intervals * p.q)
    trial = p.vectors + TRIAL * p.vector
    width = p.turns * p.wide * LANES
    corners = parts * others * width
    period = take(w, trial + p.border)
    for c in range(out.shape[0]):
        out[c] = 0.0
    for turn in range(3):
        for k in range(parts):
            tau = by[k * (1 + p.nf)]
            size = abs(tau) / period
            for c in range(p.nf):
                size = max(size, abs(by[k * (1 + p.nf) + 1 + c]))
            for c in range(k * p.states, (k + 1) * p.states):
                size = max(size, abs(take(phi, c)))
            step = _STEP / size
            # The Jacobian at the point itself, then on both sides.
            factor, by_period = tau, 0.0
            if turn > 0:
                step = step if turn == 1 else -step
                factor, by_period = 0.5 * period / step, 0.5 / step
                gather(p, w, w, trial, p.ul)
                gather(p, w, phi, k * p.states, p.xl)
                for c in range(0, width, LANES):
                    store(w, p.ul + c, load(w, p.ul + c) + step * load(w, p.xl + c))
                for c in range(p.nf):
                    w[p.right + 1 + c] = take(w, trial + p.border + 1 + c) + step * by[k * (1 + p.nf) + 1 + c]
                evaluate(p, tape, w, v, g, box, w[p.right : p.right + p.nb], 1)
            if factor != 0.0:
                for o in range(others):
                    _lay(p, w, psi, o)
                    e = o * parts + k
                    _accumulate(p, w, factor, by_period, out, e * width, corners + e * p.nb)
    gather(p, w, w, trial, p.ul)
    evaluate(p, tape, w, v, g, box, w[trial + p.border : trial + p.border + p.nb], ZERO)

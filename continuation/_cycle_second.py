"""The derivative of a bordered scalar of a cycle by the cycle, its period and its parameters, in compiled code."""

from typing import Any

import numpy as np

from gan_bifurcation.compiling import jit
from gan_bifurcation.continuation._cycle_kernels import System
from gan_bifurcation.continuation._cycle_system import load_parameters
from gan_bifurcation.continuation._packs import LANES
from gan_bifurcation.evaluation import make_evaluator, second
from gan_bifurcation.kernels import FloatArray, TapeData


def condition_rows(
    s: System, tape: TapeData, u: FloatArray, b: FloatArray, phi: FloatArray, psi: FloatArray, by_period: FloatArray,
    by_parameters: FloatArray, rows: FloatArray, corner: FloatArray,
) -> None:  # fmt: skip
    """Derivatives of g = -psi^T M phi for parts of phi (k, N m + 1, n) and of psi (k, N, q), all of one kind.

    Parameters
    ----------
    by_period : array (k,)
        The period's component of phi: M has the column -h f for it.
    by_parameters : array (k, nf)
        The free parameters' components, for which M has the columns -h T df/dp.
    rows, corner : arrays (j, k, N, n (m + 1)), (j, k, unknowns)
        For part j of psi and part k of phi.
    """
    _condition_rows(s.handle, tape, u, b, phi, psi, by_period, by_parameters, rows, corner)


@jit
def _condition_rows(
    s: Any, tape: TapeData, u: FloatArray, b: FloatArray, phi: FloatArray, psi: FloatArray, by_period: FloatArray,
    by_parameters: FloatArray, rows: FloatArray, corner: FloatArray,
) -> None:  # fmt: skip
    memory = s.w
    p = s.sizes[0]
    n, m, nf = p.n, p.m, p.nf
    load_parameters(p, memory, b)
    nm = tape.n_inputs
    e = make_evaluator(tape, 1, n, 2)
    z = np.zeros(nm)
    for c in range(nm - n):
        z[n + c] = memory[p.parameters + c]
    w, scale, slope = memory[p.w : p.w + m * (m + 1)].reshape((m, m + 1)), memory[p.scale :], memory[p.slope :]
    free = memory[p.free :]
    f, jac, hess, direction = np.zeros(n), np.zeros((n, nm)), np.zeros((n, nm)), np.zeros(nm)
    parts, others = phi.shape[0], psi.shape[0]
    period = b[0]
    for o in range(others):
        for k in range(parts):
            for i in range(p.intervals):
                for c in range(n * (m + 1)):
                    rows[o, k, i, c] = 0.0
            for c in range(corner.shape[2]):
                corner[o, k, c] = 0.0
    for i in range(p.intervals):
        h = memory[p.h + (i % p.turns) * LANES + i // p.turns]
        for g in range(m):
            for c in range(n):
                total = 0.0
                for q in range(m + 1):
                    total += w[g, q] * u[i * m + q, c]
                z[c] = total * scale[c]
            for k in range(parts):
                for c in range(n):
                    total = 0.0
                    for q in range(m + 1):
                        total += w[g, q] * phi[k, i * m + q, c]
                    direction[c] = total * scale[c]
                for c in range(nf):
                    direction[n + int(free[c])] = by_parameters[k, c] * slope[c]
                second(e, z, direction, f, jac, hess)
                tau = by_period[k]
                for o in range(others):
                    for c in range(n):
                        total = 0.0
                        for r in range(n):
                            y = psi[o, i, g * n + r] / scale[r]
                            total += y * (h * period * hess[r, c] + h * tau * jac[r, c])
                        total *= scale[c]
                        for q in range(m + 1):
                            rows[o, k, i, ((q - 1) * n if q > 0 else m * n) + c] += total * w[g, q]
                    for r in range(n):
                        y = psi[o, i, g * n + r] / scale[r]
                        total = 0.0
                        for c in range(n):
                            total += jac[r, c] * direction[c]
                        for c in range(nf):
                            total += jac[r, n + int(free[c])] * direction[n + int(free[c])]
                        corner[o, k, 0] += y * h * total
                        for c in range(nf):
                            at = n + int(free[c])
                            corner[o, k, 1 + c] += y * (h * period * hess[r, at] + h * tau * jac[r, at]) * slope[c]
                            if memory[p.log + c] == 1.0:
                                # The column itself grows with the parameter.
                                rate = slope[c] / memory[p.parameters + int(free[c])]
                                corner[o, k, 1 + c] += y * h * period * jac[r, at] * rate * direction[at]

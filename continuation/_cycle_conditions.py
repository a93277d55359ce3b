"""Conditions on cycles: the bordered scalars of folds, flips and Neimark-Sacker points, and their derivatives.

With M the variational equations of a cycle, closed by x(1) = z x(0) with z = 1, -1 or e^{i theta} (for a fold together
with the period and the phase condition), the bordered system [[M, beta], [gamma^T, 0]] [phi; g] = [0; 1] has g = 0
where z is a multiplier; g is smooth, and dg = -psi^T dM phi with the left solution psi.

References
----------
Govaerts: Numerical Methods for Bifurcations of Dynamical Equilibria (2000), chapter 4.
Doedel, Govaerts, Kuznetsov: Computation of periodic solution bifurcations in ODEs using bordered systems, SIAM J.
Numer. Anal. 41 (2003), 401-435.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_borders import (
    border_parts,
    bordered,
    curved,
    joined,
    spread_adjoint,
    spread_between,
)
from gan_bifurcation.continuation._cycle_kernels import evaluate, factorise_final, phase_row, reduce_row
from gan_bifurcation.continuation.collocation import Collocation

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

WIDTH: Final = {"LPC": 1, "PD": 1, "NS": 2}


class Condition:
    """A collocation system with a condition on its multipliers.

    Its unknowns are the cycle, the period, the free parameters and, for NS, the angle; its border rows the phase
    condition, the real parts (and imaginary parts) of g and, if there is room, a last row.
    """

    def __init__(self, c: Collocation, kind: str) -> None:
        self.c, self.kind = c, kind
        self.first = c.nb
        self.conditions = WIDTH[kind]
        pair = kind == "NS"
        self.cols = np.array([0, c.nb] if kind == "LPC" else [c.nb, c.nb + 1] if pair else [c.nb], dtype=np.int64)
        q = c.system.n * c.degree
        self.beta = np.zeros((2 if pair else 1, c.intervals, q))
        self.gamma = np.zeros((2 if pair else 1, *c.u.shape))
        self.gamma_period = 0.0
        self.phi, self.psi = self.gamma.copy(), self.beta.copy()
        self.g = np.zeros(self.conditions)
        self.period_part = 0.0
        # An adjoint of unit length makes g as large as the residual that it measures.
        self.started = False

    @property
    def closure(self) -> complex:
        if self.kind == "NS":
            theta = float(self.c.trial_b[self.c.nb - 1])
            return complex(np.cos(theta), np.sin(theta))
        return -1.0 if self.kind == "PD" else 1.0

    def _factors(self, u: FloatArray, b: FloatArray) -> None:
        c = self.c
        evaluate(c.state, u, b, 2)
        steps.factors(c.state, b, c.which)

    def _parts(self, rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        n, k = self.c.system.n, len(self.cols)
        out = np.zeros((n, k)), np.zeros((k, n)), np.zeros((k, n)), np.zeros((k, k))
        border_parts(self.c.state, rows, self.cols, *out)
        return out

    def start(self) -> None:
        """Borders from null vectors at the trial point; a guess of the angle is already in place."""
        c = self.c
        self._factors(c.trial, c.trial_b)
        z = self.closure
        m = c.pencil[1].T + z * c.pencil[0].T
        n = len(m)
        if self.kind == "LPC":
            columns, starts, ends, corner = self._parts(self.cols)
            m = np.block([[m.real, columns[:, :1]], [starts[:1] + ends[:1], corner[:1, :1]]])
        left, _, right = np.linalg.svd(m)
        x, y = right[-1].conj(), left[:, -1].conj()
        self._spread(x[:n], z, np.array([x[n]]) if self.kind == "LPC" else np.zeros(0), 0)
        self._adjoint(y, 0)
        self.started = True
        self.renew()

    def _spread(self, x0: ComplexArray, z: complex, weights: NDArray[Any], border: int) -> None:
        """phi from its value at the start and the weights of the border columns."""
        c = self.c
        cols = self.cols[: len(weights)] if border == 0 else self.cols
        xn = z * x0
        for part, f in enumerate((np.real, np.imag)[: len(self.phi)]):
            w = weights
            if self.kind == "NS" and len(weights):
                # (beta_1 + i beta_2) g by its real and imaginary parts.
                g = complex(weights[0])
                w = np.array([g.real, -g.imag] if part == 0 else [g.imag, g.real])
            spread_between(
                c.state, np.ascontiguousarray(f(x0)), np.ascontiguousarray(f(xn)), cols,
                np.ascontiguousarray(np.real(w), dtype=float), self.phi[part],
            )  # fmt: skip
        self.period_part = float(np.real(weights[0])) if self.kind == "LPC" else 0.0

    def _adjoint(self, y: ComplexArray, border: int) -> None:
        """psi from the left solution of the last system."""
        c, n = self.c, self.c.system.n
        weights = y[n:]
        rows = self.cols[: len(weights)]
        for part, f in enumerate((np.real, np.imag)[: len(self.psi)]):
            w = f(weights)
            if self.kind == "NS" and len(weights):
                # The row is gamma_1 - i gamma_2.
                rows = self.cols
                g = complex(weights[0])
                w = np.array([g.real, g.imag] if part == 0 else [g.imag, -g.real])
            spread_adjoint(
                c.state, np.ascontiguousarray(f(y[:n])), rows, np.ascontiguousarray(w, dtype=float), self.psi[part]
            )

    def renew(self) -> None:
        """Borders along the present solutions."""
        size = np.sqrt(np.sum(self.phi**2) / self.phi.shape[1] + self.period_part**2 / self.c.b[0] ** 2)
        self.gamma = self.phi / size
        self.gamma_period = self.period_part / size / self.c.b[0] ** 2
        self.beta = self.psi / np.sqrt(np.sum(self.psi**2))
        if self.kind == "NS":
            # beta = conj(psi), so that psi^T beta does not vanish.
            self.beta[1] *= -1.0

    def evaluate(self) -> tuple[FloatArray, FloatArray]:
        """g at the trial point goes to `g`; returns its derivative: rows in packs, by borders (., nb)."""
        c, s = self.c, self.c.state
        n, z = c.system.n, self.closure
        full: NDArray[Any]
        start = bordered(s, self.first, self.beta, self.first, self.gamma, 0.0, self.cols, self.cols)
        ends = s.view(s.sizes.rowf, s.sizes.k, 2, n)[self.cols, 1]
        if self.kind == "LPC":
            c.corner[self.first, 0] = self.gamma_period
            start[n + 1, n] += self.gamma_period
        m = c.pencil[1].T + z * c.pencil[0].T
        rows_z = start[n:, :n] + z * ends
        if self.kind == "NS":
            column = start[:n, n] + 1j * start[:n, n + 1]
            row = rows_z[0] - 1j * rows_z[1]
            corner = start[n:, n:]
            full = np.empty((n + 1, n + 1), dtype=complex)
            full[:n, :n], full[:n, n], full[n, :n] = m, column, row
            full[n, n] = corner[0, 0] + corner[1, 1] + 1j * (corner[0, 1] - corner[1, 0])
        else:
            full = start
            full[:n, :n], full[n:, :n] = m.real, rows_z.real
        unit = np.zeros(len(full))
        unit[-1] = 1.0
        x, y = np.linalg.solve(full, unit), np.linalg.solve(full.T, unit)
        g = x[-1]
        self._spread(x[:n], z, x[n:], 1)
        self._adjoint(y, 1)
        self.g = np.array([g.real, g.imag]) if self.kind == "NS" else np.array([g.real])
        return self._derivative(x, y, z, ends)

    def _derivative(
        self, x: ComplexArray, y: ComplexArray, z: complex, ends: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        c, k = self.c, len(self.phi)
        by = np.zeros((k, 1 + len(c.free)))
        by[:, 0] = self.period_part
        rows, corner = curved(c.state, self.phi, self.psi, by)
        if self.kind != "NS":
            return rows[0], corner[0]
        rows = np.stack([rows[0, 0] - rows[1, 1], rows[0, 1] + rows[1, 0]])
        corner = np.stack([corner[0, 0] - corner[1, 1], corner[0, 1] + corner[1, 0]])
        # The angle enters where the end is z times the start.
        n = c.system.n
        turned = 1j * z * np.concatenate([c.pencil[0].T @ x[:n], [(ends[0] - 1j * ends[1]) @ x[:n]]])
        by_angle = -complex(y @ turned)
        corner[:, c.nb - 1] = by_angle.real, by_angle.imag
        return rows, corner

    def solve(self, target: float, tolerance: float = 1e-11, most: int = 12) -> bool:
        """Newton's method from the trial point; the last row as it is (if there is room for it), with this value."""
        c = self.c
        before = np.inf
        for iteration in range(most):
            rows, corner = self.evaluate()
            size = joined(c.state, c.which, rows, corner, -self.g, target)
            if not size < 1e2 or c.trial_b[0] <= 0.0:
                return False
            # The next correction is smaller by at least as much as this one is than the last.
            if iteration > 0 and size * size < tolerance * before:
                return True
            if size < tolerance or (iteration > 1 and size > 0.3 * before and size < 1e3 * tolerance):
                return True
            if iteration > 3 and size > before:
                return False
            before = size
        return False

    def multipliers(self) -> ComplexArray:
        """All multipliers (n,) at the trial point, the trivial one first."""
        c = self.c
        self._factors(c.trial, c.trial_b)
        steps.multipliers(c.state, c.spectrum)
        return c.spectrum

    def tangent(self) -> float:
        """The tangent at the trial point (in the solution's place), on the side of the last row; 1/cos of the angle."""
        c, s = self.c, self.c.state
        rows, corner = self.evaluate()
        for r in range(self.conditions):
            c.rows[1 + r], c.corner[1 + r] = rows[r].reshape(c.rows[1 + r].shape), 0.0
            c.corner[1 + r, : c.nb] = corner[r]
            reduce_row(s, 1 + r)
        phase_row(s, c.trial, 0)
        reduce_row(s, 0)
        factorise_final(s, 1.0, c.which)
        steps.multipliers(s, c.spectrum)
        return float(steps.tangent(s, c.which))

"""Branch points of cycles by Newton's method, and the two branches there.

At a branch point the equations of the cycle have a Jacobian J, in the cycle, its period and one parameter, of one rank
less than elsewhere. With a column b and two rows G, the system [[J, b], [G, 0]] [phi_i; g_i] = [0; e_i] has g = 0
there; F + beta b = 0, phase, g = 0 determine cycle, period, parameter and beta, regularly; beta comes out as zero. With
the left solution psi, dg_i = -psi^T dJ phi_i, and tangents of branches are the combinations a of the phi_i with
sum of a_i a_j psi^T J'(phi_i) phi_j = 0.

References
----------
Mittelmann, Weber: Numerical Methods for Bifurcation Problems (1980), 1-45. Govaerts: Numerical Methods for Bifurcations
of Dynamical Equilibria (2000), chapters 4 and 8.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_borders import (
    bordered,
    curved,
    joined,
    last_system,
    spread_adjoint,
    spread_between,
)
from gan_bifurcation.continuation._cycle_kernels import evaluate, row_times
from gan_bifurcation.continuation.collocation import Collocation

FloatArray = NDArray[np.float64]

# The unknown beta among the borders, and how many unknowns there are beside the cycle.
_BETA: Final = 2
_BORDERS: Final = 3
_MOST: Final = 15


@dataclass(frozen=True, eq=False)
class Tangent:
    """A direction in scaled states (N m + 1, n), with the period and the parameter in its window."""

    states: FloatArray
    period: float
    parameter: float


class Crossing:
    """A branch point near the present point of a collocation system with one free parameter and an extra unknown."""

    def __init__(self, c: Collocation) -> None:
        assert c.nb == _BORDERS
        self.c = c
        self.cols = np.arange(_BORDERS, dtype=np.int64)
        self.rows = np.array([0, c.nb, c.nb + 1], dtype=np.int64)
        self.b = np.zeros((c.intervals, c.system.n * c.degree))
        self.phi = np.zeros((2, *c.u.shape))
        self.by_border = np.zeros((2, 2))
        self.psi = np.zeros((1, *self.b.shape))
        self.g = np.zeros(2)
        self.beta = 0.0

    def _factors(self) -> None:
        c = self.c
        c.trial_b[_BETA] = 0.0
        evaluate(c.state, c.trial, c.trial_b, 2)
        steps.factors(c.state, c.trial_b, c.which)

    def _full(self, count_rows: int, count_cols: int) -> FloatArray:
        c, n = self.c, self.c.system.n
        full = np.zeros((n + count_rows, n + count_cols))
        last_system(c.state, 1.0, self.rows[:count_rows], self.cols[:count_cols], full)
        return full

    def _spread(self, x: FloatArray, k: int) -> None:
        n = self.c.system.n
        start = np.ascontiguousarray(x[:n])
        weights = np.ascontiguousarray(x[n:])
        spread_between(self.c.state, start, start, self.cols[: len(weights)], weights, self.phi[k])
        self.by_border[k] = x[n : n + 2]

    def _adjoint(self, y: FloatArray) -> None:
        n = self.c.system.n
        weights = np.ascontiguousarray(y[n:])
        spread_adjoint(self.c.state, np.ascontiguousarray(y[:n]), self.rows[: len(weights)], weights, self.psi[0])

    def start(self) -> None:
        """Borders from the null vectors at the trial point."""
        self._factors()
        left, _, right = np.linalg.svd(self._full(1, 2))
        for k in range(2):
            self._spread(right[-1 - k], k)
        self._adjoint(left[:, -1])
        self.b = self.psi[0] / np.sqrt(np.sum(self.psi[0] ** 2))
        self.gamma, self.gamma_b = self.phi.copy(), self.by_border * self.c.weights[:2]
        for k in range(2):
            size = np.sqrt(np.sum(self.phi[k] ** 2) / len(self.phi[k]) + np.sum(self.gamma_b[k] * self.by_border[k]))
            self.gamma[k] /= size
            self.gamma_b[k] /= size

    def evaluate(self) -> tuple[FloatArray, FloatArray]:
        """g at the trial point goes to `g`; returns its derivative: rows in packs, by borders (2, 3)."""
        c, s, n = self.c, self.c.state, self.c.system.n
        c.trial_b[_BETA] = 0.0
        full: NDArray[Any] = bordered(s, _BETA, self.b, c.nb, self.gamma, 1.0, self.rows, self.cols)
        full[n + 1 :, n : n + 2] += self.gamma_b
        right = np.zeros((len(full), 2))
        right[n + 1, 0] = right[n + 2, 1] = 1.0
        x = np.linalg.solve(full, right)
        y = np.linalg.solve(full.T, right[:, 1])
        for k in range(2):
            self._spread(np.ascontiguousarray(x[:, k]), k)
        self._adjoint(y)
        self.g = x[-1]
        rows, corner = curved(s, self.phi, self.psi, self.by_border)
        return rows[0], corner[0]

    def solve(self, tolerance: float = 1e-12) -> bool:
        """Newton's method from the trial point."""
        c, s = self.c, self.c.state
        before = np.inf
        for iteration in range(_MOST):
            rows, corner = self.evaluate()
            size = joined(s, c.which, rows, corner, -self.g, 0.0)
            self.beta = float(c.trial_b[_BETA])
            if not size < 1e2 or not c.trial_b[0] > 0.0:
                return False
            # Beta is no correction but a value.
            size = float(np.sqrt(max(size**2 - self.beta**2, 0.0)))
            # The next correction is smaller by at least as much as this one is than the last.
            if iteration > 0 and size * size < tolerance * before:
                break
            if size < tolerance or (iteration > 1 and size > 0.3 * before and size < 1e3 * tolerance):
                break
            before = size
        else:
            return False
        self._factors()
        steps.multipliers(s, c.spectrum)
        return abs(self.beta) < 1e-6

    def tangents(self) -> tuple[Tangent, Tangent] | None:
        """The two branches at the point just solved; None where only one direction is real."""
        c, s = self.c, self.c.state
        rows, corner = self.evaluate()
        for k in range(2):
            c.rows[1 + k], c.corner[1 + k] = rows[k].reshape(c.rows[1 + k].shape), 0.0
            c.corner[1 + k, : c.nb] = corner[k]
        q = np.array(
            [
                [row_times(s, 1 + i, self.phi[j]) + c.corner[1 + i, :2] @ self.by_border[j] for j in range(2)]
                for i in range(2)
            ]
        )
        a, b, d = q[0, 0], 0.5 * (q[0, 1] + q[1, 0]), q[1, 1]
        inside = b * b - a * d
        if not inside > 1e-14 * (b * b + abs(a * d)):
            return None
        big = -(b + np.copysign(np.sqrt(inside), b))
        made = []
        for weights in ((big, a), (d, big)):
            states = np.tensordot(np.array(weights), self.phi, 1)
            border = np.array(weights) @ self.by_border
            size = c.norm(states, np.append(border, np.zeros(len(c.b) - 2)))
            made.append(Tangent(states / size, float(border[0] / size), float(border[1] / size)))
        return made[0], made[1]

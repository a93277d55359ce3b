"""The linear equations of a Newton step for circles: solved directly where they are few, by frames and GMRES otherwise.

States that enter their own equation linearly with one coefficient c (the weights of a kernel discriminator) are
eliminated first, mode by mode: w(t + rho) - c w(t) = B x(t) + ... has the factor 1/(e^{2 pi i k rho} - c). What is left
is small enough for a factorisation, whether or not the linearisation can be brought to constant form.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy  # Its parts load when they are first asked for, and most processes never come to circles.
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_frames import Frames
from gan_bifurcation.continuation.circle_waves import circulant, derivative, shifted, smoothed, turns
from gan_bifurcation.continuation.factors import factors_of

FloatArray = NDArray[np.float64]

# Of GMRES: most vectors kept.
_KRYLOV: Final = 40
# Most unknowns of a factorisation: nodes times states that are not eliminated.
_DIRECT: Final = 800
# A linear state whose coefficient is as near as this to the rotation of some mode is not eliminated.
_RESONANT: Final = 1e-8


@dataclass(frozen=True, eq=False)
class Conditions:
    """The two conditions beside the equations: mean of <phase, u> and of <across, u> + on_scalars . s."""

    phase: FloatArray
    across: FloatArray | None
    on_scalars: FloatArray


class Linear:
    """The derivative of the equations at a circle, as an operator on (states, two scalars).

    Parameters
    ----------
    u, a : array (K, n), (K, n, n)
        States and derivatives of the map.
    by_q : array (K, n, f)
        Its derivatives in the free parameters; the rotation number is the other scalar where there is only one.
    rho : float
    conditions : Conditions
    """

    def __init__(self, u: FloatArray, a: FloatArray, by_q: FloatArray, rho: float, conditions: Conditions) -> None:
        self.a, self.rho, self.conditions = a, rho, conditions
        if by_q.shape[2] == 1:
            self.columns = np.stack([-shifted(derivative(u), rho), by_q[:, :, 0]], axis=2)
        else:
            self.columns = by_q

    def __call__(self, v: FloatArray) -> FloatArray:
        size, n, _ = self.a.shape
        u, s = v[:-2].reshape(size, n), v[-2:]
        field = np.matmul(self.a, u[:, :, None])[:, :, 0] - shifted(u, self.rho) + self.columns @ s
        own = self.conditions
        plane = float(own.on_scalars @ s) + (0.0 if own.across is None else float(np.sum(own.across * u)) / size)
        return np.concatenate([field.ravel(), [float(np.sum(own.phase * u)) / size, plane]])


class ByFrames:
    """The inverse of `Linear` as far as frames bring it to constant form: one small system for each mode.

    Parameters
    ----------
    linear : Linear
    made : Frames
        Of the circle, or of one nearby.
    """

    def __init__(self, linear: Linear, made: Frames) -> None:
        frames, constant = made.columns, made.constant
        size, n, _ = frames.shape
        self.frames = frames
        self.left = np.linalg.inv(shifted(frames, linear.rho))
        self.conditions = linear.conditions
        self.modes = np.linalg.inv(constant - turns(size, linear.rho)[1:, None, None] * np.eye(n))
        # What each scalar does: the constant mode is left for the small system at the end.
        parts = [self._moved(linear.columns[:, :, c]) for c in range(2)]
        matrix = np.zeros((n + 2, n + 2))
        matrix[:n, :n] = constant - np.eye(n)
        phase, across = self.conditions.phase, self.conditions.across
        matrix[n, :n] = np.einsum("ki,kij->j", phase, frames) / size
        if across is not None:
            matrix[n + 1, :n] = np.einsum("ki,kij->j", across, frames) / size
        matrix[n + 1, n:] = self.conditions.on_scalars
        for c, (zero, moved) in enumerate(parts):
            matrix[:n, n + c] = zero
            matrix[n, n + c] -= np.sum(phase * moved) / size
            if across is not None:
                matrix[n + 1, n + c] -= np.sum(across * moved) / size
        self.scalar_moves = np.stack([moved for _, moved in parts], axis=2)
        if not np.isfinite(matrix).all():
            raise np.linalg.LinAlgError("the linearisation is not finite")
        self.factors = factors_of(matrix)

    def _moved(self, field: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The constant mode in frames (n,), and the states (K, n) that the other modes of a right-hand side give."""
        modes = scipy.fft.rfft(np.matmul(self.left, field[:, :, None])[:, :, 0], axis=0)
        xi = np.zeros_like(modes)
        xi[1:] = np.matmul(self.modes, modes[1:, :, None])[:, :, 0]
        back = scipy.fft.irfft(xi, n=len(field), axis=0)
        return modes[0].real / len(field), np.matmul(self.frames, back[:, :, None])[:, :, 0]

    def __call__(self, v: FloatArray) -> FloatArray:
        size, n, _ = self.frames.shape
        zero, moved = self._moved(v[:-2].reshape(size, n))
        phase, across = self.conditions.phase, self.conditions.across
        right = np.concatenate([zero, v[-2:]])
        right[n] -= np.sum(phase * moved) / size
        if across is not None:
            right[n + 1] -= np.sum(across * moved) / size
        small = scipy.linalg.lu_solve(self.factors, right, check_finite=False)
        u = moved + self.frames @ small[:n] - self.scalar_moves @ small[n:]
        return np.concatenate([u.ravel(), small[n:]])


def iterated(linear: Linear, inverse: ByFrames, right: FloatArray, tolerance: float) -> FloatArray | None:
    """The solution by GMRES with the reduced system as preconditioner; None if it stalls."""
    size = len(right)
    nodes, n, _ = linear.a.shape

    def low(v: FloatArray) -> FloatArray:
        return np.concatenate([smoothed(v[:-2].reshape(nodes, n)).ravel(), v[-2:]])

    # On the right of the matrix, so that the tolerance is on the equations themselves; in the modes that are kept.
    right = low(right)
    operator = scipy.sparse.linalg.LinearOperator(
        (size, size), matvec=lambda v: low(linear(low(inverse(np.ravel(v))))), dtype=float
    )
    found, failed = scipy.sparse.linalg.gmres(operator, right, rtol=tolerance, atol=0.0, restart=_KRYLOV, maxiter=2)
    if failed:
        rest = float(np.linalg.norm(operator.matvec(found) - right))
        if not rest < 0.3 * float(np.linalg.norm(right)):
            return None
    return low(inverse(found))


class Direct:
    """The solution of `Linear` by a factorisation, linear states eliminated; made by `direct`."""

    def __init__(self, linear: Linear, kept: NDArray[np.int64], out: NDArray[np.int64], factors: FloatArray) -> None:
        a, own = linear.a, linear.conditions
        size, n, _ = a.shape
        self.shape, self.kept, self.out = (size, n), kept, out
        self.to_kept = np.ascontiguousarray(a[:, out][:, :, kept])
        self.from_out = np.ascontiguousarray(a[:, kept][:, :, out])
        self.phase = own.phase[:, out] / size
        self.across = None if own.across is None else own.across[:, out] / size
        self.columns = linear.columns[:, out]
        few = len(kept)
        total = size * few
        matrix = np.zeros((total + 2, total + 2))
        block = np.zeros((size, few, size, few))
        k = np.arange(size)
        if len(out):
            self.passed = circulant(factors, size)
            product = self.from_out.reshape(total, len(out)) @ self.to_kept.transpose(1, 0, 2).reshape(len(out), total)
            block += product.reshape(size, few, size, few) * self.passed[:, None, :, None]
        block[k, :, k, :] += a[:, kept][:, :, kept]
        shift = circulant(turns(size, linear.rho), size)
        for i in range(few):
            block[:, i, :, i] -= shift
        matrix[:total, :total] = block.reshape(total, total)
        columns = linear.columns[:, kept]
        rows = [own.phase[:, kept] / size, None if own.across is None else own.across[:, kept] / size]
        matrix[total + 1, total:] = own.on_scalars
        if len(out):
            moved = self._passed(self.columns)
            columns = columns + np.matmul(self.from_out, moved)
            for r, across in enumerate((self.phase, self.across)):
                if across is not None:
                    matrix[total + r, total:] += np.einsum("ki,kis->s", across, moved)
                    through = np.einsum("ki,kij->kj", self.passed.T @ across, self.to_kept)
                    matrix[total + r, :total] += through.ravel()
        for r, row in enumerate(rows):
            if row is not None:
                matrix[total + r, :total] += row.ravel()
        matrix[:total, total:] = columns.reshape(total, 2)
        self.factors = factors_of(matrix, overwrite=True)

    def _passed(self, values: FloatArray) -> FloatArray:
        """What right-hand sides of the linear states give these."""
        return np.asarray((self.passed @ values.reshape(len(values), -1)).reshape(values.shape))

    def __call__(self, right: FloatArray) -> FloatArray:
        """The solution for one right-hand side, or for several in columns."""
        size, n = self.shape
        field, scalars = right[:-2].reshape(size, n, -1), np.array(right[-2:]).reshape(2, -1)
        reduced = field[:, self.kept]
        found = np.empty(field.shape)
        if len(self.out):
            own = -self._passed(np.ascontiguousarray(field[:, self.out]))
            reduced = reduced - np.matmul(self.from_out, own)
            scalars[0] -= np.tensordot(self.phase, own, 2)
            if self.across is not None:
                scalars[1] -= np.tensordot(self.across, own, 2)
        small = scipy.linalg.lu_solve(
            self.factors, np.concatenate([reduced.reshape(-1, field.shape[2]), scalars]), check_finite=False
        )
        kept, s = small[:-2].reshape(size, len(self.kept), -1), small[-2:]
        found[:, self.kept] = kept
        if len(self.out):
            fed = np.matmul(self.to_kept, kept) + self.columns @ s
            found[:, self.out] = own + self._passed(fed)
        return np.concatenate([found.reshape(right[:-2].shape), s.reshape(right[-2:].shape)])


def factorises(size: int, states: int, clean: bool = True) -> bool:
    """Whether the equations of so many nodes and states (without those that are eliminated) are solved directly.

    More of them are where no clean frames lead to a fast iteration.
    """
    return size * states <= (_DIRECT if clean else 2 * _DIRECT)


def direct(linear: Linear, linear_states: Sequence[int], clean: bool = True) -> Direct | None:
    """A factorisation, where it is small enough.

    Parameters
    ----------
    linear : Linear
    linear_states : sequence of int
        States with one common coefficient in their own equations, and not coupled with each other.
    clean : bool
        Whether there are frames that bring the equations to constant form.
    """
    a = linear.a
    size, n, _ = a.shape
    out = np.array(linear_states, dtype=np.int64)
    factors = np.zeros(0, dtype=complex)
    if len(out):
        own = a[:, out][:, :, out]
        c = float(own[0, 0, 0])
        divisors = turns(size, linear.rho) - c
        # What is declared is looked at: an iterate has no such states.
        if np.max(np.abs(own - c * np.eye(len(out)))) > 1e-12 or np.min(np.abs(divisors)) < _RESONANT:
            out = out[:0]
        else:
            factors = 1.0 / divisors
    kept = np.setdiff1d(np.arange(n), out)
    return Direct(linear, kept, out, factors) if factorises(size, len(kept), clean) else None

"""Frames along a circle that bring its linearisation to constant form, and the multipliers of the circle.

A(t) P(t) = P(t + rho) Lambda with A = DF(u(t)), P's first column being u': the eigenvalues of Lambda are the circle's
multipliers, and the linear equation of a Newton step separates into one small system for each Fourier mode,
(Lambda - e^{2 pi i k rho}) xi_k = eta_k. P and Lambda are improved with u, by Newton steps of their own equation.

References
----------
Jorba: Numerical computation of the normal behaviour of invariant curves of n-dimensional maps, Nonlinearity 14 (2001).
Haro, Canadell, Figueras, Luque, Mondelo: The Parameterization Method for Invariant Manifolds (2016), chapter 5.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_waves import derivative, highest_mode, shifted

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# A mode of the frames is changed where its divisor is so many times larger than what it divides.
_SAFE: Final = 3.0
# Frames are improved until they bring the linearisation to constant form up to this, before the last improvement.
_CLEAN: Final = 1e-3
_ROUNDS: Final = 3


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of a circle and the constant form that they give.

    Attributes
    ----------
    columns : array (K, n, n)
        The first column is u' up to a factor.
    constant : array (n, n)
        Lambda, block triangular: its first column is that of the identity.
    defect : float
        How far A P - P(t + rho) Lambda is from zero, before the last improvement.
    """

    columns: FloatArray
    constant: FloatArray
    defect: float = np.inf


def settled(frames: Frames, u: FloatArray, a: FloatArray, rho: float, scale: FloatArray) -> Frames | None:
    """The frames of a circle, from those of one nearby; None where they are singular.

    Parameters
    ----------
    frames : Frames
    u, a : array (K, n), (K, n, n)
        States and derivatives of the map.
    rho : float
    scale : array (n,)
        Sizes of the states.
    """
    best: Frames | None = None
    try:
        for _ in range(_ROUNDS):
            better = improved(frames, u, a, rho, scale)
            if better.defect < _CLEAN:
                return better
            if best is not None and better.defect >= best.defect:
                break
            best, frames = replace(frames, constant=better.constant, defect=better.defect), better
    except (np.linalg.LinAlgError, ValueError):
        return None
    return best


@lru_cache(maxsize=32)
def _waves(size: int) -> tuple[FloatArray, FloatArray]:
    """cos and sin of 2 pi k j / K for the modes k = 1, ... that are kept."""
    phases = 2.0 * np.pi / size * np.outer(np.arange(1, highest_mode(size) + 1), np.arange(size))
    return np.cos(phases), np.sin(phases)


def improved(frames: Frames, u: FloatArray, a: FloatArray, rho: float, scale: FloatArray) -> Frames:
    """Better frames: one Newton step of A P = P(t + rho) Lambda.

    With P (1 + Q), the rest R and Lambda = [[1, b], [0, L]]: L Q - e^{2 pi i k rho} Q L = -R in the normal block, then
    the row along the circle, for all modes but the constant one, which Lambda takes. At a resonance between multipliers
    that mode of R stays what it is: there the frames would have to wind differently.
    """
    size, n = u.shape
    columns = frames.columns.copy()
    along = derivative(u)
    columns[:, :, 0] = along / np.sqrt(np.mean(np.sum((along / scale) ** 2, axis=1)))
    rest = np.linalg.solve(shifted(columns, rho), a @ columns)
    constant = np.mean(rest, axis=0)
    constant[:, 0] = 0.0
    constant[0, 0] = 1.0
    rest = rest - constant
    defect = float(np.max(np.abs(rest)))
    if n == 1 or defect < 1e-13:
        return Frames(columns, constant, defect)
    cosines, sines = _waves(size)
    flat = rest.reshape(size, -1)
    modes = ((cosines @ flat - 1j * (sines @ flat)) / size).reshape(-1, n, n)
    turns = np.exp(2j * np.pi * rho * np.arange(1, len(modes) + 1))
    q = _change(constant, turns, modes)
    # To the third order: what the change does to the mean of the rest.
    constant = constant + 2.0 * np.einsum("kij,kjl->il", modes, q.conj(), optimize=True).real
    constant[:, 0] = 0.0
    constant[0, 0] = 1.0
    flat_q = q.reshape(len(q), -1)
    wave = 2.0 * (cosines.T @ np.ascontiguousarray(flat_q.real) - sines.T @ np.ascontiguousarray(flat_q.imag))
    change = columns @ wave.reshape(size, n, n)
    # Far from a solution a full step of the frames could make them singular.
    largest = float(np.max(np.abs(change)) / np.max(np.abs(columns)))
    return Frames(columns + change * min(1.0, 0.5 / max(largest, 1e-300)), constant, defect)


def _change(constant: FloatArray, turns: ComplexArray, rest: ComplexArray) -> ComplexArray:
    """Q of Lambda Q - e^{2 pi i k rho} Q Lambda = -R, for all modes; its first column is zero."""
    block, b = constant[1:, 1:], constant[0, 1:]
    q = np.zeros_like(rest)
    values, vectors = np.linalg.eig(block)
    if np.linalg.cond(vectors) < 1e8:
        inverse = np.linalg.inv(vectors)
        right = inverse @ rest[:, 1:, 1:] @ vectors
        divisors = values[None, :, None] - turns[:, None, None] * values[None, None, :]
        safe = np.abs(divisors) > _SAFE * np.abs(right)
        normal = np.where(safe, -right / np.where(safe, divisors, 1.0), 0.0)
        below = -(rest[:, 0, 1:] @ vectors) - (b @ vectors) @ normal
        q[:, 0, 1:] = below / (1.0 - turns[:, None] * values) @ inverse
        q[:, 1:, 1:] = vectors @ normal @ inverse
        return q
    # Multipliers that fall together with their vectors: back substitution in Schur's form.
    triangle, basis = scipy.linalg.schur(block, output="complex")
    right = basis.conj().T @ rest[:, 1:, 1:] @ basis
    for k, turn in enumerate(turns):
        solution, factor, _ = scipy.linalg.lapack.ztrsyl(triangle, -turn * triangle, -right[k])
        normal = solution * factor
        # At a resonance, as of two multipliers that are zero, that part stays what it is.
        normal[~(np.abs(normal) < 1.0 / _SAFE)] = 0.0
        below = -rest[k, 0, 1:] @ basis - (b @ basis) @ normal
        q[k, 0, 1:] = scipy.linalg.solve_triangular(np.eye(len(b)) - turn * triangle, below, trans="T") @ basis.conj().T
        q[k, 1:, 1:] = basis @ normal @ basis.conj().T
    return q


def constant_multipliers(frames: Frames) -> ComplexArray:
    """The normal multipliers (n - 1,) by the constant form, largest first."""
    values = np.linalg.eigvals(frames.constant[1:, 1:]).astype(complex)
    return np.asarray(values[np.argsort(-np.abs(values), kind="stable")])

"""Where orbits may end: equilibria by Newton's method, and the part of their spectrum that one can see, for many cells.

What the generator's states can see of A is the smallest invariant space of its transpose that holds their unit vectors.
In an orthonormal basis that starts with it, A is block triangular: the first block has the observable eigenvalues, the
last one the others (24 of 26 multipliers of a kernel GAN, all equal). No eigenvector has to be judged.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import entry
from gan_bifurcation.kernels import FloatArray, TapeData, run_jacobian
from gan_bifurcation.system import System

ComplexArray = NDArray[np.complex128]

_ITERATIONS: Final = 12
# A direction that enters the observable space with less than this is rounding.
_SEEN: Final = 1e-9
# Eigenvalues whose sizes differ by less are equally slow.
_TIE: Final = 1e-9
_NEUTRAL: Final = 1e-6


@entry
def _solve(a: FloatArray, b: FloatArray) -> bool:
    """Solve a x = b in place, with row exchanges; False if a is singular to rounding."""
    n = b.shape[0]
    for c in range(n):
        best = c
        largest = 0.0
        for r in range(c, n):
            if abs(a[r, c]) > largest:
                largest = abs(a[r, c])
                best = r
        size = 0.0
        for k in range(c, n):
            size = max(size, abs(a[best, k]))
        if not largest > 1e-13 * size:
            return False
        for k in range(n):
            a[c, k], a[best, k] = a[best, k], a[c, k]
        b[c], b[best] = b[best], b[c]
        for r in range(c + 1, n):
            factor = a[r, c] / a[c, c]
            if factor != 0.0:
                for k in range(c + 1, n):
                    a[r, k] -= factor * a[c, k]
                b[r] -= factor * b[c]
    for c in range(n - 1, -1, -1):
        for k in range(c + 1, n):
            b[c] -= a[c, k] * b[k]
        b[c] /= a[c, c]
    return True


@entry
def _newton(
    tape: TapeData, iterations: int, identity: float, x: FloatArray, p: FloatArray, scale: FloatArray, reach: float,
    v: FloatArray, g: FloatArray, a: FloatArray, b: FloatArray, jacobian: FloatArray, defect: FloatArray,
) -> None:  # fmt: skip
    """Solve f(x) = x (identity 1) or f(x) = 0 (identity 0) from the rows of `x` (cells, n), in place.

    `defect` (cells,) is 0 where the iteration ended well, or inf where it failed or went farther than
    `reach`; `jacobian` (cells, n, n) is df/dx at the result.
    """
    cells, n = x.shape
    for cell in range(cells):
        defect[cell] = np.inf
        for i in range(p.shape[1]):
            v[n + i] = p[cell, i]
        path = 0.0
        for trial in range(_ITERATIONS):
            for i in range(n):
                v[i] = x[cell, i]
                for j in range(n):
                    g[i, j] = 1.0 if i == j else 0.0
            for repeat in range(iterations):
                run_jacobian(tape, v, g, 0, tape.code.shape[0])
                for i in range(n):
                    b[i] = v[tape.outputs[i]]
                    for j in range(n):
                        a[i, j] = g[tape.outputs[i], j]
                if repeat + 1 < iterations:
                    for i in range(n):
                        v[i] = b[i]
                        for j in range(n):
                            g[i, j] = a[i, j]
            for i in range(n):
                for j in range(n):
                    jacobian[cell, i, j] = a[i, j]
            if defect[cell] <= 1e-12:
                break
            for i in range(n):
                b[i] = identity * x[cell, i] - b[i]
                a[i, i] -= identity
            if not _solve(a, b):
                defect[cell] = np.inf
                break
            step = 0.0
            for i in range(n):
                x[cell, i] += b[i]
                step = max(step, abs(b[i]) / scale[cell, i])
            path += step
            # Quadratic convergence: what is left after a small correction is far smaller.
            defect[cell] = step if step > 1e-7 else 0.0
            if not path <= reach or trial == _ITERATIONS - 1:
                defect[cell] = np.inf
                break


@entry
def _observable(
    a: FloatArray, seen: NDArray[np.bool_], q: FloatArray, w: FloatArray, out: FloatArray, rank: NDArray[np.int64]
) -> None:
    """Q A Q^T -> `out` (cells, n, n), with rows of Q that span the observable space first; its dimension -> `rank`."""
    cells, n, _ = a.shape
    for cell in range(cells):
        size = 0.0
        for i in range(n):
            for j in range(n):
                size = max(size, abs(a[cell, i, j]))
        rows = 0
        source = 0
        unit = 0
        while rows < n:
            # First the states that are looked at, then what the map makes of them, then anything to fill the basis.
            if source == 0 and unit < n:
                for i in range(n):
                    w[i] = 1.0 if i == unit and seen[unit] else 0.0
                unit += 1
                floor = 0.5
            elif source < rows and rank[cell] < 0:
                for i in range(n):
                    w[i] = 0.0
                    for j in range(n):
                        w[i] += q[source, j] * a[cell, j, i]
                source += 1
                floor = _SEEN * size
            else:
                if rank[cell] < 0:
                    rank[cell] = rows
                    unit = 0
                    source = n
                for i in range(n):
                    w[i] = 1.0 if i == unit else 0.0
                unit += 1
                floor = 1e-6
            for _ in range(2):
                for r in range(rows):
                    product = 0.0
                    for i in range(n):
                        product += q[r, i] * w[i]
                    for i in range(n):
                        w[i] -= product * q[r, i]
            norm = 0.0
            for i in range(n):
                norm += w[i] * w[i]
            norm = np.sqrt(norm)
            if norm > floor:
                for i in range(n):
                    q[rows, i] = w[i] / norm
                rows += 1
        if rank[cell] < 0:
            rank[cell] = n
        for r in range(n):
            for i in range(n):
                w[i] = 0.0
                for j in range(n):
                    w[i] += q[r, j] * a[cell, j, i]
            for s in range(n):
                total = 0.0
                for i in range(n):
                    total += w[i] * q[s, i]
                out[cell, r, s] = total


class Spectra(NamedTuple):
    """What decides about stability, for many cells.

    For maps sizes are moduli of multipliers, for flows real parts of eigenvalues. A neutral one is 1 or 0 to rounding.
    """

    radius: FloatArray  # (cells,): the largest size; only a bound below stability for what is not observable
    beside: FloatArray  # (cells,): the same of those that are not neutral; -inf if all are
    slowest: ComplexArray  # (cells,): the observable eigenvalue of the largest size; of several, one that turns
    across: ComplexArray  # (cells,): the same of those that are not neutral
    rotating: NDArray[np.bool_]  # (cells,): whether an observable mode turns or alternates
    neutral: NDArray[np.int64]  # (cells,): how many are neutral
    visible: NDArray[np.int64]  # (cells,): how many of these are observable

    def of(self, cells: NDArray[Any]) -> "Spectra":
        """Those of some cells."""
        return Spectra(
            self.radius[cells], self.beside[cells], self.slowest[cells], self.across[cells], self.rotating[cells],
            self.neutral[cells], self.visible[cells],
        )  # fmt: skip


def seen_states(system: System) -> NDArray[np.bool_]:
    """Which states the verdict "monotone or spiralling" looks at: the generator's, or all where none is known."""
    generator = set(system.game.generator.states) if system.game is not None else set()
    seen = np.array([state in generator for state in system.states])
    return seen if seen.any() else np.ones(system.n, dtype=bool)


def find_limits(
    system: System, x: FloatArray, p: FloatArray, scale: FloatArray, reach: float = 10.0
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Newton's method from many states at once.

    Parameters
    ----------
    system : System
    x, p, scale : array (cells, n), (cells, m), (cells, n)
        Guesses, parameters, and the size in which each state is measured.
    reach : float
        How far the path of the iteration may go, in units of the scale.

    Returns
    -------
    limits : array (cells, n)
    jacobians : array (cells, n, n)
    found : bool array (cells,)
    """
    n, tape = system.n, system.tape
    limits = np.array(x, dtype=float, order="C")
    v = np.zeros(tape.slots)
    v[len(tape.inputs) : len(tape.inputs) + len(tape.constants)] = tape.constants
    jacobians, defects = np.zeros((len(x), n, n)), np.zeros(len(x))
    _newton(
        tape.data, system.iterations, 1.0 if system.kind == "map" else 0.0, limits,
        np.ascontiguousarray(p), np.ascontiguousarray(scale), float(reach), v, np.zeros((tape.slots, n)),
        np.zeros((n, n)), np.zeros(n), jacobians, defects,
    )  # fmt: skip
    return limits, jacobians, defects == 0.0


def spectra(jacobians: FloatArray, seen: NDArray[np.bool_], is_map: bool) -> Spectra:
    """Stability of many Jacobians (cells, n, n).

    Examples
    --------
    >>> a = np.array([[[0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.9]]])
    >>> found = spectra(a, np.array([True, False, False]), is_map=True)
    >>> float(found.radius[0])
    0.9
    >>> float(abs(found.slowest[0])), bool(found.rotating[0])
    (0.70710678, True)
    """
    cells, n = jacobians.shape[:2]
    split, rank = np.zeros((cells, n, n)), np.full(cells, -1, dtype=np.int64)
    _observable(np.ascontiguousarray(jacobians), seen, np.zeros((n, n)), np.zeros(n), split, rank)
    nothing = np.full(cells, -np.inf)
    slowest, counts = np.zeros((2, cells), dtype=complex), np.zeros((2, cells), dtype=np.int64)
    turns = np.zeros(cells, dtype=bool)
    found = Spectra(nothing, nothing.copy(), slowest[0], slowest[1], turns, counts[0], counts[1])
    one = 1.0 if is_map else 0.0
    for r in np.unique(rank):
        here = np.flatnonzero(rank == r)
        values = np.linalg.eigvals(split[here, :r, :r]).astype(complex)
        neutral = np.abs(values - one) < _NEUTRAL
        found.radius[here], found.slowest[here] = _largest(values, np.ones_like(neutral), is_map)
        found.beside[here], found.across[here] = _largest(values, ~neutral, is_map)
        found.rotating[here] = _turning(values, is_map).any(axis=1)
        found.visible[here] = neutral.sum(axis=1)
        found.neutral[here] = found.visible[here]
        if r < n:
            rest = split[here, r:, r:]
            diagonal = np.einsum("kii->ki", rest)
            around = np.abs(rest).sum(axis=2) - np.abs(diagonal)
            # Gershgorin's discs: exact where the block is diagonal, as that of a discriminator that is linear.
            bound = ((np.abs(diagonal) if is_map else diagonal) + around).max(axis=1)
            beside = bound.copy()
            unsure = bound > one - _NEUTRAL
            if unsure.any():
                others = np.linalg.eigvals(rest[unsure]).astype(complex)
                neutral = np.abs(others - one) < _NEUTRAL
                bound[unsure] = _largest(others, np.ones_like(neutral), is_map)[0]
                beside[unsure] = _largest(others, ~neutral, is_map)[0]
                found.neutral[here[unsure]] += neutral.sum(axis=1)
            found.radius[here] = np.maximum(found.radius[here], bound)
            found.beside[here] = np.maximum(found.beside[here], beside)
    return found


def _largest(values: ComplexArray, allowed: NDArray[np.bool_], is_map: bool) -> tuple[FloatArray, ComplexArray]:
    """Size and value of the largest allowed eigenvalue of each cell; of several that tie one that turns."""
    sizes = np.where(allowed, np.abs(values) if is_map else values.real, -np.inf)
    top = sizes.max(axis=1)
    tied = sizes >= (top - _TIE * np.maximum(np.abs(top), 1e-3))[:, None]
    choice = np.where(tied & _turning(values, is_map), 2, np.where(tied, 1, 0)).argmax(axis=1)
    return top, values[np.arange(len(values)), choice]


def _turning(values: ComplexArray, is_map: bool) -> NDArray[np.bool_]:
    """Modes that turn; a negative multiplier is a turn by half a circle at each step."""
    turning = np.abs(values.imag) > 1e-9 * np.maximum(np.abs(values), 1e-300)
    return turning | (values.real < 0.0) & (np.abs(values) > 1e-9) if is_map else turning

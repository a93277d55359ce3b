"""What vectors along a circle do: how fast they grow, and how the leading direction across the circle comes back.

This takes no frames, so it tells the multipliers where no frames bring the linearisation to constant form; and it tells
a direction that comes back to itself from one that comes back reversed, which no frames over one turn can show.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_waves import highest_mode
from gan_bifurcation.rotation import weights

FloatArray = NDArray[np.float64]

_STEPS: Final = 1500
# Vectors are made orthogonal after so many steps; an odd number, which keeps the sign of a multiplier.
_BLOCK: Final = 5
# Moduli that differ by less than this, relatively, are those of a pair.
_APART: Final = 1e-3
# Derivatives along the circle are read off those at the nodes where their last modes are smaller than this.
_RESOLVED: Final = 1e-12
# Directions at neighbouring phases, and signs of the map, have to agree as well as this.
_CLEAR: Final = 0.5
_AGREED: Final = 0.95

Way = Literal["turns", "keeps", "reverses", "doubles", "unknown"]


@dataclass(frozen=True, eq=False)
class Growth:
    """Moduli of the largest multipliers across a circle, and what the leading direction does.

    Attributes
    ----------
    moduli : array (count,)
        Largest first.
    leading : "turns", "keeps", "reverses", "doubles" or "unknown"
        Whether the leading direction rotates about the circle (a complex pair), is kept by the map (a positive
        multiplier), reversed by it (a negative one), or comes back reversed after one turn around the circle, so that
        it closes after two. It is not told where the direction is not seen to be continuous.
    """

    moduli: FloatArray
    leading: Way


def growth(
    u: FloatArray, at_nodes: FloatArray, rho: float, slopes: Callable[[FloatArray], FloatArray], count: int
) -> Growth:
    """Follow vectors along a circle, with orthogonalisation.

    The averages are weighted smoothly, so that products of the first ones converge faster than any power of the length.

    Parameters
    ----------
    u, at_nodes : array (K, n), (K, n, n)
        States, and derivatives of the map there.
    rho : float
    slopes : callable
        Derivatives (N, n, n) of the map at states (N, n): asked where those at the nodes do not tell them.
    count : int
        How many vectors across the circle are followed.
    """
    size, n = u.shape
    phases = rho * np.arange(_STEPS)
    modes = scipy.fft.rfft(u, axis=0)[: highest_mode(size) + 1] / size
    modes[1:] *= 2.0
    matrices = scipy.fft.rfft(at_nodes.reshape(size, -1), axis=0) / size
    matrices[1:] *= 2.0
    sizes = np.max(np.abs(matrices), axis=1)
    # A map with kinks has derivatives that no few modes hold.
    resolved = float(np.max(sizes[-3:])) < _RESOLVED * float(np.max(sizes))
    if resolved:
        matrices = matrices[: int(np.flatnonzero(sizes > _RESOLVED * np.max(sizes))[-1]) + 1]
    turns = np.exp(2j * np.pi * phases)[:, None]
    waves = np.ones((_STEPS, max(len(modes), len(matrices) * resolved)), dtype=complex)
    np.cumprod(np.broadcast_to(turns, (_STEPS, waves.shape[1] - 1)), axis=1, out=waves[:, 1:])
    low = waves[:, : len(modes)]
    along = (low @ (modes * (2j * np.pi * np.arange(len(modes)))[:, None])).real
    a = (waves[:, : len(matrices)] @ matrices).real.reshape(-1, n, n) if resolved else slopes((low @ modes).real)
    vectors = np.random.default_rng(0).normal(size=(n, count + 1))
    blocks = _STEPS // _BLOCK
    diagonals, first = np.ones((blocks, count + 1)), np.zeros((blocks, n))
    for b in range(blocks):
        k = b * _BLOCK
        vectors[:, 0] = along[k]
        # The library's own calls: what numpy does around them takes longer than they do.
        packed, reflections, _, _ = scipy.linalg.lapack.dgeqrf(vectors)
        vectors, diagonals[b] = scipy.linalg.lapack.dorgqr(packed, reflections)[0], packed.diagonal()
        first[b] = vectors[:, 1]
        for matrix in a[k : k + _BLOCK]:
            vectors = matrix @ vectors
    diagonals[0], burnt = 1.0, blocks // 3
    logs, signs = np.log(np.maximum(np.abs(diagonals[:, 1:]), 1e-300)), np.sign(diagonals[:, 1])
    moduli = np.exp(weights(blocks - burnt) @ logs[burnt:] / _BLOCK)
    if count > 1 and moduli[1] > (1.0 - _APART) * moduli[0]:
        return Growth(moduli, "turns")
    return Growth(moduli, _comes_back(phases[burnt * _BLOCK :: _BLOCK] % 1.0, first[burnt:], signs[burnt:]))


def _comes_back(phases: NDArray[np.floating[Any]], directions: FloatArray, signs: FloatArray) -> Way:
    """What becomes of a real direction, known at many phases up to its sign; `signs` are those that the map gave it."""
    order = np.argsort(phases)
    sorted_directions = directions[order]
    steps = np.sum(sorted_directions * np.roll(sorted_directions, -1, axis=0), axis=1)
    if np.min(np.abs(steps)) < _CLEAR:
        return "unknown"
    if np.prod(np.sign(steps)) < 0.0:
        return "doubles"
    orientation = np.empty(len(phases))
    orientation[order] = np.concatenate([[1.0], np.cumprod(np.sign(steps[:-1]))])
    # The image of a direction is `signs` times the direction at the next phase.
    turned = float(np.mean(orientation[1:] * orientation[:-1] * signs[1:]))
    if abs(turned) < _AGREED:
        return "unknown"
    return "keeps" if turned > 0.0 else "reverses"

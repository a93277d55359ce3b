"""Counting eigenvalues along a strip, in compiled code: a strip is short, and an array operation costs as much as it.

Columns of a tally: real eigenvalues beyond 0 (flows) or +1 (maps), real multipliers beyond -1, unstable complex pairs,
side of the structural one (-1, 0, 1), sign of the determinant, eigenvalues on the boundary, unstable eigenvalues,
whether one of the first five is another than at the point before (ALTERED), and whether eigenvalues look as if they had
changed places (EXCHANGED).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.kernels import FloatArray

# Closer to the stability boundary than this is on it: eigenvalues carry rounding. In units of the largest eigenvalue
# where all are small (slow time) or rounding is larger (very stiff).
_WIDTH: Final = 1e-9
REAL_PART: Final = 1e-10
_ROUNDING: Final = 1e-15
# Larger than any eigenvalue that means something.
FAR: Final = 1e300
POSITIVE, NEGATIVE, PAIRS, STRUCTURAL, SIGN, NEUTRAL, UNSTABLE, CHANGED = range(8)
ALTERED, EXCHANGED = 1, 2
# An eigenvalue may have gone over to the other side if its nearest neighbour there is not much farther than on its own.
_NOT_FARTHER: Final = 1.2


@leaf
def _exchanged(
    is_map: bool, before: NDArray[np.complex128], after: NDArray[np.complex128], width: float
) -> bool:  # fmt: skip
    """Whether eigenvalues may have gone over to the other side, as many one way as the other."""
    for k in range(before.shape[0]):
        z = before[k]
        if z.imag < 0.0 or not abs(z) < FAR:
            continue
        outside = (abs(z) - 1.0 if is_map else z.real) > width
        same = other = np.inf
        for i in range(after.shape[0]):
            y = after[i]
            if y.imag < 0.0 or not abs(y) < FAR:
                continue
            distance = abs(y - z)
            if ((abs(y) - 1.0 if is_map else y.real) > width) == outside:
                same = min(same, distance)
            else:
                other = min(other, distance)
        if other < _NOT_FARTHER * same:
            return True
    return False


@jit
def tally(
    is_map: bool,
    spectra: NDArray[np.complex128],  # (N, reduced)
    structural: FloatArray,  # (N,)
    signs: FloatArray,  # (N,)
    table: NDArray[np.int64],  # (N, 8), filled
    widths: FloatArray,  # (N,), filled: how close to the boundary counts as on it
    sizes: FloatArray,  # (N,), filled: the largest modulus
    distances: FloatArray,  # (N, reduced), filled: from the boundary, in ascending order
) -> None:
    """Count the eigenvalues of each point."""
    for i in range(spectra.shape[0]):
        c = structural[i]
        size = 0.0
        for k in range(spectra.shape[1]):
            modulus = abs(spectra[i, k])
            if modulus < FAR and modulus > size:
                size = modulus
        sizes[i] = size
        if abs(c) < FAR:
            size = max(size, abs(c))
        width = _WIDTH if is_map else max(_WIDTH * min(1.0, size), _ROUNDING * size)
        widths[i] = width
        for column in range(8):
            table[i, column] = 0
        for k in range(spectra.shape[1]):
            z = spectra[i, k]
            modulus = abs(z)
            margin = modulus - 1.0 if is_map else z.real
            turns = not abs(z.imag) <= REAL_PART * (1.0 + modulus)
            if margin > width:
                table[i, UNSTABLE] += 1
                if not turns:
                    table[i, NEGATIVE if is_map and z.real < 0.0 else POSITIVE] += 1
                elif z.imag > 0.0:
                    table[i, PAIRS] += 1
            distance = abs(margin)
            if distance <= width:
                table[i, NEUTRAL] += 1
            at = k
            while at > 0 and not distances[i, at - 1] <= distance:
                distances[i, at] = distances[i, at - 1]
                at -= 1
            distances[i, at] = distance
        if is_map:
            table[i, STRUCTURAL] = 1 if c > 1.0 + _WIDTH else (-1 if c < -1.0 - _WIDTH else 0)
        else:
            table[i, STRUCTURAL] = 1 if c > width else 0
        table[i, SIGN] = int(signs[i])
        for column in range(5 if i > 0 else 0):
            if table[i, column] != table[i - 1, column]:
                table[i, CHANGED] = ALTERED
        if i > 0 and table[i, UNSTABLE] > 0 and _exchanged(is_map, spectra[i - 1], spectra[i], width):
            table[i, CHANGED] |= EXCHANGED

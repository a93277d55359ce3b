"""Counting eigenvalues along a strip, in compiled code: a strip is short, and an array operation costs as much as it.

Columns of a tally: real eigenvalues beyond 0 (flows) or +1 (maps), real multipliers beyond -1, unstable complex pairs,
side of the structural one (-1, 0, 1), sign of the determinant, eigenvalues on the boundary, unstable eigenvalues,
whether one of the first five is another than at the point before.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.kernels import FloatArray

# Closer to the stability boundary than this is on it: eigenvalues carry rounding. In units of the largest eigenvalue
# where all are small (slow time) or rounding is larger (very stiff).
_WIDTH: Final = 1e-9
REAL_PART: Final = 1e-10
_ROUNDING: Final = 1e-15
# Larger than any eigenvalue that means something.
FAR: Final = 1e300
POSITIVE, NEGATIVE, PAIRS, STRUCTURAL, SIGN, NEUTRAL, UNSTABLE, CHANGED = range(8)


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
                table[i, CHANGED] = 1

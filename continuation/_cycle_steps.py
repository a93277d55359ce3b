"""Steps along a branch of cycles: what compiled code does, as functions."""

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _cycle_march as march
from gan_bifurcation.continuation._cycle_kernels import System, do, phase_row, row_times
from gan_bifurcation.continuation._cycle_march import (
    FULL as FULL,
)
from gan_bifurcation.continuation._cycle_march import (
    MESH as MESH,
)
from gan_bifurcation.continuation._cycle_march import (
    TOO_SMALL as TOO_SMALL,
)
from gan_bifurcation.continuation._cycle_memory import (
    ANGLE as ANGLE,
)
from gan_bifurcation.continuation._cycle_memory import (
    LARGEST as LARGEST,
)
from gan_bifurcation.continuation._cycle_memory import (
    LAST as LAST,
)
from gan_bifurcation.continuation._cycle_memory import (
    SIGN as SIGN,
)
from gan_bifurcation.continuation._cycle_memory import (
    SMALLEST as SMALLEST,
)
from gan_bifurcation.continuation._cycle_memory import (
    STEP as STEP,
)
from gan_bifurcation.continuation._cycle_memory import (
    STEP_SIZES as STEP_SIZES,
)
from gan_bifurcation.continuation._cycle_memory import (
    TOLERANCE as TOLERANCE,
)
from gan_bifurcation.continuation._packs import LANES as LANES
from gan_bifurcation.kernels import FloatArray

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]


def factors(s: System, b: FloatArray, which: IntArray) -> float:
    """Factors of the system at the point just evaluated, with all columns and rows; the sign of the determinant."""
    do(s, march.FACTORS, which=which, b=b)
    return float(s.memory[s.sizes.whole])


def tangent(s: System, which: IntArray) -> float:
    """The tangent for the factors at hand into the solution, on the side of the last row; 1/cos of the angle."""
    return do(s, march.ALONG, which=which)[0]


def settle(s: System, which: IntArray, u: FloatArray, b: FloatArray, spectrum: ComplexArray) -> tuple[float, float]:
    """Factors, multipliers and tangent, on the side of the last row, at a point.

    Returns 1/cos of the angle to that row, and the sign of the determinant.
    """
    size, _, _, sign = do(s, march.SETTLE, which=which, u=u, b=b, spectra=spectrum.reshape(1, -1))
    return size, sign


def newton(s: System, which: IntArray, target: float, tolerance: float, most: int, period: float) -> bool:
    """Newton's method from the trial point, with the last row as it is and its value to be the target."""
    return do(s, march.NEWTON, most, target, tolerance, which, b=np.array([period]))[0] == 1.0


def accept(s: System, which: IntArray) -> None:
    """Make the solution the tangent of the present point, and its product the last row."""
    do(s, march.ACCEPT, which=which)


def height(s: System, u: FloatArray, b: FloatArray) -> float:
    """The value of the last row, as given, at a point."""
    p = s.sizes
    last = p.nb - 1
    corner = s.view(p.corner, p.k, p.k)
    return row_times(s, last, u) + float(corner[last, : p.nb] @ b[: p.nb])


def set_row(s: System, t: FloatArray, tb: FloatArray, reference: FloatArray) -> None:
    """Border rows as given: phase condition with this reference, a fixed period, the product with this tangent."""
    p = s.sizes
    corner = s.view(p.corner, p.k, p.k)
    rows = s.view(p.rows, p.k, p.turns * p.wide * LANES)
    phase_row(s, reference, 0)
    corner[: p.nb - 1, : p.nb] = 0.0
    for r in range(1, p.nb - 1):
        rows[r] = 0.0
        corner[r, r - 1] = 1.0
    do(s, march.BORDER, u=t, b=tb)


def multipliers(s: System, out: ComplexArray) -> None:
    """All multipliers (n,), the trivial one first, from the factors and f at the mesh points."""
    do(s, march.MULTIPLIERS, spectra=out.reshape(1, -1))

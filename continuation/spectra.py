"""The spectrum of a point."""

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point


def spectrum(point: Point) -> NDArray[np.complex128]:
    """Eigenvalues (flows) or multipliers (maps) of a point, those nearest to losing stability first.

    Parameters
    ----------
    point : Point

    Returns
    -------
    complex array (n,)

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("flow", {"x": "-x", "y": "-2*y"})
    >>> gb.spectrum(gb.point(s, {"x": 0.0, "y": 0.0})).real.tolist()
    [-1.0, -2.0]
    """
    size = point.spectrum.real if point.system.kind == "flow" else np.abs(point.spectrum)
    return np.asarray(point.spectrum[np.argsort(-size, kind="stable")])


def together(point: Point) -> str:
    """The beginning of a sentence on a point of several critical eigenvalues: they need not be equal."""
    return f"At {point.name or point.label} {point.multiplicity} critical eigenvalues or pairs cross together"

"""Sketches without axes, beside whose numbers a page writes: one run, and where the multipliers lie."""

from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import ArrayLike

from gan_bifurcation.figures.style import BLACK, BLUE, GREY, RED, styled

_SIZE: Final = (3.3, 1.15)
_RUN: Final = (0.01, 0.04, 0.62, 0.92)
_PLANE: Final = (0.66, 0.03, 0.33, 0.94)
# Steps that are few enough to be seen one by one.
_SINGLE: Final = 60


@styled
def run_sketch(times: ArrayLike, values: ArrayLike, spectrum: ArrayLike, kind: str) -> Figure:
    """One state over a run, and the multipliers (maps) or eigenvalues (flows) in the complex plane.

    Parameters
    ----------
    times, values : array (N,)
    spectrum : complex array (n,)
        Empty if there is no equilibrium.
    kind : "map" or "flow"

    Returns
    -------
    Figure
        Without axes: a page says the numbers in words. Stable ones are blue dots, the others red triangles; what
        divides them is the grey circle or line.
    """
    made = Figure(figsize=_SIZE)
    left = made.add_axes(_RUN)
    left.set_axis_off()
    times, values = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    single = kind == "map" and len(times) <= _SINGLE
    left.plot(times, values, color=BLUE, lw=0.7 if single else 1.0, marker="." if single else "", ms=3)
    right = made.add_axes(_PLANE)
    right.set_axis_off()
    right.set_aspect("equal")
    _spectrum(right, np.asarray(spectrum, dtype=complex), kind)
    return made


def _spectrum(ax: Any, spectrum: Any, kind: str) -> None:
    if not len(spectrum):
        return
    size = float(np.max(np.abs(spectrum)))
    if kind == "map":
        reach = 1.12 * max(1.0, size)
        ax.add_patch(Circle((0.0, 0.0), 1.0, fill=False, ec=GREY, lw=0.9))
        stable = np.abs(spectrum) < 1.0
    else:
        reach = 1.15 * (size or 1.0)
        ax.add_patch(Rectangle((-reach, -reach), reach, 2.0 * reach, fc="0.95", ec="none"))
        ax.plot([0.0, 0.0], [-reach, reach], color=GREY, lw=0.9)
        stable = spectrum.real < 0.0
    ax.plot([-reach, reach], [0.0, 0.0], color="0.8", lw=0.6, zorder=1)
    for chosen, colour, marker in ((stable, BLUE, "o"), (~stable, RED, "^")):
        z = spectrum[chosen]
        ax.plot(z.real, z.imag, ls="", marker=marker, ms=4, color=colour, mec=BLACK, mew=0.4, zorder=3)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)

"""Sketches without axes, beside whose numbers a page writes: one run, and where the multipliers lie."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Rectangle
from matplotlib.transforms import Bbox, BboxTransform
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.figures.style import BLACK, BLUE, GREY, RED, styled

_SIZE: Final = (3.3, 1.15)
# In parts of the size.
_RUN: Final = Bbox.from_bounds(0.01, 0.04, 0.62, 0.92)
_PLANE: Final = Bbox.from_bounds(0.66, 0.03, 0.33, 0.94)
_MARGIN: Final = 0.05
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
    run = np.column_stack([np.asarray(times, dtype=float), np.asarray(values, dtype=float)])
    if len(run):
        single = kind == "map" and len(run) <= _SINGLE
        line = Line2D(*run.T, color=BLUE, lw=0.7 if single else 1.0, marker="." if single else "", ms=3)
        _put(made, [line], _around(run), _RUN)
    found = np.asarray(spectrum, dtype=complex)
    if len(found):
        reach, artists = _spectrum(found, kind)
        # A square, so that the circle is round.
        side = min(_SIZE[0] * _PLANE.width, _SIZE[1] * _PLANE.height)
        half = 0.5 * side / np.array(_SIZE)
        centre = 0.5 * np.add(_PLANE.p0, _PLANE.p1)
        _put(made, artists, Bbox([[-reach, -reach], [reach, reach]]), Bbox([centre - half, centre + half]))
    return made


def _put(figure: Figure, artists: Sequence[Line2D | Patch], values: Bbox, part: Bbox) -> None:
    """Artists in a part of a figure, without axes: making those takes longer than all that they would hold."""
    transform = BboxTransform(values, part) + figure.transFigure
    for artist in artists:
        artist.set_transform(transform)
        figure.add_artist(artist)


def _around(run: NDArray[np.float64]) -> Bbox:
    finite = run[np.isfinite(run).all(axis=1)]
    if not len(finite):
        return Bbox.unit()
    low, high = finite.min(axis=0), finite.max(axis=0)
    # What stays the same is a line in the middle.
    span = np.where(high > low, _MARGIN * (high - low), np.maximum(np.abs(high), 1.0))
    return Bbox([low - span, high + span])


def _spectrum(spectrum: NDArray[np.complex128], kind: str) -> tuple[float, list[Line2D | Patch]]:
    """How far the plane is shown, and what is on it."""
    size = float(np.max(np.abs(spectrum)))
    made: list[Line2D | Patch]
    if kind == "map":
        reach = 1.12 * max(1.0, size)
        made = [Circle((0.0, 0.0), 1.0, fill=False, ec=GREY, lw=0.9)]
        stable = np.abs(spectrum) < 1.0
    else:
        reach = 1.15 * (size or 1.0)
        half = Rectangle((-reach, -reach), reach, 2.0 * reach, fc="0.95", ec="none")
        made = [half, Line2D([0.0, 0.0], [-reach, reach], color=GREY, lw=0.9)]
        stable = spectrum.real < 0.0
    made.append(Line2D([-reach, reach], [0.0, 0.0], color="0.8", lw=0.6, zorder=1))
    for chosen, colour, marker in ((stable, BLUE, "o"), (~stable, RED, "^")):
        z = spectrum[chosen]
        made.append(Line2D(z.real, z.imag, ls="", marker=marker, ms=4, color=colour, mec=BLACK, mew=0.4, zorder=3))
    return reach, made

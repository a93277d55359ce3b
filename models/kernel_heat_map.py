"""The heat map of the kernel GAN's slowest multiplier over width and regularisation, as data.

References
----------
Becker, Pandit, Rangan, Fletcher: Local Convergence of Gradient Descent-Ascent for Training Generative Adversarial
Networks (2023), arXiv 2305.08277; the map is that of the authors' published notebook of eigenvalues.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.kernel_steps import Multipliers, alternating_multipliers, simultaneous_multipliers
from gan_bifurcation.tables import Table

__all__ = ["HeatMap", "heat_map", "kernel_radii", "notebook_radius", "saturated_widths", "stable_width"]

FloatArray = NDArray[np.float64]

_MOST_CELLS = 1000


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Largest squared moduli of multipliers over a grid, rows lam and columns sigma.

    Attributes
    ----------
    sigma : float array (columns,)
    lam : float array (rows,)
    notebook : float array (rows, columns)
        The published formula, which takes the masses of one point and the relative mode that only several points have.
    one_point : float array (rows, columns)
        The full system with one generated point of mass P.
    two_points : float array (rows, columns)
        The full system with two generated points of mass P/2 each.
    rotating : bool array (rows, columns)
        Where the mean mode of one point is complex.
    """

    sigma: FloatArray
    lam: FloatArray
    notebook: FloatArray
    one_point: FloatArray
    two_points: FloatArray
    rotating: NDArray[np.bool_]


def heat_map(
    *,
    sigma: ArrayLike | None = None,
    lam: ArrayLike | None = None,
    p: float = 1.0,
    total: float = 0.8,
    eta_d: float = 0.1,
    eta_g: float | None = None,
    steps: Literal["simultaneous", "alternating"] = "simultaneous",
) -> HeatMap:
    """Squared spectral radii over widths and regularisations: the published map and the full systems side by side.

    Parameters
    ----------
    sigma, lam : array, optional
        Grids; 400 widths in [0.01, 1] and 400 regularisations in [0.01, 10], even in the logarithm, by default.
    p, total : float
        True and generated mass.
    eta_d, eta_g : float
        Learning rates; equal by default.
    steps : "simultaneous" or "alternating"
        The order of the steps of the full systems; the notebook's formula is for simultaneous ones.

    Returns
    -------
    HeatMap

    Examples
    --------
    >>> data = heat_map(sigma=[0.1, 0.5], lam=[1.0])
    >>> data.notebook.shape, bool(data.one_point[0, 0] > 1)
    ((1, 2), False)
    """
    if steps not in ("simultaneous", "alternating"):
        raise MisuseError(f"'steps' must be 'simultaneous' or 'alternating', but got {steps!r}.")
    widths = _grid("sigma", np.geomspace(0.01, 1, 400) if sigma is None else sigma)
    strengths = _grid("lam", np.geomspace(0.01, 10, 400) if lam is None else lam)
    eta_g = eta_d if eta_g is None else eta_g
    multipliers = simultaneous_multipliers if steps == "simultaneous" else alternating_multipliers
    where = {"lam": strengths[:, None], "k2": widths[None, :] ** -2.0}
    rates = {"p": p, "eta_d": eta_d, "eta_g": eta_g}
    one = multipliers(q=total, **where, **rates)
    two = multipliers(q=total / 2, total=total, **where, **rates)
    return HeatMap(
        widths,
        strengths,
        notebook_radius(p=p, total=total, **where, eta_d=eta_d, eta_g=eta_g) ** 2,
        _radius(one, relative=False) ** 2,
        _radius(two, relative=True) ** 2,
        np.asarray(one.mean_plus.imag != 0),
    )


def kernel_radii(
    *,
    sigma: tuple[float, float] = (0.01, 1.0),
    lam: tuple[float, float] = (0.01, 10.0),
    cells: int = 400,
    p: float = 1.0,
    total: float = 0.8,
    eta_d: float = 0.1,
    eta_g: float | None = None,
    steps: Literal["simultaneous", "alternating"] = "simultaneous",
) -> Table:
    """The heat map as a table for studies, over grids even in the logarithm.

    Parameters
    ----------
    sigma, lam : (low, high)
    cells : int
        Along each axis.
    p, total, eta_d, eta_g, steps
        As for `heat_map`.

    Returns
    -------
    Table
        Fields over ``sigma`` and ``lam``: the squared radii ``published``, ``one_point`` and ``two_points``, and
        ``rotating``, which is 1 where the mean mode of one point is complex. Numbers: parts of the cells, that are
        unstable, that differ from the published ones in this, and that rotate.

    Examples
    --------
    >>> sorted(kernel_radii(cells=20).numbers)[:2]
    ['differing_one_point', 'differing_two_points']
    """
    if isinstance(cells, bool) or not isinstance(cells, int) or not 2 <= cells <= _MOST_CELLS:
        raise MisuseError(f"'cells' is a whole number from 2 to {_MOST_CELLS}, but got {cells!r}.")
    grids = {}
    for name, pair in (("sigma", sigma), ("lam", lam)):
        if np.shape(pair) != (2,) or not 0 < pair[0] < pair[1] < math.inf:
            raise MisuseError(f"'{name}' is a pair of positive numbers, the smaller first, but got {pair!r}.")
        grids[name] = np.geomspace(pair[0], pair[1], cells)
    data = heat_map(**grids, p=p, total=total, eta_d=eta_d, eta_g=eta_g, steps=steps)
    radii = {"published": data.notebook, "one_point": data.one_point, "two_points": data.two_points}
    unstable = {name: values > 1.0 for name, values in radii.items()}
    numbers = {f"unstable_{name}": float(mask.mean()) for name, mask in unstable.items()}
    numbers |= {
        f"differing_{name}": float((unstable[name] != unstable["published"]).mean())
        for name in ("one_point", "two_points")
    }
    numbers["rotating"] = float(data.rotating.mean())
    fields = {**radii, "rotating": data.rotating.astype(float)}
    return Table(numbers=numbers, axes=grids, fields={name: values.T for name, values in fields.items()})


def notebook_radius(*, p: float, total: float, lam: ArrayLike, k2: ArrayLike, eta_d: float, eta_g: float) -> FloatArray:
    """max(|rho_a|, |rho_b|, |rho_c|) as published: simultaneous steps, q = P in rho_b, and only the slower root of
    rho_c.

    The left-out root never is the largest while the mean mode is overdamped and stable, since both roots lie between
    rho_a and rho_b. With q = P there is one point and no rho_b: the full system differs wherever rho_b decides.
    """
    rho = simultaneous_multipliers(lam=lam, p=p, q=total, k2=k2, eta_d=eta_d, eta_g=eta_g)
    parts = np.broadcast_arrays(abs(rho.regularisation), abs(rho.relative), abs(rho.mean_plus))
    return np.asarray(np.max(parts, axis=0))


def _radius(rho: Multipliers, *, relative: bool) -> FloatArray:
    parts = [abs(rho.regularisation), abs(rho.mean_plus), abs(rho.mean_minus)]
    if relative:
        parts.append(abs(rho.relative))
    return np.asarray(np.max(np.broadcast_arrays(*parts), axis=0))


def saturated_widths(
    *, lam: float, p: float, q: float, total: float, eta_d: float, mu: float = 1.0
) -> tuple[float, float] | None:
    """Widths between which max(|rho_a|, |rho_b|, |rho_c|) of simultaneous steps is 1 - eta_d lam; None if at none.

    mu q Delta/(lam (2/eta_d - lam)) <= sigma^2 <= mu q (Delta - h p)/(lam^2 (1 - h)), which needs h < Delta/p.

    Examples
    --------
    >>> saturated_widths(lam=1.0, p=1.0, q=0.8, total=0.8, eta_d=0.1)
    (0.0917662935482247, 0.298142396999972)
    """
    h, mismatch = eta_d * lam, p - total
    if not 0 < h < min(mismatch / p, 1):
        return None
    low = mu * q * mismatch / (lam * (2 / eta_d - lam))
    high = mu * q * (mismatch - h * p) / (lam**2 * (1 - h))
    return (math.sqrt(low), math.sqrt(high)) if low <= high else None


def stable_width(*, lam: float, p: float, q: float, total: float, eta_d: float, mu: float = 1.0) -> float:
    """The width below which max(|rho_a|, |rho_b|, |rho_c|) of simultaneous steps exceeds 1 (for eta_d lam < 2); 0 if at
    none.

    sigma^2 = max(eta_d mu q Delta/(2 lam), mu q (eta_d p - Delta/lam)/lam): the flip of rho_b and the Neimark-Sacker of
    rho_c.

    Examples
    --------
    >>> round(stable_width(lam=2.0, p=1.0, q=0.8, total=0.8, eta_d=0.1), 12)
    0.063245553203
    """
    mismatch = p - total
    square = max(eta_d * mu * q * mismatch / (2 * lam), mu * q * (eta_d * p - mismatch / lam) / lam, 0.0)
    return math.sqrt(square)


def _grid(name: str, values: ArrayLike) -> FloatArray:
    grid = np.array(values, dtype=float, ndmin=1)
    if grid.ndim != 1 or not np.all(np.isfinite(grid) & (grid > 0)):
        raise MisuseError(f"'{name}' must be a sequence of positive finite numbers.")
    return grid

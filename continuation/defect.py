"""What vanishes at an equilibrium or fixed point, in units of the states, and how units are found.

Tests of size (of a step, of a singular value) compare states with each other. Where these differ by many orders of
magnitude, as after a change of units, they are measured in units in which they do not.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.evaluation import jacobian, make_evaluator, value
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# Units that differ from one by less than this make no difference to any test of size, and are not used.
_ALIKE: Final = 1e4
# Smaller than this a state counts as zero, whose size is not known.
SMALLEST: Final = 1e-12


class Defect:
    """F(x) = f(x) of a flow or f(x) - x of a map, with x = units * y, as a function of y, in the same units.

    Parameters
    ----------
    system : System
    units : array (n,), optional
        One where not given.
    """

    def __init__(self, system: System, units: FloatArray | None = None) -> None:
        self.system, self.n, self.is_map = system, system.n, system.kind == "map"
        self.units = np.ones(system.n) if units is None else units
        self._evaluator = make_evaluator(system.tape.data, system.iterations, system.n, 1)
        self._joint = np.concatenate([np.zeros(system.n), system.parameter_vector()])

    def value(self, y: FloatArray) -> FloatArray:
        f = np.empty(self.n)
        self._joint[: self.n] = y * self.units
        value(self._evaluator, self._joint, f)
        return (f - self._joint[: self.n] if self.is_map else f) / self.units

    def derivative(self, y: FloatArray) -> FloatArray:
        a = np.ascontiguousarray(self._full(y)[1][:, : self.n]) * (self.units / self.units[:, None])
        return a - np.eye(self.n) if self.is_map else a

    def relative_size(self, y: FloatArray) -> float:
        """Largest residual relative to the size of the terms of its equation."""
        f, j = self._full(y)
        x = self._joint[: self.n]
        f = (f - x if self.is_map else f) / self.units
        if not np.isfinite(f).all():
            return np.inf
        terms = np.maximum(np.abs(j) @ np.abs(self._joint), np.abs(x)) / self.units
        return float(np.max(np.abs(f) / np.maximum(terms, 1e-3)))

    def _full(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        f, j = np.empty(self.n), np.empty((self.n, len(self._joint)))
        self._joint[: self.n] = y * self.units
        jacobian(self._evaluator, self._joint, f, j)
        return f, j


def found_units(system: System, x: FloatArray) -> FloatArray | None:
    """Units of the states near a state (n,), or None where those they have will do.

    Those of states that act on each other are balanced; how large they are together is read off the state itself, or,
    where it is zero, off the step of Newton's method from it.
    """
    defect = Defect(system)
    a, f = defect.derivative(x), defect.value(x)
    if not (np.isfinite(a).all() and np.isfinite(f).all()):
        return None
    try:
        step = np.abs(np.linalg.solve(a, f))
    except np.linalg.LinAlgError:
        step = np.zeros(system.n)
    return balanced_units(a, np.abs(x), step)


def balanced_units(a: FloatArray, *sizes: FloatArray) -> FloatArray | None:
    """Units (n,) in which a Jacobian's rows are like its columns, or None where all of them would be near one.

    A group of states that act on each other has one factor in common, which the Jacobian does not tell. With it the
    largest of them is one in the first of the sizes (n,) that are not zero. If all are, the smallest unit is one, or
    so large that what drives the group from outside is no larger than what it does to itself.
    """
    off = np.abs(a)
    np.fill_diagonal(off, 0.0)
    row, column = off.sum(axis=1), off.sum(axis=0)
    # Without a way there and back there is nothing to balance.
    linked = (row > 0.0) & (column > 0.0)
    spread = row[linked] / column[linked]
    units = np.ones(len(a))
    alike = unlike(spread) is None
    if alike and unlike(sizes[0]) is None:
        return None
    if not alike:
        from scipy.linalg import matrix_balance

        units = matrix_balance(a, permute=False, separate=True)[1][0]
    for group in _groups(off > 0.0):
        known = (float(np.max(size[group] / units[group])) for size in sizes if size[group].max() > SMALLEST)
        factor = next(known, 0.0)
        if not factor:
            units[group] /= float(units[group].min())
            rates = np.abs(a[group]) * (units / units[group, None])
            own = float(rates[:, group].max())
            rates[:, group] = 0.0
            factor = max(1.0, float(rates.max()) / own) if own > 0.0 else 1.0
        if factor < np.inf:
            units[group] *= factor
    return unlike(units)


def unlike(units: FloatArray) -> FloatArray | None:
    """The units, or None if all are near one."""
    return units if bool((units > _ALIKE).any() or (units < 1.0 / _ALIKE).any()) else None


def _groups(acts: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """States that act on each other, one way or another; what drives a group comes before it."""
    n = len(acts)
    reaches = acts | np.eye(n, dtype=bool)
    for _ in range(int(np.ceil(np.log2(max(n, 2))))):
        reaches = (reaches.astype(float) @ reaches) > 0.0
    mutual = reaches & reaches.T
    first = mutual.argmax(axis=1)
    groups = [np.flatnonzero(first == g) for g in np.unique(first)]
    return sorted(groups, key=lambda group: int(reaches[group[0]].sum()))

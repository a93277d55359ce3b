"""What vanishes at an equilibrium or fixed point, in units of the states, and how units are found.

Tests of size (of a step, of a singular value) compare states with each other. Where these differ by many orders of
magnitude, as after a change of units, they are measured in units in which they do not.
"""

from copy import copy
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.evaluation import jacobian, make_evaluator, value
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# Units that differ from one by less than this make no difference to any test of size, and are not used.
_ALIKE: Final = 1e4
# Smaller than this a state may be what rounding leaves of a zero, whose size is not known.
SMALLEST: Final = 1e-12
# The part of such a state by which it is changed, to see whether the equations notice, and how exactly they must.
_CHANGE: Final = 1e-4
_NOTICED: Final = 1e-11
_ROUNDING: Final = 1e-12
# The part of the largest row of a Jacobian below which a row may be rounding; how far away it is looked at again.
_FAINT: Final = 1e-13
_BESIDE: Final = 1e-3


class Defect:
    """F(x) = f(x) of a flow or f(x) - x of a map, with x = units * y, as a function of y, each in its own units.

    Parameters
    ----------
    system : System
    units : array (n,), optional
        Of the states; one where not given.
    rates : array (n,), optional
        Units of F are these, times those of the states; one where not given.
    """

    def __init__(self, system: System, units: FloatArray | None = None, rates: FloatArray | None = None) -> None:
        self.system, self.n, self.is_map = system, system.n, system.kind == "map"
        self.units = np.ones(system.n) if units is None else units
        self.rates = np.ones(system.n) if rates is None else rates
        # Whether all units are one.
        self.usual = units is None and rates is None
        self._evaluator = make_evaluator(system.tape.data, system.iterations, system.n, 1)
        self._joint = np.concatenate([np.zeros(system.n), system.parameter_vector()])

    def near(self, x: FloatArray) -> Self:
        """The same in units found near a state (n,)."""
        found = copy(self)
        found.units, found.rates, found.usual = np.ones(self.n), np.ones(self.n), True
        a = found.derivative(x)
        if not np.isfinite(a).all():
            return found
        known, _ = found.known_sizes(x, a)
        units = None
        if unlike(known) is not None or not _balanced_already(a):
            # How large states are together is read off the state itself, or, where it is zero, off Newton's step.
            try:
                step = np.abs(np.linalg.solve(a, found.value(x)))
            except np.linalg.LinAlgError:
                step = np.zeros(self.n)
            if not np.isfinite(step).all():
                return found
            small = (known > 0.0) & (known < SMALLEST)
            step = np.where(step > SMALLEST, step, 0.0)
            units = balanced_units(a, np.where(small, np.maximum(known, step), known), step)
            found.units = found.units if units is None else units
            found.usual = units is None
        rates = found._found_rates(x, a)
        if rates is not None:
            found.rates, found.usual = rates, False
        return found

    def value(self, y: FloatArray) -> FloatArray:
        f = np.empty(self.n)
        self._joint[: self.n] = y * self.units
        value(self._evaluator, self._joint, f)
        if self.is_map:
            f -= self._joint[: self.n]
        return f if self.usual else f / (self.units * self.rates)

    def derivative(self, y: FloatArray) -> FloatArray:
        a = self._full(y)[1][:, : self.n].copy()
        if not self.usual:
            a *= self.units / self.units[:, None]
        if self.is_map:
            a.flat[:: self.n + 1] -= 1.0
        return a if self.usual else a / self.rates[:, None]

    def relative_size(self, y: FloatArray) -> float:
        """Largest residual relative to the size of the terms of its equation."""
        f, j = self._full(y)
        x = self._joint[: self.n]
        f = (f - x if self.is_map else f) / (self.units * self.rates)
        if not np.isfinite(f).all():
            return np.inf
        terms = np.maximum(np.abs(j) @ np.abs(self._joint) / self.rates, np.abs(x)) / self.units
        return float(np.max(np.abs(f) / np.maximum(terms, 1e-3)))

    def known_sizes(self, y: FloatArray, a: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sizes of states (n,), zero for those that may be what rounding leaves of a zero, and of Newton's step there.

        A small state is known if the equations notice that it is changed by a part of itself, and if it is larger than
        what rounding of the other states and of parameters makes of it; `a` is the derivative.
        """
        size = np.abs(y)
        doubtful = np.flatnonzero((size < SMALLEST) & (size > 0.0))
        if not doubtful.size:
            return size, np.zeros(self.n)
        try:
            inverse = np.linalg.inv(a)
        except np.linalg.LinAlgError:
            inverse = np.full_like(a, np.inf)
        with np.errstate(invalid="ignore", over="ignore"):
            rounding = np.abs(inverse) @ (np.abs(self._full(y)[1]) @ np.abs(self._joint) / (self.units * self.rates))
            size[doubtful[size[doubtful] < _ROUNDING * rounding[doubtful]]] = 0.0
            for i in doubtful.tolist():
                change = np.zeros(self.n)
                change[i] = _CHANGE * y[i]
                unexplained = 0.5 * (self.value(y + change) - self.value(y - change)) - a[:, i] * change[i]
                if not np.abs(inverse[i]) @ np.abs(unexplained) < _NOTICED * size[i]:
                    size[i] = 0.0
            # Rounding in one state is rounding in those that it acts on.
            size[(size < SMALLEST) & (size < np.max(np.abs(y[size == 0.0]), initial=0.0))] = 0.0
            return size, np.abs(inverse @ self.value(y))

    def _found_rates(self, x: FloatArray, a: FloatArray) -> FloatArray | None:
        """Rates (n,) at which equations change, or None where all are near one; rounding of a zero is no rate.

        `a` is the derivative at a state, not in units.
        """
        a = a * (self.units / self.units[:, None])
        rows = np.abs(a).max(axis=1)
        largest = float(rows.max())
        if unlike(rows) is None or not 0.0 < largest < np.inf:
            return None
        faint = rows < _FAINT * largest
        if faint.any():
            y, generic = x / self.units, np.sin(np.arange(1.0, self.n + 1.0))
            beside = self.derivative(y + _BESIDE * generic * np.maximum(1.0, np.abs(y)))
            rows[faint & ~(np.abs(beside - a).max(axis=1) <= 0.5 * rows)] = largest
        return np.asarray(np.where(rows > 0.0, rows, largest))

    def _full(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        f, j = np.empty(self.n), np.empty((self.n, len(self._joint)))
        self._joint[: self.n] = y * self.units
        jacobian(self._evaluator, self._joint, f, j)
        return f, j


def balanced(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """D^-1 A D, whose rows are like its columns, and the units D (n,)."""
    from scipy.linalg import matrix_balance

    with np.errstate(invalid="ignore"):  # scipy takes large units for numbers of rows, and puts none of them to use
        matrix, (units, _) = matrix_balance(a, permute=False, separate=True)
    return matrix, units


def balanced_units(a: FloatArray, *sizes: FloatArray) -> FloatArray | None:
    """Units (n,) in which a Jacobian's rows are like its columns, or None where all of them would be near one.

    A group of states that act on each other has one factor in common, which the Jacobian does not tell. With it the
    largest of them is one in the first of the sizes (n,) that are not zero. If all are, the smallest unit is one, or
    so large that what drives the group from outside is no larger than what it does to itself.
    """
    units = np.ones(len(a))
    alike = _balanced_already(a)
    if alike and unlike(sizes[0]) is None:
        return None
    if not alike:
        units = balanced(a)[1]
    off = np.abs(a)
    np.fill_diagonal(off, 0.0)
    for group in _groups(off > 0.0):
        known = (float(np.max(size[group] / units[group])) for size in sizes if size[group].any())
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


def _balanced_already(a: FloatArray) -> bool:
    off = np.abs(a)
    np.fill_diagonal(off, 0.0)
    row, column = off.sum(axis=1), off.sum(axis=0)
    # Without a way there and back there is nothing to balance.
    linked = (row > 0.0) & (column > 0.0)
    return unlike(row[linked] / column[linked]) is None


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

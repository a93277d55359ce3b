"""The equilibria that traced branches lead to, at many points of a window, without a new problem for each of them."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.equilibria import damped_newton
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.evaluation import make_evaluator, value
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
# (family, unit coordinates (k, d), states (k, n)): a piece of a traced branch.
Sheet = tuple[int, FloatArray, FloatArray]

_GUESSES_OF_A_FAMILY: Final = 10
# Steps of Newton's method with damping, where that without has failed.
_LAST_RESORT: Final = 15


class Solver:
    """Newton's method from the nearest points of traced branches.

    Parameters
    ----------
    system : System
    window : Window
    sheets : sequence of (family, unit, states)
    folded : set of int
        Families with folds or branch points.
    """

    def __init__(self, system: System, window: Window, sheets: Sequence[Sheet], folded: frozenset[int]) -> None:
        self.system, self.window, self.sheets, self.folded = system, window, sheets, folded
        self._problem = CurveProblem(system, {})
        self._base = system.parameter_vector()
        self._columns = [system.parameter_index(name) for name in window.names]
        self._bounds = len(system.domain)
        if system.domain:
            tape = observable_tape(system, [text for text, _ in system.domain])
            self._domain: Any = make_evaluator(tape.data, 1, self._bounds, 0)

    def parameters(self, units: FloatArray) -> FloatArray:
        """Parameter vectors (k, m) at points (k, d) of the window."""
        units = np.asarray(units, dtype=float)
        vectors = np.tile(self._base, (len(units), 1))
        if len(units):
            vectors[:, self._columns] = self.window.from_unit(units)
        return vectors

    def spectrum(self, parameters: FloatArray, x: FloatArray) -> ComplexArray:
        """All eigenvalues or multipliers at a state (n,) and a parameter vector (m,)."""
        self._problem.arrays.p[:] = parameters
        return self._problem.spectrum(np.asarray(x, dtype=float))

    def equilibria(self, units: FloatArray, *, first_only: bool = False) -> list[list[FloatArray]]:
        """All equilibria that branches lead to at each point, that of the first family first."""
        units = np.asarray(units, dtype=float)
        if not self.sheets or not len(units):
            return [[] for _ in units]
        nearest = [_nearest(places, units) for _, places, _ in self.sheets]
        found = []
        for i, p in enumerate(self.parameters(units)):
            guesses: dict[int, list[tuple[float, FloatArray]]] = {}
            for (family, _, states), (which, distance) in zip(self.sheets, nearest, strict=True):
                guesses.setdefault(family, []).append((float(distance[i]), states[which[i]]))
            found.append(self._solved(p, guesses, first_only))
        return found

    def _solved(
        self, p: FloatArray, guesses: dict[int, list[tuple[float, FloatArray]]], first_only: bool
    ) -> list[FloatArray]:
        self._problem.arrays.p[:] = p
        found: list[FloatArray] = []
        # The same as an array: most guesses lead to what is known, and to compare them one by one took longest.
        known = np.empty((0, self.system.n))
        for family in sorted(guesses):
            # A family that never folds or branches has one equilibrium at each place.
            number = _GUESSES_OF_A_FAMILY if family in self.folded else 1
            for _, guess in sorted(guesses[family], key=lambda g: g[0])[:number]:
                x, ok = self._problem.newton(guess)
                if not (ok and np.isfinite(x).all()):
                    continue
                size = 1.0 + float(np.max(np.abs(x)))
                if bool((np.abs(known - x).max(axis=1) > 1e-6 * size).all()) and self._inside(p, x):
                    found.append(x)
                    known = np.vstack([known, x])
                    if first_only:
                        return found
        if not found and not self.folded:
            # The last resort is slow, but goes on where Newton's method alone gives up; beyond a fold it would search
            # for what is not there.
            everything = [guess for family in guesses.values() for guess in family]
            system = self.system.with_parameters(**dict(zip(self.system.parameters, p.tolist(), strict=True)))
            x, _, ok = damped_newton(system, min(everything, key=lambda g: g[0])[1], iterations=_LAST_RESORT)
            if ok and self._inside(p, x):
                found.append(x)
        return found

    def _inside(self, p: FloatArray, x: FloatArray) -> bool:
        """Whether a state lies inside the system's domain."""
        if not self._bounds:
            return True
        values = np.empty(self._bounds)
        value(self._domain, np.concatenate([x, p]), values)
        return bool(np.all(values >= -1e-9))


def _nearest(places: FloatArray, units: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    """For each of the points (k, d) the nearest place, and how far it is."""
    difference = units[:, None, :] - places[None, :, :]
    squares = np.einsum("kpd,kpd->kp", difference, difference)
    which = squares.argmin(axis=1)
    return which, np.sqrt(squares[np.arange(len(units)), which])

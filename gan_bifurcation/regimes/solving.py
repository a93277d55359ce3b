"""The equilibria that traced branches lead to, at many points of a window, without a new problem for each of them."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.continuation._kernels import residual_jacobian
from gan_bifurcation.continuation._linear_algebra import reduced_spectrum
from gan_bifurcation.continuation._tracer import correct
from gan_bifurcation.continuation.equilibria import damped_newton
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.evaluation import make_evaluator, value
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
# (family, unit coordinates (k, d), states (k, n)): a piece of a traced branch.
Sheet = tuple[int, FloatArray, FloatArray]

_GUESSES_OF_A_FAMILY: Final = 10
# Steps of Newton's method with damping, where that without has failed.
_LAST_RESORT: Final = 15
# Of Newton's method without damping, and to what part of each unknown.
_STEPS: Final = 12
_EXACT: Final = 1e-11
# How far beyond a bound of the domain what lies on it may come out.
_ROUNDING: Final = 1e-9


@jit
def _solve_all(
    s: Any, domain: Any, parameters: FloatArray, states: FloatArray, bounds: FloatArray, solved: NDArray[np.bool_]
) -> None:
    """Newton's method from the rows of `states` (k, n), in place; `solved` (k,) where it ends inside the domain."""
    n = states.shape[1]
    row = np.zeros(n)
    z = np.zeros(n + parameters.shape[1])
    for k in range(states.shape[0]):
        s.p[:] = parameters[k]
        x = states[k]
        solved[k] = correct(s, x, row, 0.0, _STEPS, _EXACT) > 0
        z[:n] = x
        z[n:] = parameters[k]
        if bounds.shape[0] > 0:
            value(domain, z, bounds)
        for i in range(n):
            solved[k] = solved[k] and abs(x[i]) < np.inf
        for bound in bounds:
            solved[k] = solved[k] and bound >= -_ROUNDING


@jit
def _linearise_all(
    s: Any, parameters: FloatArray, states: FloatArray, jacobians: FloatArray, radii: FloatArray
) -> None:
    n = states.shape[1]
    for k in range(states.shape[0]):
        s.p[:] = parameters[k]
        residual_jacobian(s, states[k])
        radius = -np.inf
        if s.linear.shape[0] > s.rest.shape[0]:
            structural = s.j[s.linear[0], s.linear[0]]
            radius = abs(structural) if s.is_map else structural
        for eigenvalue in reduced_spectrum(s.j, s.linear, s.rest):
            size = abs(eigenvalue) if s.is_map else eigenvalue.real
            # Not a number is no maximum of anything.
            if not size <= radius and radius == radius:
                radius = size
        radii[k] = radius
        jacobians[k] = s.j[:, :n]


def linearised(problem: CurveProblem, parameters: FloatArray, states: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Jacobians (k, n, n) of a problem without free parameters, and the largest moduli of multipliers or real parts.

    Parameters
    ----------
    problem : CurveProblem
    parameters, states : array (k, m), (k, n)
    """
    k, n = states.shape
    jacobians, radii = np.empty((k, n, n)), np.empty(k)
    _linearise_all(problem.state, np.ascontiguousarray(parameters), np.ascontiguousarray(states), jacobians, radii)
    return jacobians, radii


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
        self._bounds = np.zeros(len(system.domain))
        tape = observable_tape(system, [text for text, _ in system.domain] or ["1"])
        self._domain = make_evaluator(tape.data, 1, len(self._bounds), 0)

    def parameters(self, units: FloatArray) -> FloatArray:
        """Parameter vectors (k, m) at points (k, d) of the window."""
        units = np.asarray(units, dtype=float)
        vectors = np.tile(self._base, (len(units), 1))
        if len(units):
            vectors[:, self._columns] = self.window.from_unit(units)
        return vectors

    def radii(self, parameters: FloatArray, states: FloatArray) -> FloatArray:
        """The largest modulus of the multipliers, or real part of the eigenvalues, at each state (k, n)."""
        return linearised(self._problem, parameters, states)[1]

    def equilibria(self, units: FloatArray, *, first_only: bool = False) -> list[list[FloatArray]]:
        """All equilibria that branches lead to at each point, that of the first family first."""
        units = np.asarray(units, dtype=float)
        found: list[list[FloatArray]] = [[] for _ in units]
        if not self.sheets or not len(units):
            return found
        nearest = [_nearest(places, units) for _, places, _ in self.sheets]
        parameters = self.parameters(units)
        for family in sorted({f for f, _, _ in self.sheets}):
            own = [k for k, (f, _, _) in enumerate(self.sheets) if f == family]
            # A family that never folds or branches has one equilibrium at each place.
            number = _GUESSES_OF_A_FAMILY if family in self.folded else 1
            order = np.argsort([nearest[k][1] for k in own], axis=0, kind="stable")[:number]
            for places in order:
                here = [i for i in range(len(units)) if not (first_only and found[i])]
                guesses = [self.sheets[own[places[i]]][2][nearest[own[places[i]]][0][i]] for i in here]
                for i, x in zip(here, self._solved(parameters[here], guesses), strict=True):
                    if x is not None and _is_new(x, found[i]):
                        found[i].append(x)
        for i in range(len(units)) if not self.folded else ():
            if not found[i]:
                # The last resort is slow, but goes on where Newton's method alone gives up; beyond a fold it would
                # search for what is not there.
                k = min(range(len(self.sheets)), key=lambda k: nearest[k][1][i])
                found[i] += self._last_resort(parameters[i], self.sheets[k][2][nearest[k][0][i]])
        return found

    def _solved(self, parameters: FloatArray, guesses: Sequence[FloatArray]) -> list[FloatArray | None]:
        """What Newton's method finds inside the domain from each guess."""
        states = np.array(guesses, dtype=float).reshape(-1, self.system.n)
        solved = np.zeros(len(states), dtype=bool)
        _solve_all(self._problem.state, self._domain, parameters, states, self._bounds, solved)
        return [x.copy() if ok else None for x, ok in zip(states, solved.tolist(), strict=True)]

    def _last_resort(self, p: FloatArray, guess: FloatArray) -> list[FloatArray]:
        system = self.system.with_parameters(**dict(zip(self.system.parameters, p.tolist(), strict=True)))
        x, _, ok = damped_newton(system, guess, iterations=_LAST_RESORT)
        if not ok:
            return []
        if len(self._bounds):
            value(self._domain, np.concatenate([x, p]), self._bounds)
        return [x] if np.all(self._bounds >= -_ROUNDING) else []


def _is_new(x: FloatArray, known: Sequence[FloatArray]) -> bool:
    """Most guesses lead to what is known, and to compare them one by one took longest."""
    if not known:
        return True
    size = 1.0 + float(np.max(np.abs(x)))
    return bool((np.abs(np.array(known) - x).max(axis=1) > 1e-6 * size).all())


def _nearest(places: FloatArray, units: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    """For each of the points (k, d) the nearest place, and how far it is."""
    difference = units[:, None, :] - places[None, :, :]
    squares = np.einsum("kpd,kpd->kp", difference, difference)
    which = squares.argmin(axis=1)
    return which, np.sqrt(squares[np.arange(len(units)), which])

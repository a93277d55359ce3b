"""Cycles by orthogonal collocation: a cycle, its mesh and free parameters as a system that compiled code works on."""

from collections.abc import Mapping
from functools import cache
from math import comb
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_kernels import evaluate, inner_product, make_cycle, phase_row
from gan_bifurcation.continuation._cycle_mesh import density, equidistribute, sample
from gan_bifurcation.continuation.floquet import multipliers
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.profiles import Profile
from gan_bifurcation.ranges import Range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

INTERVALS: Final = 30
DEGREE: Final = 4
# Newton's corrections, in scaled unknowns, below which a point is solved.
TOLERANCE: Final = 1e-11
# The predictor may be off by this part of the step; beyond it the corrector may have found another curve.
_OFF: Final = 0.4
_GROWTH: Final = 1.6


@cache
def tables(degree: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Derivatives and values (m, m + 1) of the node polynomials at the Gauss points, weights, and top derivative.

    Nodes are equidistant on an interval of length 1. Rows of derivatives sum to 0, of values to 1.
    """
    x, omega = np.polynomial.legendre.leggauss(degree)
    x, omega = 0.5 * (x + 1.0), 0.5 * omega
    nodes = np.arange(degree + 1) / degree
    d, w = np.zeros((degree, degree + 1)), np.zeros((degree, degree + 1))
    for k in range(degree + 1):
        others = np.delete(nodes, k)
        factors = (x[:, None] - others) / (nodes[k] - others)
        w[:, k] = factors.prod(axis=1)
        for j in range(degree):
            d[:, k] += np.delete(factors, j, axis=1).prod(axis=1) / (nodes[k] - others[j])
    top = np.array([(-1.0) ** (degree - k) * comb(degree, k) for k in range(degree + 1)]) * float(degree) ** degree
    assert np.allclose(d.sum(axis=1), 0.0, atol=1e-11)
    assert np.allclose(w.sum(axis=1), 1.0, atol=1e-11)
    return d, w, omega, top


def nodes_of(mesh: FloatArray, degree: int) -> FloatArray:
    """Phases of all nodes of a mesh, (N m + 1,)."""
    inner = mesh[:-1, None] + np.diff(mesh)[:, None] * np.arange(degree)[None, :] / degree
    return np.append(inner.ravel(), 1.0)


def natural_sizes(u: FloatArray) -> FloatArray:
    """Sizes of the states of a cycle: their amplitude, or part of their values where they hardly move."""
    size = np.maximum(np.ptp(u, axis=0), 0.02 * np.max(np.abs(u), axis=0))
    largest = float(np.max(size, initial=0.0))
    return np.asarray(np.where(size > 1e-12 * largest, size, largest if largest > 0.0 else 1.0))


class Collocation:
    """A collocation system for a cycle, with what compiled code works on.

    Attributes
    ----------
    system : System
    free : dict of str to Range
    period : float or None
        The period that is held fixed; then there is one more free parameter.
    mesh : array (N + 1,)
    degree : int
    scale : array (n,)
    which : int array
        Numbers of the borders: period and free parameters, and as many rows.
    u, t : arrays (N m + 1, n)
        Scaled states and tangent at the present point; `before`, `before_t` at the last one, `trial` under way.
    b, tb, ... : arrays
        Period, free parameters in their windows, and further unknowns.
    """

    def __init__(
        self, system: System, free: Mapping[str, Range], mesh: FloatArray, degree: int, scale: FloatArray,
        period: float | None = None, extra: int = 0,
    ) -> None:  # fmt: skip
        self.system, self.free, self.period, self.degree = system, dict(free), period, degree
        self.mesh, self.scale = np.array(mesh, dtype=float), np.array(scale, dtype=float)
        self.intervals = len(mesh) - 1
        n, nf = system.n, len(self.free)
        self.nb = 1 + nf + extra
        borders = self.nb + 3
        points = self.intervals * degree + 1
        self.io = np.zeros((6, points, n))
        self.bio = np.zeros((7, borders))
        self.rows = np.zeros((borders, self.intervals, n * (degree + 1)))
        self.corner = np.zeros((borders, borders))
        self.pencil = np.zeros((2, n, n))
        self.p = system.parameter_vector()
        window = np.array([[r.low, r.high, float(r.log)] for r in self.free.values()]).T.copy()
        places = np.array([system.parameter_index(name) for name in self.free], dtype=np.int64)
        d, w, omega, self.top = tables(degree)
        self.h = np.diff(self.mesh)
        self.state: Any = make_cycle(
            system.tape.data, n, self.h, d, w, omega, window, places, self.p, self.scale, extra, self.io, self.bio,
            self.rows, self.corner, self.pencil,
        )  # fmt: skip
        self.which = np.arange(self.nb, dtype=np.int64)
        self.spectrum = np.zeros(n, dtype=complex)
        self.u, self.t, self.before, self.before_t, self.trial, self.solution = self.io
        self.b, self.before_b, self.trial_b, self.tb, self.before_tb, self.solution_b, self.weights = self.bio
        self.step = np.zeros(steps.STEP_SIZES)
        self.step[steps.TOLERANCE] = TOLERANCE

    # -- units ------------------------------------------------------------------------------------------------------

    def to_window(self, values: Mapping[str, float]) -> FloatArray:
        """Free parameters in their windows, 0 at the low and 1 at the high end."""
        return np.array([r.to_unit(values[name]) for name, r in self.free.items()], dtype=float)

    def values(self, b: FloatArray) -> FloatArray:
        """Values of the free parameters for border unknowns `b`."""
        return np.array([r.from_unit(float(q)) for q, r in zip(b[1:], self.free.values(), strict=False)], dtype=float)

    def at(self, b: FloatArray) -> System:
        """The system with the parameters for border unknowns `b`."""
        return self.system.with_parameters(**dict(zip(self.free, self.values(b).tolist(), strict=True)))

    def set_weights(self) -> None:
        """A relative change of the period counts like that of a state by its size."""
        self.weights[:] = 1.0
        self.weights[0] = 1.0 / self.b[0] ** 2

    # -- a point ----------------------------------------------------------------------------------------------------

    def profile(self, u: FloatArray, b: FloatArray) -> Profile:
        """The states of a point as a profile."""
        return Profile(nodes_of(self.mesh, self.degree), u * self.scale, float(b[0]), mesh=self.mesh)

    def load(self, profile: Profile, values: Mapping[str, float]) -> None:
        """Take a profile, interpolated to the mesh, and parameter values as the present point."""
        self.u[:] = resample(profile, nodes_of(self.mesh, self.degree)) / self.scale
        self.b[:] = 0.0
        self.b[0] = profile.period
        self.b[1 : 1 + len(self.free)] = self.to_window(values)
        self.set_weights()

    def norm(self, u: FloatArray, b: FloatArray) -> float:
        """The length of a difference of two points."""
        return float(np.sqrt(inner_product(self.state, u, u) + np.sum(self.weights[: self.nb] * b[: self.nb] ** 2)))

    def twin(self) -> "Collocation":
        """Another one with the same points, to look around without losing the place."""
        new = Collocation(
            self.system, self.free, self.mesh, self.degree, self.scale, self.period, self.nb - 1 - len(self.free)
        )
        new.io[:4], new.bio[:], new.step[:] = self.io[:4], self.bio, self.step
        return new

    def shares(self) -> tuple[FloatArray, float]:
        """Each interval's share in the error, and the largest over the mean."""
        out = np.zeros(self.intervals)
        worst = density(self.mesh, self.u, self.top, out)
        return out, float(worst)

    def on_mesh(self, mesh: FloatArray, scale: FloatArray) -> "Collocation":
        """The same points on another mesh, with other sizes of the states; tangents keep their meaning."""
        new = Collocation(self.system, self.free, mesh, self.degree, scale, self.period, self.nb - 1 - len(self.free))
        phases = nodes_of(new.mesh, self.degree)
        for k in range(4):
            sample(self.mesh, self.io[k], phases, new.io[k])
            new.io[k] *= self.scale / scale
        new.bio[:6] = self.bio[:6]
        new.set_weights()
        # Lengths are measured anew.
        size = new.norm(new.t, new.tb)
        new.step[:] = self.step
        if size > 0.0:
            new.t[:] /= size
            new.tb[:] /= size
            new.before_t[:] /= size
            new.before_tb[:] /= size
            new.step[steps.LAST] *= size
        return new

    def adapted_mesh(self, intervals: int | None = None) -> FloatArray:
        """A mesh with equal shares of the error at the present point."""
        shares, _ = self.shares()
        mesh = np.zeros((intervals or self.intervals) + 1)
        equidistribute(self.mesh, shares, mesh)
        return mesh

    # -- solving ----------------------------------------------------------------------------------------------------

    def begin(self) -> float:
        """Tangent and multipliers at the present point, on the side of `t`, `tb`; the cosine of the angle to it."""
        s = self.state
        steps.set_row(s, self.t, self.tb, self.u)
        size = self._settle(self.u, self.b)
        steps.accept(s, self.which, self.step, False)
        self.step[steps.LAST] = 0.0
        return 1.0 / float(size)

    def _settle(self, u: FloatArray, b: FloatArray) -> float:
        """Factors, multipliers and tangent (on the side of the last row) at a point; 1/cos of the angle to that row."""
        s = self.state
        evaluate(s, u, b, 2)
        phase_row(s, u, 0)
        self.step[steps.SIGN] = steps.factors(s, b, self.which)
        multipliers(s, self.spectrum)
        return float(steps.tangent(s, self.which))

    def improve(self, target: float, fresh: bool, tolerance: float, most: int) -> tuple[bool, int, int, float]:
        """Newton's method from the trial point, with the last row as it is and its value to be the target.

        Without `fresh` the factors at hand serve as long as they converge fast.

        Returns
        -------
        (bool, int, int, float)
            Whether it converged, iterations, factorisations, sum of the corrections.
        """
        s, period = self.state, self.period or 0.0
        before, moved, renewed = np.inf, 0.0, 0
        for iteration in range(1, most + 1):
            evaluate(s, self.trial, self.trial_b, 1 if fresh else 0)
            if fresh:
                steps.factors(s, self.trial_b, self.which)
                renewed += 1
            size = steps.improve(s, self.which, target, period)
            moved += size
            if not (size < 1e3 and self.trial_b[0] > 0.0):
                return False, iteration, renewed, moved
            rate = size / before
            # The second correction says little of the third: what is fast has gone by then.
            if size <= tolerance or (iteration > 2 and rate < 0.5 and size * rate <= 0.3 * tolerance):
                return True, iteration, renewed, moved
            if fresh and iteration > 2 and rate > 0.3 and size <= 1e2 * tolerance:
                # Rounding is all that is left.
                return True, iteration, renewed, moved
            if rate > 0.9 and iteration > 3:
                return False, iteration, renewed, moved
            fresh = fresh or (rate > 0.3 and iteration > 1)
            before = size
        return False, most, renewed, moved

    def advance(self) -> bool:
        """One step further; False if even the smallest step failed."""
        s, step = self.state, self.step
        while True:
            ds = float(min(step[steps.STEP], step[steps.LARGEST]))
            # The factors of the last point mean nothing where the matrix is nearly singular, as beside a branch point.
            for fresh in (False, True):
                # A cubic through points much closer than the step magnifies their errors.
                before = float(step[steps.LAST])
                target = steps.predict(s, ds, before if not fresh and 2.0 * before > ds else 0.0)
                good, used, renewed, moved = self.improve(target, fresh, step[steps.TOLERANCE], 10)
                good = good and moved < _OFF * ds
                if good:
                    break
            touched = renewed > 0
            if good:
                touched = True
                size = self._settle(self.trial, self.trial_b)
                # What is left of the error falls to rounding with the new factors, at no further evaluation.
                steps.polish(s, self.which, self.trial, self.trial_b, self.period or self.trial_b[0])
                good = bool(1.0 / size > np.cos(min(2.0 * step[steps.ANGLE], 1.4)))
            if good:
                break
            step[steps.STEP] = 0.5 * ds
            if step[steps.STEP] < step[steps.SMALLEST]:
                return False
            if touched:
                phase_row(s, self.u, 0)
                evaluate(s, self.u, self.b, 1)
                steps.factors(s, self.b, self.which)
        steps.accept(s, self.which, step, True)
        step[steps.LAST] = ds
        angle = float(np.arccos(min(1.0, 1.0 / size)))
        growth = min(_GROWTH, step[steps.ANGLE] / angle) if angle > 0.0 else _GROWTH
        # Old factors serve badly beside a branch point, where shorter steps would be no help.
        if renewed > 3:
            growth = min(growth, 0.7)
        elif used > 5 or renewed:
            growth = min(growth, 1.0)
        elif used > 4:
            growth = min(growth, 1.1)
        step[steps.STEP] = min(max(ds * growth, step[steps.SMALLEST]), step[steps.LARGEST])
        return True

    def solve(self, target: float, tolerance: float = TOLERANCE, most: int = 12) -> bool:
        """Newton's method from the trial point, with the last row as it is and its value to be the target."""
        return self.improve(target, True, tolerance, most)[0]

    def hold(self, index: int) -> None:
        """Make the last row the border unknown of this number: 0 for the period, 1 for the first parameter."""
        last = self.nb - 1
        self.rows[last] = 0.0
        self.corner[last] = 0.0
        self.corner[last, index] = 1.0


def resample(profile: Profile, phases: FloatArray) -> FloatArray:
    """States of a cycle's profile at growing phases."""
    if not len(profile.mesh):
        raise MisuseError("This profile has no mesh: it is no cycle.")
    out = np.zeros((len(phases), profile.states.shape[1]))
    sample(np.array(profile.mesh), np.array(profile.states), phases, out)
    return out

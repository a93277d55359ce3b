"""Cycles by orthogonal collocation: a cycle, its mesh and free parameters as a system that compiled code works on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _cycle_march as march
from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_kernels import do, inner_product, make_cycle
from gan_bifurcation.continuation._cycle_memory import SPARE, VECTORS
from gan_bifurcation.continuation._cycle_mesh import equidistribute, sample
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
    phases = np.empty((len(mesh) - 1) * degree + 1)
    left = mesh[:-1]
    length = (mesh[1:] - left) / degree
    for k in range(degree):
        phases[k:-1:degree] = left + k * length
    phases[-1] = 1.0
    return phases


def shown(mesh: FloatArray, degree: int) -> tuple[FloatArray, FloatArray]:
    """Phases of all nodes, and the mesh, as profiles have them: nobody writes to them."""
    phases, mesh = nodes_of(mesh, degree), mesh.copy()
    phases.setflags(write=False)
    mesh.setflags(write=False)
    return phases, mesh


def natural_sizes(u: FloatArray) -> FloatArray:
    """Sizes of the states of a cycle: their amplitude, or part of their values where they hardly move."""
    size = np.maximum(np.ptp(u, axis=0), 0.02 * np.max(np.abs(u), axis=0))
    largest = float(np.max(size, initial=0.0))
    return np.asarray(np.where(size > 1e-12 * largest, size, largest if largest > 0.0 else 1.0))


@dataclass(frozen=True, eq=False)
class Strides:
    """Points that `Collocation.march` found.

    Attributes
    ----------
    reason : int
        Why it came back.
    records : array (count, numbers)
        See `_cycle_watch.record`.
    spectra : complex array (count, n)
    meshes : list of arrays (N + 1,)
    """

    reason: int
    records: FloatArray
    spectra: ComplexArray
    meshes: list[FloatArray]


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
        self.mesh, scale = np.array(mesh, dtype=float), np.array(scale, dtype=float)
        self.intervals = len(mesh) - 1
        n, nf = system.n, len(self.free)
        self.nb = 1 + nf + extra
        window = np.array([[r.low, r.high, float(r.log)] for r in self.free.values()]).T.copy()
        places = np.array([system.parameter_index(name) for name in self.free], dtype=np.int64)
        d, w, omega, self.top = tables(degree)
        self.h = np.diff(self.mesh)
        self.state = make_cycle(
            system.tape.data, n, self.h, d, w, omega, window, places, system.parameter_vector(), scale, extra
        )
        p = self.state.sizes
        # Present point and tangent, the last ones, trial point, solution.
        self.points = self.state.view(p.vectors, VECTORS, p.vector)
        self.rows = self.state.view(p.rows, p.k, p.turns, p.wide, steps.LANES)
        self.corner = self.state.view(p.corner, p.k, p.k)
        self.pencil = self.state.view(p.pencil, 2, n, n)
        self.step = self.state.view(p.step, steps.STEP_SIZES)
        # Compiled code changes them as cycles grow.
        self.scale = self.state.view(p.scale, n)
        self.which = np.arange(self.nb, dtype=np.int64)
        self.spectrum = np.zeros(n, dtype=complex)
        self.u, self.t, self.before, self.before_t, self.trial, self.solution = map(self.state.states, range(6))
        self.b, self.tb, self.before_b, self.before_tb, self.trial_b, self.solution_b = map(
            self.state.borders, range(6)
        )
        self.weights = self.state.view(p.weights, p.k)
        self.step[steps.TOLERANCE] = TOLERANCE
        self._scratch: dict[int, Collocation] = {}
        self._shown: tuple[FloatArray, FloatArray, FloatArray] | None = None

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
        if self._shown is None or self._shown[0] is not self.mesh:
            self._shown = (self.mesh, *shown(self.mesh, self.degree))
        states = u * self.scale
        states.setflags(write=False)
        return Profile.over(*self._shown[1:], states, float(b[0]))

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
        """Another one with the same points."""
        new = self._beside(0)
        new.points[:], new.weights[:], new.step[:] = self.points, self.weights, self.step
        return new

    def scratch(self, extra: int = 0) -> "Collocation":
        """One to look around with without losing the place, the same each time, with so many more unknowns.

        It is on this mesh; without more unknowns it has the same points.
        """
        new = self._scratch.get(extra)
        if new is None:
            new = self._scratch[extra] = self._beside(extra)
        new.mesh, new.h[:] = self.mesh, self.h
        # The first part of the memory, with the mesh and the sizes of states, is laid out alike.
        common = self.state.sizes.ul
        new.state.memory[:common] = self.state.memory[:common]
        if not extra:
            new.points[:], new.weights[:], new.step[:] = self.points, self.weights, self.step
        return new

    def _beside(self, extra: int) -> "Collocation":
        extra += self.nb - 1 - len(self.free)
        return Collocation(self.system, self.free, self.mesh, self.degree, self.scale, self.period, extra)

    def shares(self) -> tuple[FloatArray, float]:
        """Each interval's share in the error, and the largest over the mean."""
        out = np.zeros(self.intervals)
        worst = do(self.state, march.DENSITY, self.system.n, u=self.u, t=self.top, b=self.h, out=out)[0]
        return out, float(worst)

    def on_mesh(self, mesh: FloatArray, scale: FloatArray) -> "Collocation":
        """The same points on another mesh, with other sizes of the states; tangents keep their meaning."""
        new = Collocation(self.system, self.free, mesh, self.degree, scale, self.period, self.nb - 1 - len(self.free))
        phases = nodes_of(new.mesh, self.degree)
        for k in range(4):
            states = new.state.states(k)
            sample(self.mesh, self.state.states(k), phases, states)
            states *= self.scale / scale
            new.state.borders(k)[:] = self.state.borders(k)
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
        size, self.step[steps.SIGN] = steps.settle(s, self.which, self.u, self.b, self.spectrum)
        steps.accept(s, self.which)
        self.step[steps.LAST] = 0.0
        return 1.0 / size

    def march(self, known: int, most: int, limits: FloatArray) -> "Strides":
        """Points from the present one on, at most so many, until one is to be looked at; see `_cycle_march`."""
        p = self.state.sizes
        numbers = 3 + 2 * p.nb + 2 * p.n + p.states
        out = np.zeros(most * numbers + (most // march.EVERY + 2) * (self.intervals + 1))
        meshes = out[most * numbers :].reshape(-1, self.intervals + 1)
        meshes[0] = self.mesh
        spectra = np.zeros((most + 1, p.n), dtype=complex)
        spectra[0] = self.spectrum
        _, reason, count, last = do(
            self.state, march.MARCH, known, self.period or 0.0, which=self.which, u=self.h, t=self.top, b=limits,
            out=out, spectra=spectra,
        )  # fmt: skip
        self.spectrum[:] = spectra[count]
        used = [self.mesh, *(mesh.copy() for mesh in meshes[1 : int(last) + 1])]
        self.mesh = used[-1]
        return Strides(reason, out[: count * numbers].reshape(count, numbers), spectra[1 : count + 1], used)

    def extremes(self, u: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Least and greatest values (n,) of the states of a cycle on this mesh, in their own units."""
        n = self.system.n
        out = np.zeros(2 * n)
        self.state.states(SPARE)[:] = u
        do(self.state, march.EXTREMA, b=b, out=out)
        return out[:n] * self.scale, out[n:] * self.scale

    def solve(self, target: float, tolerance: float = TOLERANCE, most: int = 12) -> bool:
        """Newton's method from the trial point, with the last row as it is and its value to be the target."""
        return steps.newton(self.state, self.which, target, tolerance, most, self.period or 0.0)

    def hold(self, index: int) -> None:
        """Make the last row the border unknown of this number: 0 for the period, 1 for the first parameter."""
        last = self.nb - 1
        self.rows[last] = 0.0
        self.corner[last] = 0.0
        self.corner[last, index] = 1.0


def extremes_of(system: System, profile: Profile) -> tuple[FloatArray, FloatArray]:
    """Least and greatest values (n,) of the states of a cycle of a flow, as accurate as its mesh points.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> circle = gb.System.from_equations(
    ...     "flow", {"x": "mu*x - y - x*(x**2 + y**2)", "y": "x + mu*y - y*(x**2 + y**2)"}, {"mu": 1.0}
    ... )
    >>> cycle = gb.trace(gb.orbit_to_cycle(gb.simulate(circle, [1.0, 0.0], duration=20)), {"mu": (1, 2)}).point(0)
    >>> bool(np.max(np.abs(extremes_of(cycle.system, cycle.profile)[1] - 1.0)) < 1e-10)
    True
    """
    # Compiled code has one free parameter at least; its value is exact in the middle of a window.
    name = next(iter(system.parameters), None)
    if name is None:
        raise MisuseError("The extrema of a cycle are computed for a system with a parameter, got one without.")
    size = max(1.0, abs(system.parameters[name]))
    window = Range(system.parameters[name] - size, system.parameters[name] + size)
    scale = natural_sizes(profile.states)
    c = Collocation(system, {name: window}, profile.mesh, profile.degree, scale)
    c.b[:2] = profile.period, 0.5
    return c.extremes(profile.states / c.scale, c.b)


def resample(profile: Profile, phases: FloatArray) -> FloatArray:
    """States of a cycle's profile at growing phases."""
    if not len(profile.mesh):
        raise MisuseError("This profile has no mesh: it is no cycle.")
    out = np.zeros((len(phases), profile.states.shape[1]))
    sample(np.array(profile.mesh), np.array(profile.states), phases, out)
    return out

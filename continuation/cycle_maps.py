"""The return map of a cycle as a System, so that all that is known of fixed points of maps serves cycles.

Its section is the plane across the flow at the first state of the cycle's profile, its coordinates are orthonormal in
it, its fixed point is zero. Derivatives of every order come from jets carried along the cycle. On the way the orbit is
put back on the cycle's own states several times, so that it neither drifts from an unstable cycle nor needs to be found
again: what the collocation left of an error stays as small as it is.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.calls import call, handle_of
from gan_bifurcation.continuation.collocation import natural_sizes
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import symbol
from gan_bifurcation.jet_transport import Loaded, onto_plane
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# The orbit is put back on the cycle so often in a turn.
_STAGES: Final = 4
TOLERANCE: Final = 1e-12
# Labels of cycles, and what they are to the fixed point of the return map.
OF_MAP: Final = {"LPC": "LP", "BPC": "BP", "CPC": "CP"}
_MOST_LANDINGS: Final = 20


@dataclass(frozen=True, eq=False)
class Turn:
    """One turn along a cycle, as a function of coordinates in the section and of some parameters.

    Attributes
    ----------
    flow : System
        With the parameter values of the cycle.
    states : array (K + 1, n)
        States of the cycle on which the orbit is put back; the last is the first.
    durations : array (K,)
    free : tuple of str
        The parameters that are arguments.
    tolerance : float
        Of the integration.
    frame : array (n, n - 1)
        The orthonormal basis of the section.
    """

    flow: System
    states: FloatArray
    durations: FloatArray
    free: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    frame: FloatArray = field(init=False, repr=False)
    _normal: FloatArray = field(init=False, repr=False)
    _key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.flow.kind != "flow" or self.flow.switching_functions:
            raise MisuseError(
                f"The field of '{self.flow.name}' has kinks, so its cycles have no return map by jets; use gb.poincare."
            )
        speed = self.flow.rhs(self.states[0])
        size = float(np.linalg.norm(speed))
        if not size > 0.0:
            raise MisuseError("The flow stands still at the first state of the cycle, so no section is across it.")
        normal = speed / size
        # The reflection that takes a unit vector to the normal takes the others to the plane.
        v = normal.copy()
        k = int(np.argmax(np.abs(v)))
        v[k] += np.copysign(1.0, v[k])
        reflection = np.eye(len(v)) - 2.0 * np.outer(v, v) / (v @ v)
        object.__setattr__(self, "frame", np.delete(reflection, k, axis=1))
        object.__setattr__(self, "_normal", normal)
        facts = (
            self.flow.tape.digest, self.flow.parameter_vector().tobytes(), self.states.tobytes(),
            self.durations.tobytes(), self.free, self.tolerance,
        )  # fmt: skip
        object.__setattr__(self, "_key", hashlib.sha256(repr(facts).encode()).hexdigest())
        handle_of(self)

    @property
    def key(self) -> str:
        """Equal for equal maps, on every machine."""
        return self._key

    # -- the map (see `calls.Callee`) ---------------------------------------------------------------------------------

    def value(self, z: FloatArray) -> FloatArray:
        """The section's coordinates after a turn (n - 1,)."""
        return np.ascontiguousarray(self.jet(np.asarray(z, dtype=complex)[:, None])[:, 0].real)

    def jacobian(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The return and its derivative: two columns from one jet along a complex direction."""
        count = len(z)
        slope = np.zeros((self.frame.shape[1], count))
        value = np.zeros(self.frame.shape[1])
        for c in range(0, count, 2):
            inputs = np.zeros((count, 2), dtype=complex)
            inputs[:, 0], inputs[c, 1] = z, 1.0
            if c + 1 < count:
                inputs[c + 1, 1] = 1j
            made = self.jet(inputs)
            value, slope[:, c] = made[:, 0].real, made[:, 1].real
            if c + 1 < count:
                slope[:, c + 1] = made[:, 1].imag
        return value, slope

    def second(self, z: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The return, its derivative, and its second derivative in a direction and each argument.

        The second derivative along d + i e is that along d less that along e, and 2 i times the mixed one.
        """
        count = len(z)
        size = float(np.linalg.norm(direction))
        slope = np.zeros((self.frame.shape[1], count))
        curvature = np.zeros_like(slope)
        value = np.zeros(self.frame.shape[1])
        for c in range(count):
            inputs = np.zeros((count, 3), dtype=complex)
            inputs[:, 0] = z
            inputs[:, 1] = direction / size if size > 0.0 else 0.0
            inputs[c, 1] += 1j
            made = self.jet(inputs)
            value, slope[:, c], curvature[:, c] = made[:, 0].real, made[:, 1].imag, size * made[:, 2].imag
        return value, slope, curvature

    def jet(self, inputs: ComplexArray) -> ComplexArray:
        """Taylor coefficients of the return along a curve of coordinates and parameters."""
        flow, n = self.flow, self.flow.n
        p = np.zeros((flow.m, inputs.shape[1]), dtype=complex)
        p[:, 0] = flow.parameter_vector()
        for k, name in enumerate(self.free):
            p[flow.parameter_index(name)] = inputs[n - 1 + k]
        moving = Loaded(flow.tape, p, n)
        own = [flow.parameters[name] for name in self.free]
        on_cycle = not inputs[: n - 1, 0].any() and bool(np.all(inputs[n - 1 :, 0] == own))
        y = self.frame @ inputs[: n - 1]
        y[:, 0] += self.states[0]
        for k, duration in enumerate(self.durations):
            y = moving.carried(y, float(duration), self.tolerance)
            if on_cycle:
                y[:, 0] = self.states[k + 1]
            else:
                y[:, 0] -= self._defects[k]
        if not on_cycle:
            # To the plane with the base point, then with all of the curve.
            for _ in range(_MOST_LANDINGS):
                miss = self._normal @ (y[:, 0] - self.states[0])
                rate = self._normal @ moving.outputs(y)[:n, 0]
                if abs(miss) <= 1e-15 * (1.0 + np.linalg.norm(self.states[0])):
                    break
                y = moving.carried(y, float((-miss / rate).real), self.tolerance)
        moved = onto_plane(moving, self._normal, y)
        moved[:, 0] -= self.states[0]
        found: ComplexArray = self.frame.T @ moved
        if on_cycle:
            found[:, 0] = 0.0
        return found

    @property
    def _defects(self) -> FloatArray:
        """By how much the orbit misses the cycle's states, (K, n)."""
        if "defects" not in self.__dict__:
            moving = Loaded(self.flow.tape, self.flow.parameter_vector().astype(complex)[:, None], self.flow.n)
            made = [
                moving.carried(a.astype(complex)[:, None], float(d), self.tolerance)[:, 0].real - b
                for a, b, d in zip(self.states[:-1], self.states[1:], self.durations, strict=True)
            ]
            object.__setattr__(self, "defects", np.array(made))
        found: FloatArray = self.__dict__["defects"]
        return found

    @property
    def error(self) -> float:
        """The largest miss, relative to the sizes of the states."""
        return float(np.max(np.abs(self._defects) / natural_sizes(self.states)))

    def system(self) -> System:
        """The map."""
        n = self.flow.n
        names = [f"across_{k + 1}" for k in range(n - 1)]
        while set(names) & set(self.free):
            names = [name + "_" for name in names]
        arguments = [symbol(name) for name in (*names, *self.free)]
        parameters = {name: self.flow.parameters[name] for name in self.free}
        return System(
            "map", f"return map of a cycle of {self.flow.name}", tuple(names), parameters, (),
            call(self, arguments, n - 1),
            description=f"Returns of the flow '{self.flow.name}' to the plane across a cycle.",
        )  # fmt: skip


def turn_of(point: Point, free: tuple[str, ...] = (), tolerance: float = TOLERANCE) -> Turn:
    """The turn along the cycle of a point.

    Raises
    ------
    MisuseError
        If the point is no cycle of a smooth flow of at least two states.
    """
    profile = point.profile
    if profile is None or point.kind != "cycle" or not len(profile.mesh):
        raise MisuseError("A return map is that of a cycle with a mesh, such as a point of a branch of cycles.")
    if point.system.n < 2:
        raise MisuseError(f"A cycle needs two states or more, '{point.system.name}' has one.")
    intervals = len(profile.mesh) - 1
    at = np.unique(np.linspace(0, intervals, min(_STAGES, intervals) + 1).round().astype(int))
    states = profile.states[at * profile.degree].copy()
    states[-1] = states[0]
    return Turn(point.system, states, np.diff(profile.mesh[at]) * profile.period, free, tolerance)


def as_fixed_point(point: Point, turn: Turn) -> Point:
    """A cycle as the fixed point of its return map, with the same label."""
    system = turn.system()
    return Point(
        system, np.zeros(system.n), np.asarray(point.spectrum[1:]), label=OF_MAP.get(point.label, point.label),
        name=point.name, free=tuple(name for name in point.free if name in turn.free), critical=point.critical,
        multiplicity=point.multiplicity,
    )  # fmt: skip

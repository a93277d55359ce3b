"""Return maps of flows: a Poincare map is a System.

Its states are the flow's without one, which the section gives; its parameters are the flow's. Values come from the
integrator with the return located, first derivatives from the variational equation with the projection along the flow
onto the section, higher ones from jets carried along (:mod:`gan_bifurcation.jet_transport`); kinks of the flow are met
exactly in all of them. So its fixed points are cycles, which can be found, traced and labelled like those of any map.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import sympy
from numpy.typing import NDArray

from gan_bifurcation import evaluation
from gan_bifurcation.branch import Point
from gan_bifurcation.calls import call, handle_of
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import derivative, parse, symbol
from gan_bifurcation.integrator import Event, Trajectory, integrate
from gan_bifurcation.jet_transport import Passage, along
from gan_bifurcation.jets import jets_of
from gan_bifurcation.lowering import build
from gan_bifurcation.profiles import Profile
from gan_bifurcation.system import System
from gan_bifurcation.tape import Tape

__all__ = ["Section", "cycle_of", "poincare"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_MOST_STEPS: Final = 200_000
_SAMPLES: Final = 200
# A return that takes longer than so many times the states' size over the speed at the start is looked at for a rest:
# a speed that is less than so many tolerances of the largest.
_SLOW: Final = 10.0
_AT_REST: Final = 100.0


@dataclass(frozen=True, eq=False)
class Section:
    """A surface in the states of a flow, and the map from it to the next return.

    Attributes
    ----------
    flow : System
    expression : str
        Zero on the surface.
    direction : 1, -1 or 0
        Which crossings count as returns: of growing values, of falling ones, or both.
    eliminated : str
        The state that the surface gives when the others are known.
    longest : float
        A return that takes longer does not count; the map is not a number there.
    tolerance : float
        Of the integration.
    """

    flow: System
    expression: str
    direction: int
    eliminated: str
    longest: float
    tolerance: float
    _lift: Tape = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lift", _lifting(self.flow, self.expression, self.eliminated))
        handle_of(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        handle_of(self)

    @property
    def key(self) -> str:
        """Equal for equal maps, on every machine."""
        facts = (
            self.flow.tape.digest, self.expression, self.direction, self.eliminated, self.longest, self.tolerance,
        )  # fmt: skip
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    @property
    def states(self) -> tuple[str, ...]:
        """The states of the map."""
        return tuple(s for s in self.flow.states if s != self.eliminated)

    @property
    def _kept(self) -> list[int]:
        return [i for i, s in enumerate(self.flow.states) if s != self.eliminated]

    # -- orbits -------------------------------------------------------------------------------------------------------

    def lifted(self, z: FloatArray) -> FloatArray:
        """The flow's state (n,) on the section, from the map's states and the parameters (n - 1 + m,)."""
        x = np.empty(self.flow.n)
        evaluation.value(evaluation.make_evaluator(self._lift.data, 1, self.flow.n, 0), z, x)
        return x

    def run(self, z: FloatArray, **settings: Any) -> Trajectory | None:
        """The orbit of the flow from a point of the section to its return; None where it does not come back."""
        found = self._integrated(z, self.longest, **settings)
        if found.outcome.code != "stopped":
            return None
        start, period = self._velocity(found, found.passages[0], self.lifted(z)), found.final_time
        slow = period * start > _SLOW * (1.0 + float(np.abs(found.final_state).max()))
        # So near to an equilibrium that rounding decides where the orbit leaves it: it comes to rest there.
        at_rest = slow and self.least_speed(z, found) < _AT_REST * self.tolerance
        return None if at_rest else found

    def least_speed(self, z: FloatArray, found: Trajectory) -> float:
        """The least speed along an orbit, as a part of the largest."""
        times = np.linspace(0.0, found.final_time, _SAMPLES)
        seen = self._integrated(z, found.final_time * (1.0 - 1e-9), times=times[:-1], event=False)
        speeds, at, k = [], 0.0, 0
        for time, state in zip(seen.times, seen.states, strict=True):
            while k + 1 < len(seen.passages) and time > at + seen.passages[k].duration:
                at, k = at + seen.passages[k].duration, k + 1
            speeds.append(self._velocity(seen, seen.passages[k], state))
        return min(speeds) / max(speeds)

    def _velocity(self, found: Trajectory, passage: Passage, x: FloatArray) -> float:
        at, speed = np.concatenate([x, passage.piece.inputs]), np.empty(self.flow.n)
        evaluation.value(evaluation.make_evaluator(passage.piece.tape.data, 1, self.flow.n, 0), at, speed)
        return float(np.abs(speed).max())

    def _integrated(self, z: FloatArray, duration: float, event: bool = True, **settings: Any) -> Trajectory:
        p = dict(zip(self.flow.parameters, z[self.flow.n - 1 :].tolist(), strict=True))
        return integrate(
            self.flow, self.lifted(z), duration, parameters=p,
            events=[Event(self.expression, self.direction, "stop")] if event else [], tolerance=self.tolerance,
            most_steps=_MOST_STEPS,
            **settings,
        )  # fmt: skip

    def joint(self, x: Any, p: Any) -> FloatArray:
        """The map's states and the parameters in one array."""
        return np.concatenate([np.asarray(x, dtype=float), np.asarray(p, dtype=float)])

    # -- the map (see `calls.Callee`) ---------------------------------------------------------------------------------

    def value(self, z: FloatArray) -> FloatArray:
        """The map's states at the return (n - 1,); not numbers where there is none."""
        found = self.run(z)
        return np.full(self.flow.n - 1, np.nan) if found is None else found.final_state[self._kept]

    def jacobian(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The return and its derivative in the map's states and the parameters."""
        n, m = self.flow.n, self.flow.m
        x, tangent = np.empty(n), np.empty((n, n - 1 + m))
        evaluation.jacobian(evaluation.make_evaluator(self._lift.data, 1, n, 1), z, x, tangent)
        directions = np.zeros((m, n - 1 + m))
        directions[:, n - 1 :] = np.eye(m)
        found = self.run(z, tangent=tangent, parameter_directions=directions)
        if found is None:
            return np.full(n - 1, np.nan), np.full((n - 1, n - 1 + m), np.nan)
        assert found.event_tangents is not None
        # On a kink the tangent vectors just before it go with the field just before it.
        last = found.passages[-1]
        assert last.watched is not None
        at = np.concatenate([found.final_state, last.piece.inputs])
        speed, values = np.empty(n), np.empty(len(last.watched.outputs))
        slopes = np.empty((len(last.watched.outputs), len(at)))
        evaluation.value(evaluation.make_evaluator(last.piece.tape.data, 1, n, 0), at, speed)
        evaluation.jacobian(
            evaluation.make_evaluator(last.watched.data, 1, len(last.watched.outputs), 1), at, values, slopes
        )
        slope, carried = slopes[last.index], found.event_tangents[-1]
        moved = slope[:n] @ carried + slope[n : n + m] @ directions
        projected = carried - np.outer(speed, moved) / (slope[:n] @ speed)
        return found.final_state[self._kept], projected[self._kept]

    def second(self, z: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The return, its derivative, and the second derivative in a direction and each coordinate."""
        value, slope = self.jacobian(z)
        curvature = np.zeros_like(slope)
        size = float(np.linalg.norm(direction))
        if size > 0.0 and (found := self.run(z)) is not None:
            unit = direction / size
            for c in range(len(z)):
                beside = np.zeros(len(z))
                beside[c] = 1.0
                parts = [self._carried(found, self._line(z, unit + sign * beside, 2))[:, 2] for sign in (1.0, -1.0)]
                curvature[:, c] = 0.5 * size * (parts[0] - parts[1]).real
        return value, slope, curvature

    def jet(self, inputs: ComplexArray) -> ComplexArray:
        """Taylor coefficients of the return along a curve of states and parameters."""
        found = self.run(np.ascontiguousarray(inputs[:, 0].real))
        if found is None:
            return np.full((self.flow.n - 1, inputs.shape[1]), np.nan + 0j)
        return self._carried(found, inputs)

    def _line(self, z: FloatArray, direction: FloatArray, order: int) -> ComplexArray:
        inputs = np.zeros((len(z), order + 1), dtype=complex)
        inputs[:, 0], inputs[:, 1] = z, direction
        return inputs

    def _carried(self, found: Trajectory, inputs: ComplexArray) -> ComplexArray:
        slots = np.zeros((self._lift.slots, inputs.shape[1]), dtype=complex)
        slots[: len(inputs)] = inputs
        slots[len(inputs) : len(inputs) + len(self._lift.constants), 0] = self._lift.constants
        jets_of(self._lift.data, slots)
        y, _ = along(found.passages, slots[self._lift.outputs], inputs[self.flow.n - 1 :], self.tolerance)
        result: ComplexArray = y[self._kept]
        return result

    # -- cycles -------------------------------------------------------------------------------------------------------

    def period(self, x: Any, p: Any, iterations: int = 1) -> float:
        """The time of so many returns from a state of the map; not a number where one does not come."""
        z, total = self.joint(x, p), 0.0
        for _ in range(iterations):
            found = self.run(z)
            if found is None:
                return float("nan")
            total += found.final_time
            z = self.joint(found.final_state[self._kept], z[self.flow.n - 1 :])
        return total

    def profile(self, x: Any, p: Any, iterations: int = 1, samples: int = _SAMPLES) -> Profile | None:
        """The flow's states on the way through so many returns; None where one does not come."""
        z, total = self.joint(x, p), 0.0
        times, states, end = [], [], np.empty(0)
        for _ in range(iterations):
            found = self.run(z)
            if found is None:
                return None
            times_here = np.linspace(0.0, found.final_time, samples + 1)[:-1]
            found = self._integrated(z, 2.0 * found.final_time, times=times_here)
            times.append(total + found.times)
            states.append(found.states)
            total += found.final_time
            z, end = self.joint(found.final_state[self._kept], z[self.flow.n - 1 :]), found.final_state
        phases = np.append(np.concatenate(times) / total, 1.0)
        return Profile(phases, np.vstack([*states, end]), total)

    def measures(self, states: FloatArray, parameters: Sequence[Any], iterations: int) -> dict[str, FloatArray]:
        """Period and extreme values of the flow's states for many points, as columns."""
        rows = []
        for x, p in zip(states, parameters, strict=True):
            made = self.profile(x, p, iterations)
            blank = np.full(self.flow.n, np.nan)
            rows.append(
                np.concatenate([[np.nan], blank, blank] if made is None else [[made.period], made.lowest, made.highest])
            )
        table = np.array(rows).reshape(-1, 1 + 2 * self.flow.n)
        names = ["period", *(f"min_{s}" for s in self.flow.states), *(f"max_{s}" for s in self.flow.states)]
        return {name: table[:, k].copy() for k, name in enumerate(names)}


def poincare(
    flow: System,
    section: str,
    *,
    direction: Literal[1, -1, 0] = 1,
    eliminate: str | None = None,
    longest: float = 1000.0,
    tolerance: float = 1e-12,
) -> System:
    """The map from a section of a flow to the next return to it, as a System.

    Parameters
    ----------
    flow : System
    section : str
        An expression in states and parameters that is zero on the section and depends linearly on one of the states.
    direction : 1, -1 or 0
        Whether the orbit returns when the expression passes zero upwards, downwards, or either way.
    eliminate : str, optional
        The state that is left out, since the section gives it; by default the first one on which the expression
        depends linearly with a constant coefficient.
    longest : float
        The longest time that a return may take; where it takes longer the map is not a number.
    tolerance : float
        Of the integration.

    Returns
    -------
    System
        A map of one state less. Its fixed points are cycles; its iterates are made by :func:`gan_bifurcation.iterate`.

    Raises
    ------
    MisuseError
        If the system is no flow, or the section is not linear in the state that is to be left out.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> flow = gb.System.from_equations(
    ...     "flow", {"x": "x*(a - x**2 - y**2) - y", "y": "y*(a - x**2 - y**2) + x"}, parameters={"a": 0.05}
    ... )
    >>> cycle = gb.point(gb.poincare(flow, "y"), {"x": 0.3})
    >>> cycle.state["x"] ** 2, float(cycle.multipliers[0].real)  # a and exp(-4 pi a)
    (0.05, 0.5334880911)
    """
    if not isinstance(flow, System) or flow.kind != "flow":
        what = f"the map '{flow.name}'" if isinstance(flow, System) else type(flow).__name__
        raise MisuseError(f"A Poincare map is that of a flow, got {what}; maps have gb.iterate.")
    if flow.n < 2:
        raise MisuseError(f"A Poincare map needs a flow of two states or more, '{flow.name}' has one.")
    if direction not in (-1, 0, 1):
        raise MisuseError(f"The direction of a section is -1, 0 or 1, got {direction!r}.")
    if not (0.0 < longest < np.inf and 1e-15 <= tolerance <= 1e-3):
        raise MisuseError(f"Expected a finite longest time and a tolerance up to 1e-3, got {longest!r}, {tolerance!r}.")
    made = Section(flow, section, direction, _eliminated(flow, section, eliminate), float(longest), float(tolerance))
    inputs = [symbol(name) for name in (*made.states, *flow.parameters)]
    kept = tuple(bound for bound in flow.domain if not _speaks_of(flow, bound[0], made.eliminated))
    return System(
        "map", f"return map of {flow.name}", made.states, flow.parameters, (), call(made, inputs, flow.n - 1),
        domain=kept, description=f"Returns of the flow '{flow.name}' to {section} = 0.", section=made,
    )  # fmt: skip


def cycle_of(point: Point, samples: int = _SAMPLES) -> Point:
    """The cycle of the flow that a fixed point of a Poincare map stands for.

    Parameters
    ----------
    point : Point
        Of a system made by :func:`poincare`, or of its iterate.
    samples : int
        States kept between two returns.

    Returns
    -------
    Point
        Of the flow, with `profile` and `period`; its spectrum begins with the trivial multiplier 1.
    """
    section = point.system.section if isinstance(point, Point) else None
    if section is None:
        raise MisuseError(
            "A cycle is made of a fixed point of a Poincare map, such as gb.point(gb.poincare(flow, 'x'))."
        )
    p = point.system.parameter_vector()
    profile = section.profile(point.x, p, point.system.iterations, samples)
    if profile is None:
        raise MisuseError(f"The orbit does not return to the section within the time {section.longest:g}.")
    flow = section.flow.with_parameters(**point.parameters)
    return Point(
        flow, profile.states[0].copy(), np.append(1.0 + 0j, point.spectrum), point.label, point.name,
        point.normal_form, point.residual, point.free, point.multiplicity, point.note, profile=profile,
    )  # fmt: skip


def _parsed(flow: System, text: str) -> sympy.Expr:
    return parse(text, {name: symbol(name) for name in flow.tape.inputs})


def _speaks_of(flow: System, text: str, state: str) -> bool:
    names = {name: symbol(name) for name in flow.tape.inputs} | {s.name: s for s, _ in flow.assignments}
    return symbol(state) in parse(text, names).free_symbols


def _eliminated(flow: System, text: str, wanted: str | None) -> str:
    """The state that a section gives."""
    if wanted is not None and wanted not in flow.states:
        raise unknown_name("state", wanted, flow.states)
    g = _parsed(flow, text)
    usable: list[tuple[bool, str]] = []
    for state in flow.states if wanted is None else (wanted,):
        slope = derivative(g, symbol(state))
        if slope != 0 and symbol(state) not in slope.free_symbols:
            usable.append((not slope.is_number, state))
    if not usable:
        raise MisuseError(
            f"The section '{text}' does not depend linearly on {wanted or 'any state'}, so no state follows from the "
            f"others; write it as one state minus a function of the others ({', '.join(flow.states[:6])})."
        )
    return min(usable, key=lambda pair: pair[0])[1]


def _lifting(flow: System, text: str, eliminated: str) -> Tape:
    """The flow's states from the others and the parameters, on the section."""
    g, x = _parsed(flow, text), symbol(eliminated)
    given = -g.xreplace({x: sympy.S.Zero}) / derivative(g, x)
    outputs = [given if s == eliminated else symbol(s) for s in flow.states]
    inputs = [*(s for s in flow.states if s != eliminated), *flow.parameters]
    return build([], outputs, inputs, flow.n - 1)

"""Taylor jets carried along orbits of a flow, to sections and through kinks: derivatives of return maps of any order.

A jet is a curve s -> y(s) of states, as its Taylor coefficients. The flow takes it along like a single state, with
arithmetic on jets. Where it is to end on a surface, each point of the curve needs a time of its own, tau(s): with
tau(0) = 0 it is nilpotent, so one step of a Runge-Kutta method, with the jet tau as its step, is exact up to the order
of the method. At a kink the curve goes on to the surface with the field before it, and back with the field behind it.

References
----------
Berz: Modern Map Methods in Particle Beam Physics (1999). Kuznetsov, Meijer: Numerical Bifurcation Analysis of Maps
(2019), ch. 5, for normal forms of cycles from jets of the Poincare map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.dormand_prince import DOP853, STAGES
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.jets import jets_of
from gan_bifurcation.kernels import TapeData
from gan_bifurcation.lowering import build
from gan_bifurcation.tape import Tape

if TYPE_CHECKING:
    from gan_bifurcation.system import System

__all__ = ["Loaded", "Passage", "Piece", "along", "onto_plane", "return_map_jets", "to_surface"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_A = DOP853.a
_E5 = DOP853.error5
_E3 = DOP853.error3
# Stages and weights of methods of order 2 and 4, for short jets.
_MIDPOINT: Final = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
_CLASSICAL: Final = np.array(
    [[0, 0, 0, 0], [0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 1, 0], [1 / 6, 1 / 3, 1 / 3, 1 / 6]], dtype=float
)
# The step with a jet in the place of the time is exact up to the order of the method.
MOST_ORDER: Final = 8
_MOST_STEPS: Final = 1_000_000


@dataclass(frozen=True, eq=False)
class Piece:
    """A smooth field with what it takes besides the states.

    Attributes
    ----------
    tape : Tape
        Its first outputs are the derivatives of the states.
    inputs : array (k,)
        Values of the inputs after the states: parameters, modes.
    """

    tape: Tape
    inputs: FloatArray


@dataclass(frozen=True, eq=False)
class Passage:
    """A part of an orbit in one piece, for a duration, up to a zero of a function.

    Attributes
    ----------
    piece : Piece
    duration : float
    watched : Tape or None
        Of the same inputs; None where the part ends at a time, not at a surface.
    index : int
        Which of its outputs is zero at the end.
    """

    piece: Piece
    duration: float
    watched: Tape | None = None
    index: int = 0


@jit
def _march(tape: TapeData, s: ComplexArray, y: ComplexArray, duration: float, tolerance: float, most_steps: int) -> int:
    """Carry the jets `y` (n, order + 1) along for a duration, in place; the steps that it took, -1 if it failed.

    `s` (slots, order + 1) holds the jets of the parameters and the constants.
    """
    n, width = y.shape
    slopes = np.zeros((STAGES + 1, n, width), dtype=np.complex128)
    argument = np.zeros((n, width), dtype=np.complex128)
    new = np.zeros((n, width), dtype=np.complex128)
    scale = np.zeros(width)
    time = 0.0
    forward = 1.0 if duration >= 0.0 else -1.0
    span = abs(duration)
    h = 0.0
    fresh = True
    rejected = False
    # A state that does not depend on a parameter at all has nothing but rounding to be seen against.
    least = 1e-300
    if width > 1:
        for i in range(n, tape.n_inputs):
            least = max(least, abs(s[i, 1]) / max(1.0, abs(s[i, 0])))
    for taken in range(most_steps):
        if time >= span:
            return taken
        last = h >= (span - time) * (1.0 - 1e-14)
        step = forward * (span - time if last else h)
        for stage in range(0 if fresh else 1, STAGES + 1):
            if stage == 1 and h == 0.0:
                size = change = 0.0
                for i in range(n):
                    floor = tolerance + tolerance * abs(y[i, 0])
                    size += (abs(y[i, 0]) / floor) ** 2
                    change += (abs(slopes[0, i, 0]) / floor) ** 2
                h = 1e-3 * span if change == 0.0 else max(0.01 * np.sqrt(size / change), 1.0 / np.sqrt(change))
                h = min(h, span)
                last = h >= (span - time) * (1.0 - 1e-14)
                step = forward * (span - time if last else h)
            for i in range(n):
                for k in range(width):
                    total = 0.0j
                    for j in range(stage):
                        if _A[stage, j] != 0.0:
                            total += _A[stage, j] * slopes[j, i, k]
                    argument[i, k] = y[i, k] + step * total
            for i in range(n):
                for k in range(width):
                    s[i, k] = argument[i, k]
                    if stage == STAGES:
                        new[i, k] = argument[i, k]
            jets_of(tape, s)
            for i in range(n):
                for k in range(width):
                    slopes[stage, i, k] = s[tape.outputs[i], k]
        fresh = False
        five = three = 0.0
        for k in range(width):
            # A coefficient counts on the scale of all coefficients of its order, and of the orders between.
            scale[k] = 1.0 if k == 0 else (least if k == 1 else scale[k - 1])
            for i in range(n):
                scale[k] = max(scale[k], abs(y[i, k]), abs(new[i, k]))
            for i in range(n):
                e5 = e3 = 0.0j
                for j in range(STAGES):
                    e5 += _E5[j] * slopes[j, i, k]
                    e3 += _E3[j] * slopes[j, i, k]
                five += (abs(e5) / (tolerance * scale[k])) ** 2
                three += (abs(e3) / (tolerance * scale[k])) ** 2
        error = 0.0
        if five != 0.0 or three != 0.0:
            error = abs(step) * five / np.sqrt((five + 0.01 * three) * n * width)
        if not error < np.inf:
            error = 1e10
        if error > 1.0:
            h = abs(step) * max(0.2, 0.9 * error**-0.125)
            rejected = True
            if h < 1e-14 * span:
                return -1
            continue
        time = span if last else time + abs(step)
        grow = 6.0 if error == 0.0 else min(6.0, max(0.333, 0.9 * error**-0.125))
        h = abs(step) * (min(grow, 1.0) if rejected else grow)
        rejected = False
        for i in range(n):
            for k in range(width):
                y[i, k] = new[i, k]
                slopes[0, i, k] = slopes[STAGES, i, k]
    return -1


class Loaded:
    """A tape with the jets of all its inputs but the states in place."""

    def __init__(self, tape: Tape, inputs: ComplexArray, states: int) -> None:
        self.data, self.n = tape.data, states
        self.slots = np.zeros((tape.slots, inputs.shape[1]), dtype=complex)
        first = len(tape.inputs)
        self.slots[states:first] = inputs
        self.slots[first : first + len(tape.constants), 0] = tape.constants

    def outputs(self, y: ComplexArray) -> ComplexArray:
        """The jets of the tape's outputs at the jets of the states."""
        self.slots[: self.n] = y
        jets_of(self.data, self.slots)
        result: ComplexArray = self.slots[self.data.outputs]
        return result

    def carried(self, y: ComplexArray, duration: float, tolerance: float) -> ComplexArray:
        """The jets after a duration; not numbers where the integration fails."""
        y = np.ascontiguousarray(y, dtype=complex).copy()
        if duration != 0.0 and _march(self.data, self.slots, y, duration, tolerance, _MOST_STEPS) < 0:
            y[:] = np.nan
        return y

    def stepped(self, y: ComplexArray, times: ComplexArray) -> ComplexArray:
        """The jets after times that are a jet themselves, with 0 as their first coefficient."""
        order = len(times) - 1
        table = _MIDPOINT if order <= 2 else (_CLASSICAL if order <= 4 else _A)
        stages = len(table) - 1 if order <= 4 else STAGES
        moves: list[ComplexArray] = []
        for stage in range(stages + 1):
            argument = y.copy()
            for j in range(stage):
                if table[stage, j] != 0.0:
                    argument += table[stage, j] * moves[j]
            if stage < stages:
                moves.append(_product(times, self.outputs(argument)[: self.n]))
        return argument


def _product(a: ComplexArray, b: ComplexArray) -> ComplexArray:
    """The product of a jet (width,) with jets (n, width)."""
    out = np.zeros_like(b)
    for k, factor in enumerate(a):
        if factor != 0.0:
            out[:, k:] += factor * b[:, : b.shape[1] - k]
    return out


def _landed(field: Loaded, watched: Loaded, index: int, y: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """The jets moved along the field onto the zeros of a function, which hold the base point, and the times it took."""
    width = y.shape[1]
    times = np.zeros(width, dtype=complex)
    if width == 1:
        return y, times
    # How fast the function changes along the orbit of the base point.
    beside = np.zeros((len(y), width), dtype=complex)
    beside[:, 0] = y[:, 0]
    beside[:, 1] = field.outputs(y)[: len(y), 0]
    parameters = watched.slots[watched.n : watched.data.n_inputs].copy()
    watched.slots[watched.n : watched.data.n_inputs, 1:] = 0.0
    rate = watched.outputs(beside)[index, 1]
    watched.slots[watched.n : watched.data.n_inputs] = parameters
    if rate == 0.0:
        return np.full_like(y, np.nan), times
    moved = y
    # Each pass makes one more order right.
    for _ in range(width - 1):
        miss = watched.outputs(moved)[index]
        times[1:] -= miss[1:] / rate
        moved = field.stepped(y, times)
    return moved, times


def onto_plane(field: Loaded, normal: FloatArray, y: ComplexArray) -> ComplexArray:
    """The jets moved along the field into the plane across the normal that holds their base point."""
    rate = normal @ field.outputs(y)[: field.n, 0]
    if rate == 0.0:
        return np.full_like(y, np.nan)
    times = np.zeros(y.shape[1], dtype=complex)
    moved = y
    # Each pass makes one more order right.
    for _ in range(y.shape[1] - 1):
        times[1:] -= (normal @ moved)[1:] / rate
        moved = field.stepped(y, times)
    return moved


def along(
    passages: Sequence[Passage], y: Any, parameter_jets: Any, tolerance: float = 1e-12
) -> tuple[ComplexArray, ComplexArray]:
    """Carry a jet of states along an orbit whose pieces are known.

    Parameters
    ----------
    passages : sequence of Passage
        Of the orbit of the base point.
    y : array (n, order + 1)
        Taylor coefficients of the states.
    parameter_jets : array (m, order + 1)
        Those of the parameters, the first of the inputs after the states.
    tolerance : float

    Returns
    -------
    states : complex array (n, order + 1)
        On the surface of the last passage, if it has one.
    times : complex array (order + 1,)
        When each point of the curve is there.
    """
    y, p = np.array(y, dtype=complex), np.array(parameter_jets, dtype=complex)
    n, width = y.shape
    if width > MOST_ORDER + 1:
        raise MisuseError(f"Jets are carried along up to order {MOST_ORDER}, got {width - 1}.")
    total, times = np.zeros((2, width), dtype=complex)
    for k, passage in enumerate(passages):
        # Inputs after the parameters are modes, which are the same all along the curve.
        inputs = np.zeros((len(passage.piece.inputs), width), dtype=complex)
        inputs[:, 0] = passage.piece.inputs
        inputs[: len(p)] = p
        field = Loaded(passage.piece.tape, inputs, n)
        if k:
            y = field.stepped(y, -times)
        y = field.carried(y, passage.duration, tolerance)
        total[0] += passage.duration
        times = np.zeros(width, dtype=complex)
        if passage.watched is not None:
            y, times = _landed(field, Loaded(passage.watched, inputs, n), passage.index, y)
    return y, total + times


def to_surface(passage: Passage, y: Any, parameter_jets: Any) -> tuple[ComplexArray, ComplexArray]:
    """A jet moved along the field of a passage onto its surface, which holds the base point; and the times it took."""
    return along([Passage(passage.piece, 0.0, passage.watched, passage.index)], y, parameter_jets)


def return_map_jets(
    system: "System", x0: Any, period: float, normal: Any, directions: Any, order: int, tolerance: float = 1e-12
) -> ComplexArray:
    """Taylor coefficients of the return map of a cycle along straight lines through a point of it.

    Parameters
    ----------
    system : System
        A smooth flow.
    x0 : array (n,)
        A point of the cycle; the section is the plane through it with this normal.
    period : float
    normal : array (n,)
    directions : array (k, n) or (k, n + m), real or complex
        Where the lines lead: in the states, or in states and parameters. They need not lie in the section.
    order : int
        At most 8.
    tolerance : float
        Of the integration.

    Returns
    -------
    complex array (k, n, order + 1)
        Coefficients of s -> P(x0 + s direction). The first one is x0 up to how well it closes.

    Raises
    ------
    MisuseError
        If the system is no smooth flow, a shape does not fit, or the flow is tangent to the section.

    Examples
    --------
    >>> from gan_bifurcation.system import System
    >>> flow = System.from_equations("flow", {"x": "x*(1 - x**2 - y**2) - y", "y": "y*(1 - x**2 - y**2) + x"})
    >>> jets = return_map_jets(flow, [1.0, 0.0], 2 * np.pi, [0.0, 1.0], [[1.0, 0.0]], 2)
    >>> float(jets[0, 0, 1].real), float(np.exp(-4 * np.pi))  # the multiplier of the circle
    (3.4873e-06, 3.4873e-06)
    """
    if system.kind != "flow" or system.switching_functions:
        raise MisuseError(f"A return map of '{system.name}' by jets needs a smooth flow; use gb.poincare for kinks.")
    n, m = system.n, system.m
    x, across = system.state_vector(x0), np.asarray(normal, dtype=float)
    lines = np.atleast_2d(np.asarray(directions))
    if across.shape != (n,) or lines.ndim != 2 or lines.shape[1] not in (n, n + m):
        raise MisuseError(f"A section of {n} states has a normal ({n},) and directions (k, {n}) or (k, {n + m}).")
    if abs(across @ system.rhs(x)) <= 1e-12 * np.linalg.norm(across) * np.linalg.norm(system.rhs(x)):
        raise MisuseError("The flow is tangent to the section at this point; choose another normal or point.")
    plane = _plane(system, across, float(across @ x))
    passage = Passage(Piece(system.tape, system.parameter_vector()), float(period), plane)
    made = np.zeros((len(lines), n, order + 1), dtype=complex)
    for k, line in enumerate(lines):
        jets = np.zeros((n + m, order + 1), dtype=complex)
        jets[:, 0] = np.concatenate([x, system.parameter_vector()])
        jets[: len(line), 1] = line
        made[k], _ = along([passage], jets[:n], jets[n:], tolerance)
    return made


def _plane(system: "System", normal: FloatArray, level: float) -> Tape:
    """normal . x - level as a tape of states and parameters."""
    import sympy

    from gan_bifurcation.expressions import symbol

    parts = [sympy.Float(c, 17) * symbol(s) for c, s in zip(normal.tolist(), system.states, strict=True) if c]
    return build([], [sympy.Add(*parts) - sympy.Float(level, 17)], system.tape.inputs, system.n)

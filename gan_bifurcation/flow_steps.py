"""The parts of an integration step: stages, error, dense output, and what the compiled integrator works on."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import entry
from gan_bifurcation.dormand_prince import DOP853, STAGES
from gan_bifurcation.kernels import FloatArray, TapeData, run_jacobian, run_value
from gan_bifurcation.tape import Tape

# Numba takes global arrays as constants of the compiled code.
_A = DOP853.a
_E5 = DOP853.error5
_E3 = DOP853.error3
_D = DOP853.dense

RECORD: Final = 0
STOP: Final = 1
RESTART: Final = 2  # go on from the event with a fresh step: for right-hand sides with a kink there
# CROSS + j: as RESTART, with the other sign of parameter j, the side of the guard; STOP where that does not lead
# on to the other side.
CROSS: Final = 3

# Guard functions are looked at this often within a step, so that a pair of crossings is seen as well.
LOOKS: Final = 4
_DENSE: Final = 7


class Settings(NamedTuple):
    """How to integrate."""

    relative: float
    absolute: float
    largest_step: float
    bound: float  # on the size of a state
    most_steps: int  # in one call


class Clock(NamedTuple):
    """What changes from call to call; with the current y it is all that a continued integration needs."""

    real: FloatArray  # (cells, 3): time, end, step (0: to be chosen)
    # (cells, 8): accepted steps, rejected steps, evaluations, stiff steps in a row, outputs written, events written,
    # most stiff steps in a row, how the last call ended
    counts: NDArray[np.int64]


class Guards(NamedTuple):
    """Scalar functions whose sign changes are events."""

    tape: TapeData
    v: FloatArray  # (slots of the tape,): constants in place
    direction: FloatArray  # (guards,): +1 upwards only, -1 downwards only, 0 both
    action: FloatArray  # (guards,): RECORD, STOP, RESTART or CROSS + j
    side: FloatArray  # (guards,): the sign to begin with where a start is on the zero set; 0: take what comes
    marks: FloatArray  # (LOOKS + 4, guards): last values, from step to step
    times: FloatArray  # (cells, room)
    states: FloatArray  # (cells, room, size of y)
    which: NDArray[np.int64]  # (cells, room)


class Scratch(NamedTuple):
    """Work arrays of one thread."""

    v: FloatArray  # (slots,): constants in place
    slopes: FloatArray  # (stages, size of y)
    trial: FloatArray  # (stages, size of y)
    dense: FloatArray  # (7, size of y)
    points: FloatArray  # (3, size of y): argument, new state, event


def loaded(tape: Tape) -> FloatArray:
    """Slots (slots,) with the constants in place."""
    v = np.zeros(tape.slots)
    v[len(tape.inputs) : len(tape.inputs) + len(tape.constants)] = tape.constants
    return v


def make_scratch(tape: Tape, size: int) -> Scratch:
    """Work arrays for `march`, where y has this size."""
    stages = np.zeros((2, STAGES + 4, size))
    return Scratch(loaded(tape), stages[0], stages[1], np.zeros((_DENSE, size)), np.zeros((3, size)))


def make_clock(cells: int, start: float, end: float) -> Clock:
    """A clock before its first step."""
    real = np.zeros((cells, 3))
    real[:, 0] = start
    real[:, 1] = end
    return Clock(real, np.zeros((cells, 8), dtype=np.int64))


def make_guards(
    tape: Tape, direction: Sequence[float], action: Sequence[int], cells: int, room: int, size: int
) -> Guards:
    """Guards for `march`, with room for events."""
    number = len(direction)
    return Guards(
        tape.data,
        loaded(tape),
        np.array(direction, dtype=float),
        np.array(action, dtype=float),
        np.zeros(number),
        np.zeros((LOOKS + 4, number)),
        np.zeros((cells, room)),
        np.zeros((cells, room, size)),
        np.zeros((cells, room), dtype=np.int64),
    )


@entry
def argument_of(y: FloatArray, h: float, s: int, slopes: FloatArray, out: FloatArray) -> None:
    """Where stage s evaluates the right-hand side."""
    size = y.shape[0]
    for i in range(size):
        out[i] = 0.0
    for j in range(s):
        weight = _A[s, j]
        if weight != 0.0:
            for i in range(size):
                out[i] += weight * slopes[j, i]
    for i in range(size):
        out[i] = y[i] + h * out[i]


@entry
def error_of(n: int, y: FloatArray, new: FloatArray, h: float, slopes: FloatArray, settings: Settings) -> float:
    """The error of a step in units of the tolerance (Hairer, Norsett, Wanner II.10); inf where it is no number."""
    size = y.shape[0]
    largest = 1.0
    for i in range(n, size):
        largest = max(largest, abs(y[i]))
    five = three = 0.0
    for i in range(size):
        e5 = e3 = 0.0
        for j in range(STAGES):
            e5 += _E5[j] * slopes[j, i]
            e3 += _E3[j] * slopes[j, i]
        # An entry of the tangent counts on the scale of the whole tangent, which may have grown by orders.
        scale = settings.absolute if i < n else settings.absolute * largest
        scale += settings.relative * max(abs(y[i]), abs(new[i]))
        five += (e5 / scale) ** 2
        three += (e3 / scale) ** 2
        if not abs(slopes[STAGES, i]) < np.inf:
            return np.inf
    if five == 0.0 and three == 0.0:
        return 0.0
    error = abs(h) * five / np.sqrt((five + 0.01 * three) * size)
    return error if error == error else np.inf


@entry
def stiff(n: int, y: FloatArray, new: FloatArray, h: float, slopes: FloatArray) -> bool:
    """Whether the step is at the border of stability, about 6.1 (Hairer, Norsett, Wanner IV.2).

    The slope's change between the last two arguments, both at the end of the step, estimates the largest eigenvalue.
    """
    over = under = 0.0
    for i in range(n):
        total = 0.0
        for j in range(STAGES - 1):
            total += _A[STAGES - 1, j] * slopes[j, i]
        under += (new[i] - y[i] - h * total) ** 2
        over += (slopes[STAGES, i] - slopes[STAGES - 1, i]) ** 2
    return h * h * over > 6.1**2 * under


@entry
def prepare_dense(y: FloatArray, new: FloatArray, h: float, slopes: FloatArray, f: FloatArray) -> None:
    for i in range(y.shape[0]):
        change = new[i] - y[i]
        f[0, i] = change
        f[1, i] = h * slopes[0, i] - change
        f[2, i] = 2.0 * change - h * (slopes[STAGES, i] + slopes[0, i])
        for r in range(4):
            total = 0.0
            for j in range(STAGES + 4):
                total += _D[r, j] * slopes[j, i]
            f[3 + r, i] = h * total


@entry
def interpolate(y: FloatArray, f: FloatArray, theta: float, out: FloatArray) -> None:
    """The dense output at a fraction of the step, for as many entries as `out` has."""
    for i in range(out.shape[0]):
        total = 0.0
        for r in range(_DENSE):
            total += f[_DENSE - 1 - r, i]
            total *= theta if r % 2 == 0 else 1.0 - theta
        out[i] = y[i] + total


@entry
def first_step(n: int, y: FloatArray, slopes: FloatArray, settings: Settings, span: float) -> float:
    """A careful first step from the sizes of y and y'; the step control grows it at once where it can."""
    size = change = 0.0
    for i in range(n):
        scale = settings.absolute + settings.relative * abs(y[i])
        size += (y[i] / scale) ** 2
        change += (slopes[0, i] / scale) ** 2
    h = 1e-3 * abs(span) if change == 0.0 else max(0.01 * np.sqrt(size / change), 1.0 / np.sqrt(change))
    return min(h, abs(span))


@entry
def slope_at(
    tape: TapeData, n: int, v: FloatArray, g: FloatArray | None, y: FloatArray, start: int, out: FloatArray
) -> None:
    """y' -> `out`; `v` holds the parameters, and what depends on them only if `start` skips it; `g` holds P."""
    for i in range(n):
        v[i] = y[i]
    if g is None:
        run_value(tape, v, start)
        for i in range(n):
            out[i] = v[tape.outputs[i]]
    else:
        k = g.shape[1]
        for i in range(n):
            for j in range(k):
                g[i, j] = y[n + i * k + j]
        run_jacobian(tape, v, g, 0, tape.code.shape[0])
        for i in range(n):
            s = tape.outputs[i]
            out[i] = v[s]
            for j in range(k):
                out[n + i * k + j] = g[s, j]

"""The compiled integrator: Dormand-Prince 8(5,3) over a tape, with dense output, tangent vectors and located events.

The system is data. What is integrated is y = (state, tangent): n numbers of the state and an n x k tangent T, row by
row, with T' = (df/dx) T + (df/dp) P for constant parameter directions P. Nothing is allocated here: callers bring the
work arrays (`make_scratch`), and may call `march` from compiled loops without Python's lock.

For developers: numba compiles a function again inside every function that calls it, so the right-hand side is called
from one place only, and what is optional (tangent, events) is an argument that may be None and is then not compiled at
all. It also compiles a function anew for a literal 0 or False among the arguments: hence `ZERO`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import entry
from gan_bifurcation.dormand_prince import STAGES
from gan_bifurcation.flow_steps import (
    CROSS,
    LOOKS,
    RECORD,
    RESTART,
    STOP,
    Clock,
    Guards,
    Scratch,
    Settings,
    argument_of,
    error_of,
    first_step,
    interpolate,
    prepare_dense,
    slope_at,
    stiff,
)
from gan_bifurcation.kernels import FloatArray, TapeData, run_value
from gan_bifurcation.lanes import ZERO

FINISHED: Final = 0
STOPPED: Final = 1  # by an event
FULL: Final = 2  # no room for more events: call again
STEP_LIMIT: Final = 3
STEP_TOO_SMALL: Final = 4
NOT_FINITE: Final = 5
TOO_LARGE: Final = 6
# Steps are not made smaller than this, in units of time, to see a guard touch its zero.
_CLOSEST: Final = 1e-7
# What the search for events returns in place of a fraction of the step where it is to be looked at in smaller steps.
_CLOSER: Final = -1.0


@entry
def _guard(guards: Guards, n: int, y: FloatArray, index: int, start: int) -> float:
    for i in range(n):
        guards.v[i] = y[i]
    run_value(guards.tape, guards.v, start)
    return float(guards.v[guards.tape.outputs[index]])


@entry
def _crosses(before: float, after: float, direction: float) -> bool:
    if before < 0.0:
        return after >= 0.0 and direction >= 0.0
    return before > 0.0 and after <= 0.0 and direction <= 0.0


@entry
def _root(
    guards: Guards, n: int, y: FloatArray, f: FloatArray, index: int, a: float, b: float, ga: float, gb: float,
    point: FloatArray,
) -> float:  # fmt: skip
    """The zero of a guard on the dense output in [a, b], from its far side (bisection and the Illinois rule)."""
    side = 0
    for trial in range(100):
        if b - a <= 4e-16 * b or gb == 0.0:
            break
        # Every third trial halves the bracket, whatever the function looks like.
        theta = 0.5 * (a + b) if trial % 3 == 2 else b - gb * (b - a) / (gb - ga)
        if not a < theta < b:
            theta = 0.5 * (a + b)
        interpolate(y, f, theta, point)
        value = _guard(guards, n, point, index, guards.tape.prefix)
        if (value < 0.0) == (ga < 0.0) and value != 0.0:
            a, ga = theta, value
            gb = 0.5 * gb if side == 1 else gb
            side = 1
        else:
            b, gb = theta, value
            ga = 0.5 * ga if side == -1 else ga
            side = -1
    return b


@entry
def _correct(
    tape: TapeData, guards: Guards, n: int, g: FloatArray | None, y: FloatArray, t: float, h: float, scratch: Scratch,
    index: int, theta: float, came: float, count: NDArray[np.int64],
) -> float:  # fmt: skip
    """Sharpen an event's place in the step by true steps from its start; the state is left in `points[2]`."""
    trial, state = scratch.trial, scratch.points[2]
    for i in range(y.shape[0]):
        trial[0, i] = scratch.slopes[0, i]
    beside = trial[STAGES + 1]
    nudge = 1e-15
    for attempt in range(40):
        for s in range(1, STAGES + 1):
            argument_of(y, theta * h, s, trial, state)
            if s < STAGES:
                slope_at(tape, n, scratch.v, g, state, tape.prefix, trial[s])
        count[2] += STAGES - 1
        value = _guard(guards, n, state, index, guards.tape.prefix)
        if attempt < 4:
            rate = 0.0
            for sign in (-1.0, 1.0):
                interpolate(y, scratch.dense, theta + sign * 1e-4, beside)
                rate += sign * _guard(guards, n, beside, index, guards.tape.prefix) / 2e-4
            change = value / rate if rate != 0.0 else 0.0
            if abs(change) < 0.01 and abs(change * h) > 1e-15 * max(abs(t), abs(h)):
                theta -= change
                continue
        if (guards.action[index] != RESTART and guards.side[index] == 0.0) or value * came < 0.0:
            break
        # A fresh start must see the far side of the kink.
        theta += nudge
        nudge *= 2.0
    return theta


@entry
def _events(
    tape: TapeData, guards: Guards, n: int, g: FloatArray | None, y: FloatArray, t: float, h: float, fresh: bool,
    scratch: Scratch, cell: int, count: NDArray[np.int64],
) -> float:  # fmt: skip
    """Record the events of a step; return where in it (as a fraction) one ends it, 2 if none, or _CLOSER."""
    n_guards = guards.direction.shape[0]
    marks, point = guards.marks, scratch.points[2]
    before, came, hits = marks[LOOKS + 1], marks[LOOKS + 2], marks[LOOKS + 3]
    start = ZERO if fresh else guards.tape.prefix
    for look in range(LOOKS + 1):
        interpolate(y, scratch.dense, look / LOOKS, point)
        for q in range(n_guards):
            marks[look, q] = _guard(guards, n, point, q, start)
    if abs(h) > _CLOSEST * max(1.0, abs(t)):
        # What only touches the other side between two looks is seen by the parabola through three.
        for look in range(1, LOOKS):
            for q in range(n_guards):
                a, b, c = marks[look - 1, q], marks[look, q], marks[look + 1, q]
                bend = a - 2.0 * b + c
                if not (a * b > 0.0 and b * c > 0.0 and bend * b > 0.0 and abs(a - c) <= 2.0 * abs(bend)):
                    continue
                if (b - 0.125 * (a - c) ** 2 / bend) * b < 0.05 * b * b:
                    interpolate(y, scratch.dense, (look + 0.5 * (a - c) / bend) / LOOKS, point)
                    if _guard(guards, n, point, q, guards.tape.prefix) * b < 0.0:
                        return _CLOSER
    if fresh:
        # A start on a guard's zero set is no crossing of it, but may be the end of one side that is known.
        for q in range(n_guards):
            largest = 0.0
            for look in range(LOOKS + 1):
                largest = max(largest, abs(marks[look, q]))
            before[q] = marks[0, q] if abs(marks[0, q]) > 1e-10 * largest else 1e-300 * guards.side[q]
    for look in range(1, LOOKS + 1):
        for q in range(n_guards):
            hits[q] = 2.0
            after = marks[look, q]
            if _crosses(before[q], after, guards.direction[q]):
                a = (look - 1) / LOOKS
                b = look / LOOKS
                hits[q] = _root(guards, n, y, scratch.dense, q, a, b, before[q], after, point)
            came[q] = before[q]
            before[q] = after if after != 0.0 else (-1e-300 if came[q] > 0.0 else 1e-300)
        while True:
            q = ZERO
            for other in range(1, n_guards):
                if hits[other] < hits[q]:
                    q = other
            if hits[q] > 1.0:
                break
            theta = _correct(tape, guards, n, g, y, t, h, scratch, q, hits[q], came[q], count)
            hits[q] = 2.0
            room = count[5]
            guards.times[cell, room] = t + theta * h
            guards.which[cell, room] = q
            for i in range(y.shape[0]):
                guards.states[cell, room, i] = point[i]
            count[5] += 1
            if guards.action[q] != RECORD:
                return float(theta)
    return 2.0


@entry
def _turn(guards: Guards, n: int, v: FloatArray, index: int) -> None:
    """To the other side of a guard: it and the right-hand side see the other sign of the parameter that says so."""
    guards.side[index] = -guards.side[index]
    slot = n + int(guards.action[index]) - CROSS
    v[slot] = -v[slot]
    guards.v[slot] = -guards.v[slot]


@entry
def _leads_on(
    guards: Guards, n: int, y: FloatArray, slope: FloatArray, step: float, index: int, near: FloatArray
) -> bool:
    """Whether the field on the far side of a guard leads away from it, and all others are as they were."""
    start = ZERO
    for q in range(guards.direction.shape[0]):
        if q != index:
            largest = 0.0
            for look in range(LOOKS + 1):
                largest = max(largest, abs(guards.marks[look, q]))
            # One that vanishes here as well, or jumps with the sign, asks for more than this.
            if not guards.side[q] * _guard(guards, n, y, q, start) > 1e-9 * largest:
                return False
            start = guards.tape.prefix
    rate = 0.0
    for sign in (-1.0, 1.0):
        for i in range(n):
            near[i] = y[i] + sign * 1e-3 * step * slope[i]
        rate += sign * _guard(guards, n, near, index, start)
        start = guards.tape.prefix
    return bool(guards.side[index] * rate > 0.0)


@entry
def march(
    tape: TapeData, p: FloatArray, y_of: FloatArray, clock: Clock, settings: Settings, times: FloatArray,
    states_of: FloatArray, scratch: Scratch, g: FloatArray | None, guards: Guards | None,
) -> None:  # fmt: skip
    """Integrate the rows of `y_of` (cells, size of y) in place from their clocks' times to their ends.

    `clock.counts[:, 7]` says how each ended. One that ended for want of room or steps goes on when `march` is called
    again with the same clock; one that has finished stays.

    Parameters
    ----------
    p : array (cells, m)
    times : array (outputs,)
        Requested times, in the order of the integration.
    states_of : array (cells, outputs, size of y)
        What is there.
    g : array (slots, k) or None
        P in the rows of the parameters and zeros elsewhere, or None if y is the state alone.
    """
    cells, m = p.shape
    size = y_of.shape[1]
    n = tape.n_inputs - m
    slopes = scratch.slopes
    argument, new = scratch.points[0], scratch.points[1]
    for cell in range(cells):
        y, states = y_of[cell], states_of[cell]
        real, count = clock.real[cell], clock.counts[cell]
        for i in range(m):
            scratch.v[n + i] = p[cell, i]
            if guards is not None:
                guards.v[n + i] = p[cell, i]
        span = real[1] - real[0]
        forward = 1.0 if span >= 0.0 else -1.0
        h = abs(real[2])
        taken = ZERO
        fresh = taken == 0  # no step has been made in this call, or since a restart
        rejected = False
        crossed = -1  # the guard that was crossed just now
        step = 0.0
        while True:
            t = real[0]
            left = (real[1] - t) * forward
            # Requested times at or before the present one (the start) need no step.
            while count[4] < times.shape[0] and (times[count[4]] - t) * forward <= 0.0:
                for i in range(size):
                    states[count[4], i] = y[i]
                count[4] += 1
            if left <= 0.0:
                count[7] = FINISHED
                break
            dense = False
            if guards is not None:
                dense = True
                if count[5] + 4 * LOOKS * guards.direction.shape[0] > guards.times.shape[1]:
                    count[7] = FULL
                    break
            if taken >= settings.most_steps:
                count[7] = STEP_LIMIT
                break
            h = min(h, settings.largest_step)
            if not fresh and h < 1e-15 * max(abs(t), abs(real[1])):
                count[7] = STEP_TOO_SMALL
                break
            last = h >= left * (1.0 - 1e-14)
            size_of_step = left if last else h
            if count[4] < times.shape[0] and (h == 0.0 or (times[count[4]] - t) * forward < size_of_step):
                dense = True

            for s in range(0 if fresh else 1, STAGES + 4 if dense else STAGES + 1):
                if s == 1 and h == 0.0:
                    h = min(first_step(n, y, slopes, settings, span), settings.largest_step)
                    last = h >= left * (1.0 - 1e-14)
                    size_of_step = left if last else h
                step = forward * size_of_step
                argument_of(y, step, s, slopes, argument)
                if s == STAGES:
                    for i in range(size):
                        new[i] = argument[i]
                start = ZERO if s == 0 else tape.prefix
                slope_at(tape, n, scratch.v, g, argument, start, slopes[s])
                count[2] += 1
                if s == 0 and crossed >= 0:
                    break
            if guards is not None:  # noqa: SIM102 - what is None is left out of the compiled code
                if crossed >= 0:
                    if not _leads_on(guards, n, y, slopes[0], forward * h, crossed, new):
                        _turn(guards, n, scratch.v, crossed)
                        guards.which[cell, count[5]] = crossed
                        count[5] += 1
                        count[7] = STOPPED
                        break
                    crossed = -1
                    continue

            error = error_of(n, y, new, step, slopes, settings)
            theta = 2.0
            if error <= 1.0:
                if dense:
                    prepare_dense(y, new, step, slopes, scratch.dense)
                if guards is not None:
                    theta = _events(tape, guards, n, g, y, t, step, fresh, scratch, cell, count)
                    if theta == _CLOSER:
                        count[1] += 1
                        h = 0.5 * size_of_step
                        rejected = True
                        continue
            if error > 1.0:
                count[1] += 1
                h = size_of_step * (max(0.333, 0.9 * error**-0.125) if error < np.inf else 0.1)
                if error == np.inf and h < 1e-12 * abs(span):
                    count[7] = NOT_FINITE
                    break
                rejected = True
                continue
            count[3] = count[3] + 1 if stiff(n, y, new, step, slopes) else 0
            count[6] = max(count[3], count[6])
            grow = 6.0 if error == 0.0 else min(6.0, max(0.333, 0.9 * error**-0.125))
            h = size_of_step * (min(grow, 1.0) if rejected else grow)
            rejected = False
            taken += 1
            count[0] += 1
            end = real[1] if last else t + step

            action = RECORD
            if guards is not None:  # noqa: SIM102 - what is None is left out of the compiled code
                if theta < 2.0:
                    end = t + theta * step
                    for i in range(size):
                        new[i] = scratch.points[2, i]
                    met = guards.which[cell, count[5] - 1]
                    action = int(guards.action[met])
                    if action >= CROSS:
                        crossed = met
                        count[5] -= 1
                        _turn(guards, n, scratch.v, met)
                        action = RESTART
            fresh = action == RESTART
            while dense and count[4] < times.shape[0] and (times[count[4]] - end) * forward < 0.0:
                interpolate(y, scratch.dense, (times[count[4]] - t) / step, states[count[4]])
                count[4] += 1

            large = False
            for i in range(size):
                y[i] = new[i]
                slopes[0, i] = slopes[STAGES, i]
                large = large or (i < n and abs(y[i]) > settings.bound)
            real[0] = end
            if action == RESTART:
                h = 0.1 * size_of_step
            real[2] = forward * h
            if action == STOP or large:
                count[7] = STOPPED if action == STOP else TOO_LARGE
                break

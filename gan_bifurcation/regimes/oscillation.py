"""What kind of oscillation: a cycle, a circle (of a map), a torus (of a flow) or irregular motion."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import flow_kernels as fk
from gan_bifurcation import flow_steps as fs
from gan_bifurcation.kernels import FloatArray, TapeData, run_jacobian
from gan_bifurcation.lanes import leaf
from gan_bifurcation.regimes.march import Cells
from gan_bifurcation.regimes.recurrence import Swing, irregularity, periods, returns, rotation_numbers, swing

IntArray = NDArray[np.int64]

CYCLE: Final = "cycle"
CIRCLE: Final = "circle"
TORUS: Final = "torus"
IRREGULAR: Final = "irregular"

# Birkhoff averages that differ by less belong to regular motion; otherwise the tangent decides.
_REGULAR: Final = 1e-5
# Regular motion does not stretch a tangent by more than this logarithm over the second half of its run: on a circle or
# torus it grows at most in proportion to the time, by log 2.
_SENSITIVE: Final = 4.0
_TANGENT_STEPS: Final = 2048
_PER_TURN: Final = 32
_STEPS_PER_TURN: Final = 20.0
# Returns of a flow are interpolated between samples.
_INTERPOLATED: Final = 1e-3


class Oscillations(NamedTuple):
    """For many cells."""

    detail: NDArray[np.str_]
    period: FloatArray  # in iterations or time
    rotation: FloatArray  # turns per iteration; not a number for flows
    confidence: FloatArray


def look_closer(orbits: Cells, cells: IntArray, records: FloatArray, moves: Swing, spacing: int) -> Oscillations:
    """Tell the kinds apart, for cells that come back.

    Parameters
    ----------
    orbits : Cells
        Is run on where the record is too coarse or a tangent is needed.
    cells : int array (k,)
    records : array (k, n, samples)
    moves : Swing
        Of these records.
    spacing : int
        Ticks between two samples.
    """
    if orbits.system.kind == "flow":
        return _of_flow(orbits, cells, records, moves, spacing)
    samples = records.shape[2]
    stride = np.full(len(cells), spacing)
    # Fast turns seen through a stride are not what they seem: record these cells step by step.
    fast = np.flatnonzero((stride > 1) & (moves.crossings > samples // _PER_TURN))
    if len(fast):
        records = records.copy()
        records[fast] = orbits.record(cells[fast], samples, samples)
        stride[fast] = 1
        moves = swing(records, np.maximum(moves.amplitude, 1e-300))
    amplitude, lead, crossings = moves.amplitude, moves.lead, moves.crossings
    detail = np.full(len(cells), CIRCLE, dtype="<U24")
    rotation = rotation_numbers(records, lead, crossings) / stride
    period = 1.0 / np.maximum(rotation, 1e-300)
    confidence = np.full(len(cells), 0.9)
    steps = np.flatnonzero(stride == 1)
    found = np.zeros(len(cells), dtype=np.int64)
    found[steps] = periods(records[steps], amplitude[steps])
    cycles = found > 0
    detail[cycles], confidence[cycles] = CYCLE, 0.95
    period[cycles] = found[cycles]
    unsure = np.flatnonzero(~cycles & (irregularity(records, amplitude) > _REGULAR))
    if len(unsure):
        growth = _stretch_of_map(orbits, cells[unsure])
        detail[unsure[growth > _SENSITIVE]] = IRREGULAR
        # A tangent that shrinks all the time belongs to a cycle that is longer than was looked for.
        detail[unsure[growth < -2.0 * _SENSITIVE]] = CYCLE
        confidence[unsure] = 0.8
        wild = unsure[growth > _SENSITIVE]
        period[wild] = 2.0 * samples * stride[wild] / np.maximum(crossings[wild], 1)
        rotation[wild] = np.nan
    return Oscillations(detail, period.astype(float), rotation, confidence)


@leaf
def _stretch(
    tape: TapeData, iterations: int, x: FloatArray, p: FloatArray, tangent: FloatArray, steps: int, v: FloatArray,
    g: FloatArray, growth: FloatArray,
) -> None:  # fmt: skip
    """Carry a tangent vector along each orbit; `growth` (cells, 2): logarithm of its growth over either half."""
    cells, n = x.shape
    for cell in range(cells):
        for i in range(p.shape[1]):
            v[n + i] = p[cell, i]
        for i in range(n):
            v[i] = x[cell, i]
            g[i, 0] = tangent[cell, i]
        for k in range(steps):
            for _ in range(iterations):
                run_jacobian(tape, v, g)
                for i in range(n):
                    x[cell, i] = v[tape.outputs[i]]
                    tangent[cell, i] = g[tape.outputs[i], 0]
                for i in range(n):
                    v[i] = x[cell, i]
                    g[i, 0] = tangent[cell, i]
            size = 0.0
            for i in range(n):
                size = max(size, abs(g[i, 0]))
            if not 1e-300 < size < 1e300:
                # A zero derivative kills the tangent: the orbit is on a superstable cycle.
                growth[cell, 2 * k // steps] = -np.inf if size < 1.0 else np.inf
                break
            growth[cell, 2 * k // steps] += np.log(size)
            for i in range(n):
                g[i, 0] /= size


def _stretch_of_map(orbits: Cells, cells: IntArray) -> FloatArray:
    system = orbits.system
    tape = system.tape
    x, p = orbits.x[cells], orbits.p[cells]
    tangent = np.tile(np.cos(np.arange(1.0, system.n + 1.0)), (len(cells), 1))
    growth = np.zeros((len(cells), 2))
    v = fs.loaded(tape)
    _stretch(
        tape.data, system.iterations, x, np.ascontiguousarray(p), tangent, _TANGENT_STEPS, v,
        np.zeros((tape.slots, 1)), growth,
    )  # fmt: skip
    second: FloatArray = growth[:, 1] + np.where(np.isinf(growth[:, 0]), growth[:, 0], 0.0)
    return second


def _of_flow(orbits: Cells, cells: IntArray, records: FloatArray, moves: Swing, spacing: int) -> Oscillations:
    samples = records.shape[2]
    detail = np.full(len(cells), IRREGULAR, dtype="<U24")
    period, confidence = np.full(len(cells), np.nan), np.full(len(cells), 0.8)
    space = np.full(len(cells), spacing * orbits.tick)
    # Too few samples in a turn, seen as such or hidden by aliasing: record these cells again, finer.
    turns = np.maximum(moves.crossings / 2.0, orbits.effort[cells] / _STEPS_PER_TURN)
    fine = np.flatnonzero(turns > samples / _PER_TURN)
    if len(fine):
        records = records.copy()
        for k in fine.tolist():
            ticks = max(int(spacing * samples * samples / _PER_TURN / turns[k]), 1)
            records[k] = orbits.record(cells[k : k + 1], ticks, samples)[0]
            space[k] = ticks * orbits.tick / samples
        moves = swing(records, np.maximum(moves.amplitude, 1e-300))
    for k in range(len(cells)):
        seen = returns(records[k], int(moves.lead[k]))
        if len(seen.times) < 4:
            continue
        turn = float(np.diff(seen.times).mean()) * space[k]
        amplitude = np.ptp(records[k], axis=1)
        back = int(periods(seen.points[None], amplitude[None], len(seen.times) // 3, _INTERPOLATED)[0])
        if back:
            detail[k], confidence[k] = CYCLE, 0.95
            period[k] = (seen.times[-1] - seen.times[-1 - back]) * space[k]
            continue
        period[k] = turn
        if _stretch_of_flow(orbits, cells[k], 40.0 * turn) <= _SENSITIVE:
            detail[k] = TORUS
    return Oscillations(detail, period, np.full(len(cells), np.nan), confidence)


def _stretch_of_flow(orbits: Cells, cell: int, duration: float) -> float:
    """Logarithm of a tangent's growth over the second half of a run."""
    system = orbits.system
    n, tape = system.n, system.tape
    y = np.concatenate([orbits.x[cell], np.cos(np.arange(1.0, n + 1.0))])[None]
    g, scratch = np.zeros((tape.slots, 1)), fs.make_scratch(tape, 2 * n)
    settings = fs.Settings(orbits.tolerance, orbits.tolerance, np.inf, orbits.bound, 50_000)
    growth = 0.0
    for piece in range(32):
        clock = fs.make_clock(1, 0.0, duration / 32)
        p = np.ascontiguousarray(orbits.p[cell : cell + 1])
        fk.march(tape.data, p, y, clock, settings, np.zeros(0), np.zeros((1, 0, 2 * n)), scratch, g, None)
        size = float(np.abs(y[0, n:]).max())
        if clock.counts[0, 7] != fk.FINISHED or not 0.0 < size < np.inf:
            return float("inf")
        y[0, n:] /= size
        growth += float(np.log(size)) if piece >= 16 else 0.0
    return growth

"""What kind of oscillation: a cycle, a circle (of a map), a torus or chaos."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import lanes
from gan_bifurcation.regimes.march import Cells
from gan_bifurcation.regimes.recurrence import (
    Swing,
    irregularity,
    periods,
    returns,
    rotation_numbers,
    scatter,
    swing,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CYCLE: Final = "cycle"
CIRCLE: Final = "circle"
TORUS: Final = "torus"
CHAOTIC: Final = "chaotic"

# Birkhoff averages that differ by less belong to regular motion; otherwise neighbouring orbits decide.
_REGULAR: Final = 1e-4
# Regular motion does not stretch distances by more than this logarithm over the second half of a run: on a circle or
# torus they grow at most in proportion to the time, by log 2.
SENSITIVE: Final = 4.0
_TURNS: Final = 40.0
_STEPS: Final = 1024.0
_PER_TURN: Final = 32
_STEPS_PER_TURN: Final = 20.0
# Fewer returns say little about what comes back: then the orbit is run on.
_RETURNS: Final = 16
# Neighbours in the order of the phase differ by so much of the amplitude only where one phase does not tell the state.
_SCATTERED: Final = 0.05
# Returns of a flow are interpolated between samples.
_INTERPOLATED: Final = 1e-3


class Oscillations(NamedTuple):
    """For many cells."""

    detail: NDArray[np.str_]
    period: FloatArray  # in iterations or time
    rotation: FloatArray  # turns per iteration; not a number for flows
    confidence: FloatArray
    exponent: FloatArray  # the largest Lyapunov exponent of what is chaotic


def look_closer(orbits: Cells, cells: IntArray, records: FloatArray, moves: Swing, spacing: IntArray) -> Oscillations:
    """Tell the kinds apart, for cells that come back.

    Parameters
    ----------
    orbits : Cells
        Is run on where the record is too coarse.
    cells : int array (k,)
    records : array (k, n, samples)
    moves : Swing
        Of these records.
    spacing : int array (k,)
        Ticks between two samples.
    """
    if orbits.system.kind == "flow":
        return _of_flow(orbits, cells, records, moves, int(spacing[0]))
    samples, stride = records.shape[2], spacing.copy()
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
    exponent = np.full(len(cells), np.nan)
    cycles = found > 0
    detail[cycles], confidence[cycles] = CYCLE, 0.95
    period[cycles] = found[cycles]
    unsure = np.flatnonzero(~cycles & (irregularity(records, amplitude) > _REGULAR))
    if len(unsure):
        turn = 2.0 * samples * stride[unsure] / np.maximum(crossings[unsure], 1)
        ticks = _rounded(np.maximum(_TURNS * turn, _STEPS))
        growth = orbits.stretch(cells[unsure], amplitude[unsure], ticks)
        # A distance that shrinks all the time belongs to a cycle that is longer than was looked for.
        wild = growth > SENSITIVE
        detail[unsure[wild]] = CHAOTIC
        detail[unsure[growth < -2.0 * SENSITIVE]] = CYCLE
        confidence[unsure] = 0.8
        exponent[unsure[wild]] = growth[wild] / (0.5 * ticks[wild])
        period[unsure[wild]], rotation[unsure[wild]] = turn[wild], np.nan
    round_ones = np.flatnonzero(detail == CIRCLE)
    per_sample = rotation[round_ones] * stride[round_ones]
    scattered = scatter(records[round_ones], amplitude[round_ones], per_sample) > _SCATTERED
    doubtful = round_ones[scattered]
    # What is even about a symmetric circle comes back twice in a turn.
    for whole in (0.0, 1.0):
        once = 0.5 * np.abs(whole / stride[doubtful] - rotation[doubtful])
        single = scatter(records[doubtful], amplitude[doubtful], once * stride[doubtful]) <= _SCATTERED
        rotation[doubtful[single]], period[doubtful[single]] = once[single], 1.0 / once[single]
        doubtful = doubtful[~single]
    if len(doubtful):
        # Only if the rotation number itself is settled: near a resonance it is not, and mixes the phases up.
        half = samples // 2
        parts = [
            rotation_numbers(r, lead[doubtful], crossings[doubtful] // 2)
            for r in (records[doubtful, :, :half], records[doubtful, :, half:])
        ]
        tori = doubtful[np.abs(parts[1] - parts[0]) * samples < _SCATTERED]
        detail[tori], confidence[tori] = TORUS, 0.7
    return Oscillations(detail, period.astype(float), rotation, confidence, exponent)


def _rounded(ticks: FloatArray) -> IntArray:
    """The next power of two, so that cells run together."""
    return (2 ** np.ceil(np.log2(ticks))).astype(np.int64)


def _of_flow(orbits: Cells, cells: IntArray, records: FloatArray, moves: Swing, spacing: int) -> Oscillations:
    samples = records.shape[2]
    detail = np.full(len(cells), CHAOTIC, dtype="<U24")
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
    exponent = np.full(len(cells), np.nan)
    for k in range(len(cells)):
        record, seen = records[k], returns(records[k], int(moves.lead[k]))
        if len(seen.times) < _RETURNS:
            # A slow turn within a short budget: what comes back may not have done so often enough to be recognised.
            turns_seen = max(float(moves.crossings[k]) / 2.0, 1.0)
            ticks = max(int(1.5 * _RETURNS * samples * space[k] / turns_seen / orbits.tick), 1)
            record = orbits.record(cells[k : k + 1], ticks, samples)[0]
            space[k] = ticks * orbits.tick / samples
            seen = returns(record, int(moves.lead[k]))
        if len(seen.times) < 4 or orbits.codes[cells[k]] != lanes.INSIDE:
            continue
        turn = float(np.diff(seen.times).mean()) * space[k]
        amplitude = np.ptp(record, axis=1)
        back = int(periods(seen.points[None], amplitude[None], len(seen.times) // 3, _INTERPOLATED)[0])
        if back:
            detail[k], confidence[k] = CYCLE, 0.95
            period[k] = (seen.times[-1] - seen.times[-1 - back]) * space[k]
            continue
        period[k] = turn
        length = np.array([max(int(_TURNS * turn / orbits.tick), 1)])
        growth = float(orbits.stretch(cells[k : k + 1], amplitude[None], length)[0])
        if growth <= SENSITIVE:
            detail[k] = TORUS if growth > -2.0 * SENSITIVE else CYCLE
        else:
            exponent[k] = growth / (0.5 * length[0] * orbits.tick)
    return Oscillations(detail, period, np.full(len(cells), np.nan), confidence, exponent)

"""What kind of oscillation: a cycle, a circle (of a map), a torus or chaos, each said on evidence only.

A cycle is seen to come back, or to attract (small distances shrink) and then to come back further on. A circle has one
phase that tells the state, with weighted averages that agree as only regular motion lets them; or the orbit fills a
closed line again and again and neighbours neither part nor meet. A torus is filled in the same way but is no line.
Chaos is seen by neighbours that part. What shows none of this is unresolved.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import lanes
from gan_bifurcation.regimes.march import Cells
from gan_bifurcation.regimes.recurrence import (
    Swing,
    audible,
    filling,
    irregularity,
    one_phase,
    periods,
    returns,
    rotation_numbers,
    swing,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CYCLE: Final = "cycle"
CIRCLE: Final = "circle"
TORUS: Final = "torus"
CHAOTIC: Final = "chaotic"
UNRESOLVED: Final = "unresolved"

# Birkhoff averages that differ by less belong to regular motion; otherwise neighbouring orbits decide.
_REGULAR: Final = 1e-4
# Those of an orbit that still draws nearer differ by more than this.
_STEADY: Final = 1e-3
# Regular motion does not stretch distances by more than this logarithm over the second half of a run: on a circle or
# torus they grow at most in proportion to the time, by log 2.
SENSITIVE: Final = 4.0
# A cycle that attracts lets them shrink by more than this.
_SHRINKS: Final = -2.0 * SENSITIVE
# What lies between these and log 2 either way may be either: longer runs tell, so many times as long, so often.
_FLAT: Final = 1.0
_CLEAR: Final = 12.0
_LONGER: Final = 4
_REPEATS: Final = 2
_TURNS: Final = 40.0
_STEPS: Final = 1024.0
_PER_TURN: Final = 32
_STEPS_PER_TURN: Final = 20.0
# Steps seen one by one show turns where there are so many crossings; slower ones are seen by strides alone.
_FEWEST: Final = 6
# Fewer returns say little about what comes back: then the orbit is run on.
_RETURNS: Final = 16
# Points that are spread across a line by more than this part of their spread along it are not on a line.
_LINE: Final = 0.25
# What is left of states at rest: of rounding, and of an integration in units of its tolerance.
_ROUNDING: Final = 1e-12
_INTEGRATED: Final = 100.0
# Returns of a flow are interpolated between samples.
_INTERPOLATED: Final = 1e-3
# Steps of a map that are looked at when it is run on; the stride, a prime, that makes slow turns quicker.
_LATER: Final = 1536
_STRIDE: Final = 37
_SURE, _SEEN, _LIKELY, _OPEN = 0.95, 0.9, 0.8, 0.6


class Oscillations(NamedTuple):
    """For many cells."""

    detail: NDArray[np.str_]
    period: FloatArray  # in iterations or time
    rotation: FloatArray  # turns per iteration; not a number for flows
    confidence: FloatArray
    exponent: FloatArray  # the largest Lyapunov exponent of what is chaotic


def look_closer(orbits: Cells, cells: IntArray, records: FloatArray, moves: Swing, spacing: int) -> Oscillations:
    """Tell the kinds apart, for cells that come back.

    Parameters
    ----------
    orbits : Cells
        Is run on where the record is too coarse.
    cells : int array (k,)
    records : array (k, n, samples)
    moves : Swing
        Of these records.
    spacing : int
        Ticks between two samples.
    """
    if orbits.system.kind == "flow":
        return _of_flow(orbits, cells, records, moves, spacing)
    records, moves = _heard(records, moves, _ROUNDING)
    samples = records.shape[2]
    stride = np.full(len(cells), spacing)
    if spacing > 1:
        # Fast turns seen through a stride are not what they seem: steps one by one, unless these show no turn.
        single = audible(orbits.record(cells, samples, samples), _ROUNDING)
        fast = swing(single, np.maximum(moves.amplitude, 1e-300)).crossings >= _FEWEST
        records = np.where(fast[:, None, None], single, records)
        stride[fast] = 1
        moves = swing(records, np.maximum(moves.amplitude, 1e-300))
    amplitude, lead, crossings = moves.amplitude, moves.lead, moves.crossings
    detail = np.full(len(cells), UNRESOLVED, dtype="<U24")
    per_sample = rotation_numbers(records, lead, crossings)
    rotation = per_sample / stride
    period = 1.0 / np.maximum(rotation, 1e-300)
    confidence, exponent = np.full(len(cells), _OPEN), np.full(len(cells), np.nan)
    steps = np.flatnonzero(stride == 1)
    found = np.zeros(len(cells), dtype=np.int64)
    found[steps] = periods(records[steps], amplitude[steps])
    cycles = found > 0
    detail[cycles], confidence[cycles], period[cycles] = CYCLE, _SURE, found[cycles]
    # Most circles are seen to be circles.
    steady = ~cycles & (irregularity(records, amplitude) < _REGULAR)
    circles = np.zeros(len(cells), dtype=bool)
    # What is even about a symmetric circle comes back twice in a turn.
    for whole, turns in ((0.0, 1.0), (0.0, 2.0), (1.0, 2.0)):
        here = np.flatnonzero(steady & ~circles)
        once = np.abs(whole - per_sample[here]) / turns
        told = one_phase(records[here], amplitude[here], once)
        circles[here[told]], rotation[here[told]] = True, once[told] / stride[here[told]]
    period[circles] = 1.0 / np.maximum(rotation[circles], 1e-300)
    detail[circles], confidence[circles] = CIRCLE, _SEEN
    rest = np.flatnonzero(~cycles & ~circles)
    if len(rest) == 0:
        return Oscillations(detail, period, rotation, confidence, exponent)
    turn = 2.0 * samples * stride[rest] / np.maximum(crossings[rest], 1)
    growth, ticks = _growth(orbits, cells[rest], amplitude[rest], _rounded(np.maximum(_TURNS * turn, _STEPS)))
    wild = growth > SENSITIVE
    here = rest[wild]
    detail[here], confidence[here], exponent[here] = CHAOTIC, _LIKELY, growth[wild] / (0.5 * ticks[wild])
    period[here], rotation[here] = turn[wild], np.nan
    calm = np.flatnonzero(~wild)
    strides = np.maximum((_TURNS * turn[calm] / _LATER).astype(np.int64), 1)
    for lead, stride in np.unique(np.stack([ticks[calm], strides], axis=1), axis=0).tolist():
        alike = calm[(ticks[calm] == lead) & (strides == stride)]
        back, breadth = _further(orbits.apart(cells[rest[alike]]), lead, stride)
        cycles, regular = back > 0, np.isfinite(breadth) & (np.abs(growth[alike]) < _FLAT)
        here = rest[alike[cycles]]
        detail[here], confidence[here], period[here] = CYCLE, _SURE, back[cycles]
        rotation[here] = np.rint(rotation[here] * period[here]) / period[here]
        here = rest[alike[regular & ~cycles]]
        detail[here], confidence[here] = np.where(breadth[regular & ~cycles] < _LINE, CIRCLE, TORUS), _LIKELY
    return Oscillations(detail, period.astype(float), rotation, confidence, exponent)


def _heard(records: FloatArray, moves: Swing, noise: float) -> tuple[FloatArray, Swing]:
    """Records without the noise of states at rest, which may have seemed to lead."""
    heard = audible(records, noise)
    return heard, moves if heard is records else swing(heard, np.maximum(moves.amplitude, 1e-300))


def _further(orbits: Cells, lead: int, stride: int) -> tuple[IntArray, FloatArray]:
    """Run orbits of a map on and look again, step by step or by strides; then by longer ones: turns may close slowly.

    Returns
    -------
    back : int array (cells,)
        The period of the cycle that each is on; 0 for none.
    breadth : array (cells,)
        Of what each fills again and again with regular motion; infinite where it does not.
    """
    left = np.arange(len(orbits.x))
    back, breadth = np.zeros(len(left), dtype=np.int64), np.full(len(left), np.inf)
    orbits.advance(left, lead)
    # Most show in a third of the longest look what they are.
    for spacing, samples in ((stride, _LATER), (_STRIDE * stride, _LATER // 3), (_STRIDE * stride, _LATER)):
        records = audible(orbits.record(left, spacing * samples, samples), _ROUNDING)
        singles = records if spacing == 1 else audible(orbits.record(left, _LATER, _LATER), _ROUNDING)
        inside = orbits.codes[left] == lanes.INSIDE
        back[left[inside]] = periods(singles[inside], np.ptp(singles[inside], axis=2), _LATER // 3)
        vague = inside & (back[left] == 0)
        left, records = left[vague], records[vague]
        if len(left) == 0:
            break
        amplitude = np.ptp(records, axis=2)
        fills, breadths = filling(records, amplitude)
        regular = fills & (irregularity(records, amplitude) < _STEADY)
        breadth[left[regular]] = breadths[regular]
        left = left[~regular]
    return back, breadth


def _growth(orbits: Cells, cells: IntArray, amplitude: FloatArray, ticks: IntArray) -> tuple[FloatArray, IntArray]:
    """Logarithms by which small distances grow, and over how long: longer where a short run leaves it open."""
    growth, ticks = orbits.stretch(cells, amplitude, ticks), ticks.copy()
    for _ in range(_REPEATS):
        here = np.flatnonzero((np.abs(growth) > _FLAT) & (growth > _SHRINKS) & (growth < _CLEAR))
        if len(here) == 0:
            break
        ticks[here] *= _LONGER
        growth[here] = orbits.stretch(cells[here], amplitude[here], ticks[here])
    return growth, ticks


def _rounded(ticks: FloatArray) -> IntArray:
    """The next power of two, so that cells run together."""
    return (2 ** np.ceil(np.log2(ticks))).astype(np.int64)


def _of_flow(orbits: Cells, cells: IntArray, records: FloatArray, moves: Swing, spacing: int) -> Oscillations:
    noise = _INTEGRATED * orbits.tolerance
    records, moves = _heard(records, moves, noise)
    samples = records.shape[2]
    detail = np.full(len(cells), UNRESOLVED, dtype="<U24")
    period, confidence = np.full(len(cells), np.nan), np.full(len(cells), _OPEN)
    space = np.full(len(cells), spacing * orbits.tick)
    # Too few samples in a turn, seen as such or hidden by aliasing: record these cells again, finer.
    turns = np.maximum(moves.crossings / 2.0, orbits.effort[cells] / _STEPS_PER_TURN)
    fine = np.flatnonzero(turns > samples / _PER_TURN)
    if len(fine):
        records = records.copy()
        for k in fine.tolist():
            ticks = max(int(spacing * samples * samples / _PER_TURN / turns[k]), 1)
            records[k] = audible(orbits.record(cells[k : k + 1], ticks, samples), noise)[0]
            space[k] = ticks * orbits.tick / samples
        moves = swing(records, np.maximum(moves.amplitude, 1e-300))
    exponent = np.full(len(cells), np.nan)
    for k in range(len(cells)):
        record, seen = records[k], returns(records[k], int(moves.lead[k]))
        if len(seen.times) < _RETURNS:
            # A slow turn within a short budget: what comes back may not have done so often enough to be recognised.
            turns_seen = max(float(moves.crossings[k]) / 2.0, 1.0)
            ticks = max(int(1.5 * _RETURNS * samples * space[k] / turns_seen / orbits.tick), 1)
            record = audible(orbits.record(cells[k : k + 1], ticks, samples), noise)[0]
            space[k] = ticks * orbits.tick / samples
            seen = returns(record, int(moves.lead[k]))
        if len(seen.times) < 4 or orbits.codes[cells[k]] != lanes.INSIDE:
            continue
        turn = float(np.diff(seen.times).mean()) * space[k]
        amplitude = np.ptp(record, axis=1)
        back = int(periods(seen.points[None], amplitude[None], len(seen.times) // 3, _INTERPOLATED)[0])
        if back:
            detail[k], confidence[k] = CYCLE, _SURE
            period[k] = (seen.times[-1] - seen.times[-1 - back]) * space[k]
            continue
        period[k] = turn
        length = np.array([max(int(_TURNS * turn / orbits.tick), 1)])
        growths, length = _growth(orbits, cells[k : k + 1], amplitude[None], length)
        growth = float(growths[0])
        if growth > SENSITIVE:
            detail[k], confidence[k] = CHAOTIC, _LIKELY
            exponent[k] = growth / (0.5 * length[0] * orbits.tick)
            continue
        orbit, one = orbits.apart(cells[k : k + 1]), np.arange(1)
        orbit.advance(one, int(length[0]))
        ticks = max(int(samples / _PER_TURN * turn / orbits.tick), 1)
        seen = returns(audible(orbit.record(one, ticks, samples), noise)[0], int(moves.lead[k]))
        if len(seen.times) < 4 or orbit.codes[0] != lanes.INSIDE:
            continue
        back = int(periods(seen.points[None], amplitude[None], len(seen.times) // 3, _INTERPOLATED)[0])
        if back:
            detail[k], confidence[k] = CYCLE, _SURE
            period[k] = (seen.times[-1] - seen.times[-1 - back]) * ticks * orbits.tick / samples
        elif abs(growth) < _FLAT and filling(seen.points[None], amplitude[None])[0][0]:
            detail[k], confidence[k] = TORUS, _LIKELY
    return Oscillations(detail, period, np.full(len(cells), np.nan), confidence, exponent)

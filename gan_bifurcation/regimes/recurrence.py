"""What a recorded piece of an orbit shows: its amplitude, whether it comes back, with what period or rotation number.

All functions take many cells at once, records of shape (cells, states, samples), and are plain NumPy.

References
----------
Das, Saiki, Sander, Yorke: Quantitative quasiperiodicity, Nonlinearity 30 (2017) 4111 (the weighted Birkhoff average).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# A return is exact if it misses by less, in units of the amplitude; or nearly so and better from turn to turn.
_EXACT: Final = 1e-6
_NEARLY: Final = 2e-2
_LONGEST_PERIOD: Final = 256
# A quarter turn of so many samples or fewer may hide whole turns between samples.
_QUICK: Final = 16
# Neighbours in the order of the phase differ by more of the amplitude only where one phase does not tell the state; a
# short record has few neighbours, and a closed curve goes up and down by so many amplitudes in all.
_SCATTERED: Final = 0.05
_WAY: Final = 6.0
# Phases that leave out more than this part of a turn, or than so many distances between neighbours, show no circle.
_WIDEST: Final = 0.15
_SPACINGS: Final = 8.0
# Points of records that are asked for their neighbours; records of fewer say nothing.
_ASKED: Final = 64
_FEW: Final = 16
_NEIGHBOURS: Final = 16
# A point lies among others if its distance to them is no more than so many times that to its own half: on a torus nine
# of ten do, on a circle all.
_AMONG: Final = 5.0
_MOSTLY: Final = 0.8
# Records are cut into so many segments to see a trend.
SEGMENTS: Final = 8


class Swing(NamedTuple):
    """How the records move, for many cells."""

    low: FloatArray  # (cells, states, segments): smallest values
    high: FloatArray  # (cells, states, segments)
    amplitude: FloatArray  # (cells, states): largest minus smallest value
    lead: IntArray  # (cells,): the state with the largest amplitude in units of the scale
    crossings: IntArray  # (cells,): how often the leading state passes the middle of its range
    drift: FloatArray  # (cells,): how far its mean moves between the halves, in units of its amplitude
    growth: FloatArray  # (cells,): logarithm of the second half's amplitude over the first half's

    def of(self, cells: IntArray) -> "Swing":
        """Those of some cells."""
        return Swing(
            self.low[cells], self.high[cells], self.amplitude[cells], self.lead[cells], self.crossings[cells],
            self.drift[cells], self.growth[cells],
        )  # fmt: skip


def swing(records: FloatArray, scale: FloatArray) -> Swing:
    """Amplitudes, turns and trends of records, for states of the given scale (cells, states).

    Examples
    --------
    >>> t = np.arange(200.0)
    >>> found = swing(np.stack([np.sin(0.1 * t), 0.5 * np.cos(0.1 * t)])[None], np.ones((1, 2)))
    >>> int(found.lead[0]), int(found.crossings[0]), bool(abs(found.growth[0]) < 0.01)
    (0, 6, True)
    """
    cells, states, samples = records.shape
    length = max(samples // SEGMENTS, 1)
    parts = records[:, :, samples - length * (samples // length) :].reshape(cells, states, -1, length)
    low, high = parts.min(axis=3), parts.max(axis=3)
    half = low.shape[2] // 2
    amplitude = high.max(axis=2) - low.min(axis=2)
    relative = amplitude / scale
    lead = relative.argmax(axis=1)
    chosen = np.arange(cells)
    leading = records[chosen, lead]
    middle = 0.5 * (low.min(axis=2) + high.max(axis=2))[chosen, lead]
    above = leading > middle[:, None]
    crossings = np.count_nonzero(above[:, 1:] != above[:, :-1], axis=1)
    size = np.maximum(amplitude[chosen, lead], 1e-300)
    split = samples // 2
    drift = np.abs(leading[:, split:].mean(axis=1) - leading[:, :split].mean(axis=1)) / size
    # The growth of the whole, measured by the states that take part in it.
    first = high[:, :, :half].max(axis=2, initial=-np.inf) - low[:, :, :half].min(axis=2, initial=np.inf)
    second = high[:, :, half:].max(axis=2) - low[:, :, half:].min(axis=2)
    takes_part = relative >= 0.1 * relative.max(axis=1, keepdims=True)
    ratio = np.log(np.maximum(second, 1e-300) / np.maximum(first, 1e-300))
    growth = np.where(takes_part, ratio, 0.0).sum(axis=1) / np.maximum(takes_part.sum(axis=1), 1)
    return Swing(low, high, amplitude, lead, crossings, drift, growth)


def periods(
    records: FloatArray, amplitude: FloatArray, longest: int = _LONGEST_PERIOD, exact: float = _EXACT
) -> IntArray:
    """The period of each record in samples, or 0 where it does not come back to `exact` amplitudes.

    Examples
    --------
    >>> points = np.tile([0.2, 0.7, 0.4], 40).reshape(1, 1, 120)
    >>> periods(points, np.array([[0.5]])).tolist()
    [3]
    """
    cells, _, samples = records.shape
    longest = min(longest, samples // 3)
    size = np.maximum(amplitude.max(axis=1), 1e-300)
    weight = np.where(amplitude > 1e-9 * size[:, None], 1.0 / np.maximum(amplitude, 1e-300), 0.0)
    found = np.zeros(cells, dtype=np.int64)
    window = min(longest, samples // 3)
    end, middle = samples, samples - window
    if cells == 0 or longest < 1:
        return found
    # A return must hold at every sample of the last window; one sample rules nearly all periods out.
    away = np.abs(records[:, :, -1:] - records[:, :, samples - 1 - longest : samples - 1]) * weight[:, :, None]
    near = away.max(axis=1)[:, ::-1] < _NEARLY
    for k in (np.flatnonzero(near.any(axis=0)) + 1).tolist():
        maybe = np.flatnonzero(near[:, k - 1] & (found == 0))
        if len(maybe) == 0:
            continue
        by = weight[maybe, :, None]
        late = np.abs(records[maybe, :, middle:end] - records[maybe, :, middle - k : end - k]) * by
        early = np.abs(records[maybe, :, window : 2 * window] - records[maybe, :, window - k : 2 * window - k]) * by
        late_error, early_error = late.max(axis=(1, 2)), early.max(axis=(1, 2))
        good = (late_error < exact) | ((late_error < _NEARLY) & (late_error < 0.3 * early_error))
        found[maybe[good]] = k
    return found


def _weights(samples: int) -> FloatArray:
    t = (np.arange(samples) + 1.0) / (samples + 1.0)
    w = np.exp(-1.0 / (t * (1.0 - t)))
    weights: FloatArray = w / w.sum()
    return weights


def irregularity(records: FloatArray, amplitude: FloatArray) -> FloatArray:
    """How much weighted Birkhoff averages of the two halves differ, in units of the amplitude.

    They agree to many digits on a circle, where the weights make them converge faster than any power, and to the square
    root of the number of samples only where the motion is irregular.
    """
    half = records.shape[2] // 2
    size = np.where(amplitude > 1e-9 * amplitude.max(axis=1, keepdims=True), amplitude, np.inf)
    centred = (records - records.mean(axis=2, keepdims=True)) / size[:, :, None]
    w = _weights(half)
    change = np.abs(centred[:, :, :half] @ w - centred[:, :, -half:] @ w)
    np.square(centred, out=centred)
    spread = np.abs(centred[:, :, :half] @ w - centred[:, :, -half:] @ w)
    worst: FloatArray = np.maximum(change, spread).max(axis=1)
    return worst


def one_phase(records: FloatArray, amplitude: FloatArray, rotation: FloatArray) -> BoolArray:
    """Whether one phase, which grows by the rotation number per sample, tells the state: records of closed curves.

    The phases must fill the turn, and states that are neighbours in phase must be neighbours.

    Examples
    --------
    >>> t = np.arange(2000.0)
    >>> circle = np.cos(0.2 * t) + 0.3 * np.cos(0.6 * t)
    >>> torus = np.cos(0.2 * t) + 0.3 * np.cos(np.sqrt(2.0) * t)
    >>> one_phase(np.stack([circle, torus])[:, None], np.array([[2.0], [2.0]]), np.full(2, 0.1 / np.pi)).tolist()
    [True, False]
    """
    cells, _, samples = records.shape
    weight = _weight(amplitude)
    found = np.zeros(cells, dtype=bool)
    steps = np.arange(samples)
    for k in range(cells):
        phase = (steps * rotation[k]) % 1.0
        order = np.argsort(phase)
        widest = float(np.diff(phase[order], append=phase[order[0]] + 1.0).max())
        apart = float((np.abs(np.diff(records[k][:, order], axis=1)).mean(axis=1) * weight[k]).max())
        found[k] = widest < min(_WIDEST, _SPACINGS / samples) and apart < max(_SCATTERED, _WAY / samples)
    return found


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """From each row of a to each row of b; exact for close ones, as products of rows would not be."""
    squares = np.zeros((len(a), len(b)))
    # State by state, as the differences of all states at once do not fit into the caches.
    for here, there in zip(a.T, b.T, strict=True):
        apart = here[:, None] - there
        apart *= apart
        squares += apart
    return np.sqrt(squares)


def filling(records: FloatArray, amplitude: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Whether the halves of records lie on each other, and how broad they are where one looks closely.

    Returns
    -------
    fills : bool array (cells,)
        The later points lie among the earlier ones and these among them, as on a circle or torus that is gone round
        more than once; not where an orbit is still on its way.
    breadth : array (cells,)
        Spread of neighbours across the direction in which they are spread most, relative to that: small on a line.

    Examples
    --------
    >>> t = np.arange(1000.0)
    >>> circle, decay = np.exp(2j * t), (-1.0) ** t / np.sqrt(t + 1000.0)
    >>> torus = np.exp(2j * t) * (1.0 + 0.4 * np.cos(np.sqrt(2.0) * t))
    >>> fills, breadth = filling(np.array([[z.real, z.imag] for z in (circle, torus, decay)]), np.full((3, 2), 2.0))
    >>> fills.tolist(), (breadth[:2] < 0.25).tolist()
    ([True, True, False], [True, False])
    """
    cells, _, samples = records.shape
    fills, breadth = np.zeros(cells, dtype=bool), np.full(cells, np.inf)
    half = samples // 2
    if half < _FEW:
        return fills, breadth
    weight = _weight(amplitude)
    asked = np.unique(np.linspace(0, half - 1, _ASKED).astype(np.int64))
    neighbours = min(_NEIGHBOURS, samples // 8)
    for k in range(cells):
        points = (records[k] * weight[k][:, None]).T
        first, second = points[:half], points[half : 2 * half]
        apart, back = _distances(first[asked], points), _distances(second[asked], points)
        near = []
        for own, within, across in ((apart, 0, half), (back, half, 0)):
            inside = own[:, within : within + half].copy()
            inside[np.arange(len(asked)), asked] = np.inf
            there = own[:, across : across + half]
            near.append(float(np.mean(there.min(axis=1) <= _AMONG * inside.min(axis=1))))
        fills[k] = min(near) > _MOSTLY
        groups = points[np.argpartition(apart, neighbours, axis=1)[:, : neighbours + 1]]
        spread = np.linalg.svd(groups - groups.mean(axis=1, keepdims=True), compute_uv=False)
        if spread.shape[1] > 1:
            breadth[k] = float(np.median(spread[:, 1] / np.maximum(spread[:, 0], 1e-300)))
        else:
            breadth[k] = 0.0
    return fills, breadth


def audible(records: FloatArray, noise: float) -> FloatArray:
    """Records with states at rest whose amplitude is no more than `noise`, as a part of their size.

    What is left of a state that rests but for errors of integration would otherwise never come back.

    >>> record = np.stack([np.cos(np.arange(9.0)), 1.0 + 1e-9 * np.sin(np.arange(9.0))])[None]
    >>> float(np.ptp(audible(record, 1e-6), axis=2)[0, 1])
    0.0
    """
    quiet = np.ptp(records, axis=2) <= noise * np.abs(records).max(axis=2)
    if not quiet.any():
        return records
    return np.where(quiet[:, :, None], records.mean(axis=2, keepdims=True), records)


def _weight(amplitude: FloatArray) -> FloatArray:
    """What makes states comparable (cells, states): those that hardly move do not count."""
    size = np.maximum(amplitude.max(axis=1, keepdims=True), 1e-300)
    weight: FloatArray = np.where(amplitude > 1e-3 * size, 1.0 / np.maximum(amplitude, 1e-300), 0.0)
    return weight


def rotation_numbers(records: FloatArray, lead: IntArray, crossings: IntArray) -> FloatArray:
    """Turns per sample, between 0 and 1/2, of the leading state beside its delayed copy.

    Examples
    --------
    >>> t = np.arange(600.0)
    >>> number = rotation_numbers(np.cos(2 * np.pi * 0.3819660113 * t)[None, None], np.array([0]), np.array([458]))
    >>> float(number[0])
    0.381966
    """
    cells, _, samples = records.shape
    series = records[np.arange(cells), lead]
    series = series - 0.5 * (series.min(axis=1, keepdims=True) + series.max(axis=1, keepdims=True))
    delay = _delays(series, crossings)
    usable = samples - int(delay.max())
    later = np.take_along_axis(series, delay[:, None] + np.arange(usable)[None], axis=1)
    angle = np.arctan2(later, series[:, :usable])
    turn = np.diff(angle, axis=1)
    # Every turn is near the mean one; which whole turns are to be added follows from that.
    mean = np.angle(np.exp(1j * turn).mean(axis=1, keepdims=True))
    turn = mean + np.mod(turn - mean + np.pi, 2.0 * np.pi) - np.pi
    number = np.mod(turn @ _weights(usable - 1) / (2.0 * np.pi), 1.0)
    folded: FloatArray = np.minimum(number, 1.0 - number)
    return folded


def _delays(series: FloatArray, crossings: IntArray) -> IntArray:
    """The delay that makes the picture of each series beside its copy round: a quarter turn, up to whole turns."""
    samples = series.shape[1]
    quarter = np.rint(samples / np.maximum(crossings, 1) / 2.0).astype(np.int64)
    delay: IntArray = np.clip(quarter, 1, samples // 4)
    quick = np.flatnonzero(quarter <= _QUICK)
    if len(quick):
        centred = series[quick] - series[quick].mean(axis=1, keepdims=True)
        longest = min(4 * _QUICK, samples // 4)
        kept = centred[:, : samples - longest]
        likeness = np.stack(
            [np.abs(np.einsum("ct,ct->c", kept, centred[:, d : d + kept.shape[1]])) for d in range(1, longest + 1)]
        )
        # The shortest delay that is nearly as good as the best.
        good = likeness <= likeness.min(axis=0) + 0.1 * np.einsum("ct,ct->c", kept, kept)
        delay[quick] = good.argmax(axis=0) + 1
    return delay


class Winding(NamedTuple):
    """Which records wind, for many cells."""

    winds: BoolArray  # (cells,)
    angle: IntArray  # (cells,): the state that turns fastest
    rate: FloatArray  # (cells,): its turns per sample
    irregular: BoolArray  # (cells,): weighted averages of the two halves differ


def winding(records: FloatArray, turns: FloatArray) -> Winding:
    """Whether angles turn round and round, for states with these periods (states,), infinite for what is no angle.

    Examples
    --------
    >>> t = np.arange(400.0)
    >>> states = np.stack([0.1 * t + 0.3 * np.sin(0.7 * t), np.cos(0.7 * t)])
    >>> found = winding(states[None], np.array([2 * np.pi, np.inf]))
    >>> bool(found.winds[0]), float(found.rate[0]), 0.1 / (2 * np.pi)
    (True, 0.0159155, 0.0159155)
    """
    samples = records.shape[2]
    half = samples // 2
    # A mean rate by weighted averages of the steps; that of each half as well.
    steps = np.diff(records, axis=2) / turns[None, :, None]
    whole = steps @ _weights(samples - 1)
    first, second = steps[:, :, :half] @ _weights(half), steps[:, :, -half:] @ _weights(half)
    angle = np.abs(whole).argmax(axis=1)
    chosen = np.arange(len(records))
    rate, one, two = (np.abs(part[chosen, angle]) for part in (whole, first, second))
    others = np.where(np.isfinite(turns)[None, :, None], 0.0, records)
    size = np.maximum(np.ptp(others, axis=2), 1e-300)
    spread = np.maximum(np.ptp(others[:, :, half:], axis=2), 1e-300) / np.maximum(
        np.ptp(others[:, :, :half], axis=2), 1e-300
    )
    drift = np.abs(others[:, :, half:].mean(axis=2) - others[:, :, :half].mean(axis=2)) / size
    settled = ((spread < 1.2) & (drift < 0.25)).all(axis=1)
    winds = (rate * samples > 4.0) & (np.abs(two - one) < 0.1 * rate) & settled
    return Winding(winds, angle, np.maximum(rate, 1e-300), np.abs(two - one) > 1e-4 * rate)


class Returns(NamedTuple):
    """Where one cell's record crosses the middle of its leading state upwards."""

    times: FloatArray  # (returns,): in samples
    points: FloatArray  # (states, returns)


def returns(record: FloatArray, lead: int) -> Returns:
    """Upward crossings of the middle of the leading state's range, by cubic interpolation of the samples.

    Examples
    --------
    >>> t = np.arange(200.0)
    >>> found = returns(np.stack([np.cos(0.2 * t), np.sin(0.2 * t)]), 0)
    >>> float(found.times[1] - found.times[0]), float(2 * np.pi / 0.2)
    (31.4159, 31.4159)
    """
    series = record[lead]
    series = series - 0.5 * (series.min() + series.max())
    k = np.flatnonzero((series[:-1] <= 0.0) & (series[1:] > 0.0))
    k = k[(k >= 1) & (k + 2 < len(series))]
    theta = -series[k] / (series[k + 1] - series[k])
    for _ in range(30):
        value = _cubic(series, k, theta)
        slope = (_cubic(series, k, theta + 1e-5) - _cubic(series, k, theta - 1e-5)) / 2e-5
        moved = np.clip(theta - value / np.where(slope == 0.0, 1.0, slope), 0.0, 1.0)
        settled = np.max(np.abs(moved - theta), initial=0.0) < 1e-14
        theta = moved
        if settled:
            break
    return Returns(k + theta, _cubic(record, k, theta))


def _cubic(values: FloatArray, k: IntArray, theta: FloatArray) -> FloatArray:
    """Lagrange interpolation through the samples k-1, k, k+1, k+2 at k + theta."""
    a, b, c, d = values[..., k - 1], values[..., k], values[..., k + 1], values[..., k + 2]
    result: FloatArray = (
        -a * theta * (theta - 1.0) * (theta - 2.0) / 6.0
        + b * (theta + 1.0) * (theta - 1.0) * (theta - 2.0) / 2.0
        - c * (theta + 1.0) * theta * (theta - 2.0) / 2.0
        + d * (theta + 1.0) * theta * (theta - 1.0) / 6.0
    )
    return result

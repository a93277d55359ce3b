"""Lines in the spectrum of a noisy record, how their amplitude develops, and where a slow movement leads."""

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

SHORTEST: Final = 16
_PADDING: Final = 4
# Fewer turns than this in a stretch are a trend, for all that can be seen.
_FEWEST_TURNS: Final = 2.5
# Bins around a line from which the noise beside it is taken.
_BESIDE: Final = 24
# A window of the demodulation covers so many turns.
_TURNS: Final = 3.0
_FEWEST_IN_WINDOW: Final = 1.5
_MOST_WINDOWS: Final = 64
_HARMONICS: Final = 8
# Rates of slow movements, per length of the record.
_FADING: Final = (1.5, 4.0, 10.0, 30.0)


class Line(NamedTuple):
    """A line in a spectrum."""

    frequency: float  # turns per sample, up to 1/2
    excess: float  # peak over the noise beside it, in units of what noise alone would reach
    column: int


class Envelope(NamedTuple):
    """Amplitude of an oscillation along a record."""

    times: FloatArray  # (windows,): in samples
    amplitude: FloatArray  # (windows,): with the noise's share taken off
    noise: float  # what noise alone gives
    frequency: float  # refined by the phase, turns per sample


class Course(NamedTuple):
    """The best of a few simple courses of a positive or signed quantity."""

    kind: str  # "constant", "decay" (to zero), "algebraic" (to zero), "settling" (to a level), "growth", "drift"
    rate: float  # per sample; positive
    level: float  # where it leads, in units of its present value (growth: nan)
    margin: float  # by how many units of information it beats the best course with another meaning


def detrended(records: FloatArray, degree: int = 2) -> FloatArray:
    """Records (samples, columns) without their polynomial of a low degree."""
    t = np.linspace(-1.0, 1.0, len(records))
    basis = np.polynomial.legendre.legvander(t, degree)
    coefficients, *_ = np.linalg.lstsq(basis, records, rcond=None)
    result: FloatArray = records - basis @ coefficients
    return result


def without_trend(records: FloatArray) -> FloatArray:
    """Records without slow movements: level, slope, and what fades or grows exponentially over the record.

    Examples
    --------
    >>> t = np.linspace(0, 1, 300)
    >>> slow = np.exp(-5 * t)[:, None]
    >>> float(np.abs(without_trend(slow)).max()) < 0.01
    True
    """
    s = np.linspace(0.0, 1.0, len(records))
    basis = [np.ones_like(s), s]
    basis += [np.exp(-k * s) for k in _FADING] + [np.exp(k * (s - 1.0)) for k in _FADING]
    matrix = np.column_stack(basis)
    coefficients, *_ = np.linalg.lstsq(matrix, records, rcond=1e-8)
    result: FloatArray = records - matrix @ coefficients
    return result


def spectrum(records: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Frequencies (bins,) and powers (bins, columns) under Hann's window, padded with zeros."""
    samples = len(records)
    window = np.hanning(samples + 2)[1:-1]
    size = _PADDING * samples
    powers = np.abs(np.fft.rfft(detrended(records) * window[:, None], size, axis=0)) ** 2 / (window @ window)
    frequencies: FloatArray = np.asarray(np.fft.rfftfreq(size), dtype=np.float64)
    return frequencies, powers


def strongest_line(records: FloatArray, avoid: tuple[float, ...] = ()) -> Line | None:
    """The line that rises highest above the noise beside it, away from some frequencies and their multiples.

    Examples
    --------
    >>> t = np.arange(200.0)
    >>> noise = np.random.default_rng(0).normal(size=200)
    >>> line = strongest_line((np.cos(2 * np.pi * 0.11 * t) + 0.3 * noise)[:, None])
    >>> round(line.frequency, 2), line.excess > 2
    (0.11, True)
    """
    samples = len(records)
    if samples < SHORTEST:
        return None
    frequencies, powers = spectrum(records)
    width = _PADDING
    allowed = frequencies >= _FEWEST_TURNS / samples
    for unwanted in avoid:
        allowed &= np.abs(frequencies - unwanted) > 2.5 / samples
    if not np.any(allowed):
        return None
    # What the highest of so many independent bins of noise reaches, with one chance in some thousands.
    bins = max(samples / 2.0, 2.0) * powers.shape[1]
    reach = (math.log(bins) + 12.0) / math.log(2.0)
    best: Line | None = None
    for column in range(powers.shape[1]):
        # At half a turn per sample cosine and sine are one: noise has twice the power there, and half the waves.
        own = np.where(frequencies > 0.5 - 1.0 / samples, 0.5, 1.0) * powers[:, column]
        if not own.max() > 0.0:
            continue
        peak = int(np.argmax(np.where(allowed, own, 0.0)))
        # On the shoulder of a slow trend there is no peak.
        if 0 < peak < len(own) - 1 and not (own[peak] >= own[peak - 1] and own[peak] >= own[peak + 1]):
            continue
        gap, far = 3 * width, (3 + _BESIDE) * width
        beside = np.concatenate([own[max(peak - far, 0) : max(peak - gap, 0)], own[peak + gap : peak + far]])
        floor = max(float(np.median(beside)) if len(beside) else 0.0, 1e-28 * float(own.max()))
        found = Line(float(frequencies[peak]), float(own[peak] / floor / reach), column)
        if best is None or found.excess > best.excess:
            best = found
    return best


def envelope(records: FloatArray, frequency: float) -> Envelope:
    """The amplitude at a frequency in windows of a few turns along the record, all columns together.

    Examples
    --------
    >>> t = np.arange(400.0)
    >>> found = envelope((np.exp(-0.01 * t) * np.cos(0.3 * t))[:, None], 0.3 / (2 * np.pi))
    >>> float(np.log(found.amplitude[0] / found.amplitude[5]) / (found.times[5] - found.times[0]))
    0.01
    >>> found.frequency * 2 * np.pi
    0.3
    """
    samples = len(records)
    most = max(samples // 4, math.ceil(_FEWEST_IN_WINDOW / frequency))
    length = int(min(max(math.ceil(_TURNS / frequency), 8), most, samples))
    count = int(min(max(2 * samples // length - 1, 2), _MOST_WINDOWS))
    if length * 4 < samples and count == _MOST_WINDOWS:
        length = max(length, samples // 16)
    starts = np.unique(np.linspace(0, samples - length, count).astype(int))
    window = np.hanning(length + 2)[1:-1]
    window /= window.sum()
    t = np.arange(length)
    basis = np.column_stack(
        [np.ones(length), t - (length - 1) / 2, np.cos(2 * np.pi * frequency * t), np.sin(2 * np.pi * frequency * t)]
    )
    weights = np.sqrt(window)[:, None]
    inverse = np.linalg.pinv(basis * weights)
    found: ComplexArray = np.empty((len(starts), records.shape[1]), dtype=complex)
    rest = np.empty((len(starts), records.shape[1]))
    for k, start in enumerate(starts.tolist()):
        piece = records[start : start + length]
        fitted = inverse @ (piece * weights)
        found[k] = (fitted[2] - 1j * fitted[3]) * np.exp(-2j * np.pi * frequency * start)
        rest[k] = window @ (piece - basis @ fitted) ** 2
    # White noise of variance s**2 gives |amplitude|**2 = 4 s**2 sum w**2; other lines pass for noise here.
    noise = math.sqrt(4.0 * float(window @ window) * float(np.median(rest, axis=0).sum()))
    power = (np.abs(found) ** 2).sum(axis=1)
    amplitude = np.sqrt(np.maximum(power - noise**2, 1e-6 * noise**2))
    times = starts + (length - 1) / 2.0
    return Envelope(times, amplitude, noise, frequency + _shift(found, times, noise))


def _shift(found: ComplexArray, times: FloatArray, noise: float) -> float:
    """How far the frequency is off, by the slope of the phase where there is an amplitude."""
    column = int(np.argmax((np.abs(found) ** 2).sum(axis=0)))
    series = found[:, column]
    usable = np.abs(series) > 2.0 * noise / math.sqrt(found.shape[1])
    if np.count_nonzero(usable) < 3:
        return 0.0
    size, phase = np.abs(series[usable]), np.unwrap(np.angle(series[usable]))
    # Least squares on the phase, whose variance goes as 1/amplitude**2.
    return float(np.polyfit(times[usable], phase, 1, w=size)[0] / (2.0 * np.pi))


def variation(found: Envelope) -> float:
    """The spread of the later half of the amplitudes over their mean: near 0 on a cycle, 0.5 for narrow noise."""
    late = found.amplitude[len(found.amplitude) // 2 :]
    return float(late.std() / max(late.mean(), 1e-300))


def course(times: FloatArray, values: FloatArray, noise: float, *, positive: bool) -> Course:
    """Which simple course values with this noise take: Akaike's information decides, with a bonus for no change.

    Parameters
    ----------
    times, values : array (N,)
    noise : float
        Standard deviation of the values.
    positive : bool
        An amplitude, which may fall to zero; otherwise a mean, which has no zero of its own.

    Examples
    --------
    >>> t = np.arange(30.0)
    >>> course(t, np.exp(-0.2 * t), 1e-3, positive=True).kind, course(t, 2 - np.exp(-t), 1e-3, positive=True).kind
    ('decay', 'settling')
    """
    span = float(times[-1] - times[0]) or 1.0
    s = (times - times[0]) / span
    # Courses are simple and trainings are not: no fit is believed to better than a part of the values themselves.
    sizes = np.abs(values) if positive else np.full(len(values), np.ptp(values))
    sigma = np.maximum(np.hypot(noise, 0.02 * sizes), 1e-12 * (float(np.abs(values).max()) or 1.0))
    target, one = values / sigma, 1.0 / sigma
    # A change must be seen beyond doubt, as many rates are tried.
    doubt = 4.0 if positive else 10.0
    fits = {"constant": (_fit(target, one)[0] + 2.0, 0.0, 1.0)}
    if not positive:
        fits["drift"] = (_fit(target, s / sigma, one)[0] + doubt + 2.0, 0.0, math.nan)
    for kind, (shape, slowest) in _SHAPES[positive].items():
        level = one if kind == "settling" or not positive else None

        def misfit(
            logarithm: float, shape: Any = shape, level: FloatArray | None = level
        ) -> tuple[float, float, float]:
            found, factor, rest = _fit(target, shape(math.exp(logarithm), s) / sigma, level)
            if (
                positive
                and level is not None
                and not (rest > 0.0 and rest + factor * math.exp(-math.exp(logarithm)) > 0.0)
            ):
                # An amplitude settles at an amplitude.
                return math.inf, factor, rest
            return found, factor, rest

        grid = np.linspace(math.log(slowest), math.log(_FASTEST), _RATES)
        best = int(np.argmin([misfit(rate)[0] for rate in grid.tolist()]))
        rate = _golden(misfit, float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _RATES - 1)]))
        found, _, rest = misfit(rate)
        parameters = 4.0 if level is None else 6.0
        fits[kind] = found + parameters + doubt - 2.0, math.exp(rate) / span, rest
    kind = min(fits, key=lambda name: fits[name][0])
    others = [fits[name][0] for name in fits if _meaning(name) != _meaning(kind)]
    information, speed, rest = fits[kind]
    present = float(np.mean(values[-max(len(values) // 8, 1) :])) or 1e-300
    leads = {"constant": 1.0, "settling": rest / present, "decay": 0.0, "algebraic": 0.0}.get(kind, math.nan)
    return Course(kind, speed, leads, min(others) - information)


def _falling(rate: float, s: FloatArray) -> FloatArray:
    return np.exp(-rate * s)


def _rising(rate: float, s: FloatArray) -> FloatArray:
    return np.exp(rate * (s - 1.0))


def _root(rate: float, s: FloatArray) -> FloatArray:
    fallen: FloatArray = 1.0 / np.sqrt(1.0 + rate * s)
    return fallen


_FASTEST: Final = 60.0
_RATES: Final = 20
# For amplitudes and for means: shapes of a course, with the slowest rate (per length of the record) that is told apart.
_SHAPES: Final[dict[bool, dict[str, tuple[Callable[[float, FloatArray], FloatArray], float]]]] = {
    True: {
        "decay": (_falling, 0.05), "growth": (_rising, 0.05), "algebraic": (_root, 0.05), "settling": (_falling, 0.7),
    },
    False: {"settling": (_falling, 0.7), "growth": (_rising, 1.5)},
}  # fmt: skip


def _fit(target: FloatArray, first: FloatArray, second: FloatArray | None = None) -> tuple[float, float, float]:
    """Least squares with one or two columns: the misfit and the two factors."""
    a, u = float(first @ first), float(first @ target)
    if second is None:
        factor, other = (u / a if a > 0.0 else 0.0), 0.0
        rest = target - factor * first
    else:
        b, c, v = float(first @ second), float(second @ second), float(second @ target)
        determinant = a * c - b * b
        if not determinant > 1e-14 * a * c:
            return _fit(target, second)[0], 0.0, v / c
        factor, other = (c * u - b * v) / determinant, (a * v - b * u) / determinant
        rest = target - factor * first - other * second
    return float(rest @ rest), factor, other


def _golden(misfit: Callable[[float], tuple[float, float, float]], low: float, high: float) -> float:
    """Where a misfit is least between two bounds, by the golden section."""
    part = (math.sqrt(5.0) - 1.0) / 2.0
    c, d = high - part * (high - low), low + part * (high - low)
    fc, fd = misfit(c)[0], misfit(d)[0]
    for _ in range(14):
        if fc <= fd:
            high, d, fd = d, c, fc
            c = high - part * (high - low)
            fc = misfit(c)[0]
        else:
            low, c, fc = c, d, fd
            d = low + part * (high - low)
            fd = misfit(d)[0]
    return 0.5 * (low + high)


def _meaning(kind: str) -> str:
    return {"algebraic": "decay"}.get(kind, kind)


def refined(records: FloatArray, line: Line) -> float:
    """The frequency of a line to a small part of a bin, by a parabola through the logarithms at its peak."""
    frequencies, powers = spectrum(records)
    own = powers[:, line.column]
    near = round(line.frequency / float(frequencies[1]))
    low, high = max(near - _PADDING, 1), min(near + _PADDING + 1, len(own) - 1)
    if high <= low:
        return line.frequency
    peak = low + int(np.argmax(own[low:high]))
    a, b, c = (math.log(max(float(own[k]), 1e-300)) for k in (peak - 1, peak, peak + 1))
    bend = a - 2.0 * b + c
    shift = 0.5 * (a - c) / bend if bend < 0.0 else 0.0
    return float((peak + min(max(shift, -0.5), 0.5)) * frequencies[1])


def harmonics(frequency: float) -> tuple[float, ...]:
    """Multiples of a frequency as they are seen in samples, between 0 and 1/2.

    >>> [round(f, 2) for f in harmonics(0.3)[:3]]
    [0.3, 0.4, 0.1]
    """
    multiples = np.arange(1, _HARMONICS + 1) * frequency
    return tuple(np.abs(multiples - np.rint(multiples)).tolist())


def without(records: FloatArray, frequencies: tuple[float, ...]) -> FloatArray:
    """Records less their least-squares share at some frequencies, and their trend."""
    t = np.arange(len(records))
    kept = [f for f in frequencies if 1.0 / len(records) < f < 0.5 - 1e-9]
    waves = [wave(2 * np.pi * f * t) for f in kept for wave in (np.cos, np.sin)]
    basis = np.column_stack([np.ones(len(t)), t / len(t), (t / len(t)) ** 2, *waves, np.cos(np.pi * t)])
    if basis.shape[1] * 2 > len(records):
        return records
    coefficients, *_ = np.linalg.lstsq(basis, records, rcond=None)
    result: FloatArray = records - basis @ coefficients
    return result

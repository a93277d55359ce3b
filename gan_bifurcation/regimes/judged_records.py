"""A plain verdict on a recorded training run: `judge`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from gan_bifurcation.regimes import signals
from gan_bifurcation.regimes.records_in import Record, read_record
from gan_bifurcation.regimes.signals import FloatArray, Line

__all__ = ["Judgement", "judge"]

# An oscillation smaller than this part of everything that moves is not what the training does.
_SMALLEST_SHARE: Final = 0.02
# A second frequency counts from this part of the first one's amplitude on.
_SECOND_SHARE: Final = 0.08
# Noise of one colour has amplitudes that vary by half their mean; a cycle's hardly vary.
_WANDERING: Final = 0.42
# By how much a course must change for its direction to be told, in units of a logarithm.
_CHANGE: Final = 0.35
# An oscillation that falls to less than this part of its present amplitude dies out.
_LEVEL: Final = 0.5
_BLOCKS: Final = 40
_LONGEST: Final = 50_000
# Evidence up to these bounds was right in so many of the known cases (see the docstring of `judge`).
_EVIDENCE: Final = (0.5, 4.0, 16.0)
_MEASURED: Final = (0.70, 0.94, 0.98, 0.99)


@dataclass(frozen=True)
class Judgement:
    """What a recorded training run does.

    Attributes
    ----------
    kind : str
        "converging", "rotating", "quasi-periodic", "stalled", "diverging" or "undecided".
    confidence : float
        How often verdicts with as much evidence were right on trainings whose fate is known (see `judge`).
    period : float
        Of the oscillation, where there is one, also of one that dies out or grows; otherwise nan. In iterations, or in
        units of the column of times.
    rate : float
        By which the distance shrinks (or grows, if diverging) per iteration, as exp(-rate t); nan where there is none.
    frequencies : tuple of float
        In turns per iteration: one if rotating, the two strongest if quasi-periodic.
    columns : tuple of str
        What was judged.
    samples : int
    message : str
        The verdict in a sentence or two.
    """

    kind: str
    confidence: float
    period: float
    rate: float
    frequencies: tuple[float, ...]
    columns: tuple[str, ...]
    samples: int
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with None where there is no number."""
        numbers = {"period": self.period, "rate": self.rate}
        return {
            "kind": self.kind,
            "confidence": self.confidence,
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "frequencies": list(self.frequencies),
            "columns": list(self.columns),
            "samples": self.samples,
            "message": self.message,
        }


class _Finding(NamedTuple):
    kind: str
    evidence: float
    why: str
    frequencies: tuple[float, ...] = ()
    rate: float = math.nan


def judge(record: Any, columns: Sequence[str] | None = None) -> Judgement:
    """Judge a recorded training run: is it converging, rotating, quasi-periodic, stalled or diverging?

    Parameters
    ----------
    record : array, DataFrame, mapping, Orbit or path
        Losses or parameters, a row for each iteration: an array (samples,) or (samples, columns), columns by name, or a
        CSV file. A column named step, iteration, epoch or time that rises evenly counts time and is not judged.
    columns : sequence of str, optional
        Which columns to judge; all by default. Text, constant columns and columns with many gaps are left out.

    Returns
    -------
    Judgement
        "converging": an oscillation or a movement dies out. "rotating": an oscillation goes on with the same amplitude.
        "quasi-periodic": two of them without a common period. "stalled": nothing moves beyond noise. "diverging": an
        oscillation or a movement grows, or numbers overflow. "undecided": too short, or it drifts on.

    Raises
    ------
    MisuseError
        If there are no numbers, or a file or a name of a column is wrong.

    Notes
    -----
    Losses are even in the players' weights: of a rotation they show half the period.

    The confidence is measured. On 1600 trainings whose fate is known (games under rules with known multipliers or
    cycles, 60 to 4000 iterations, as parameters or losses, noise of 0 to 30 %, see
    :mod:`gan_bifurcation.regimes.known_records`) the verdicts were, by rows of the truth:

    ============== ========== ========= ============== ======== ======= =========
    truth          converging diverging quasi-periodic rotating stalled undecided
    ============== ========== ========= ============== ======== ======= =========
    converging     337        0         0              10       2       2
    diverging      2          247       0              0        0       0
    quasi-periodic 0          0         179            21       0       0
    rotating       0          0         0              600      0       0
    stalled        7          2         0              3        188     0
    ============== ========== ========= ============== ======== ======= =========

    A confidence of 0.70, 0.94, 0.98 or 0.99 is how often verdicts with as much evidence were right among these. Half of
    the periods were right to 0.01 %, nine in ten to 0.3 %; half of the rates to 1 %, nine in ten to 20 % (records of
    60 iterations are most of the rest). Trainings of other kinds may fare worse: noise that is as slow as the training
    itself looks like an oscillation.

    Examples
    --------
    >>> t = np.arange(500)
    >>> loss = 0.7 + np.exp(-0.01 * t) * np.cos(2 * np.pi * t / 25)
    >>> found = judge(loss)
    >>> found.kind, round(found.period, 2), round(found.rate, 4)
    ('converging', 25.0, 0.01)
    >>> print(found.message.split(". ")[0])
    Converging: the oscillation dies out
    """
    read = read_record(record, columns)
    finding = _find(read)
    every = read.spacing
    frequencies = tuple(f / every for f in finding.frequencies)
    period = 1.0 / frequencies[0] if frequencies and finding.kind != "quasi-periodic" else math.nan
    confidence = _MEASURED[int(np.searchsorted(_EVIDENCE, finding.evidence))] if finding.kind != "undecided" else 0.0
    return Judgement(
        finding.kind, confidence, period, finding.rate / every, frequencies, read.names, read.samples,
        _sentence(finding, period, finding.rate / every, read),
    )  # fmt: skip


def _find(read: Record) -> _Finding:
    if read.lost:
        return _Finding("diverging", 16.0, "The numbers overflow.")
    if read.samples < signals.SHORTEST:
        return _Finding("undecided", 0.0, f"There are only {read.samples} samples; {signals.SHORTEST} are the least.")
    if not read.values.shape[1]:
        return _Finding("stalled", 8.0, "Nothing changes at all.")
    values = read.values[-_LONGEST:] if read.samples > _LONGEST else read.values
    raw = (values - values.mean(axis=0)) / values.std(axis=0)
    level = signals.without_trend(raw)
    line = _line(level)
    if line is None:
        return _movement(raw)
    if signals.envelope(level, line.frequency).amplitude.max() < _SMALLEST_SHARE * math.sqrt(raw.shape[1]):
        return _movement(raw)
    return _oscillation(raw, line)


def _line(level: FloatArray) -> Line | None:
    """The strongest line of the whole record, its later half, or an early part of it (that may have died out since)."""
    samples = len(level)
    parts = [level, level[samples // 2 :]]
    parts += [level[: samples // k] for k in (2, 4, 8, 16) if samples // k >= 2 * signals.SHORTEST]
    found = [line for line in map(signals.strongest_line, parts) if line is not None and line.excess > 1.0]
    return max(found, key=lambda line: line.excess, default=None)


def _oscillation(raw: FloatArray, line: Line) -> _Finding:
    frequency = line.frequency
    for _ in range(3):
        found = signals.envelope(raw, frequency)
        # Further off it is another line.
        if abs(found.frequency - line.frequency) < 0.15 * line.frequency:
            frequency = float(np.clip(found.frequency, 1e-9, 0.5))
    course = signals.course(found.times, found.amplitude, found.noise / math.sqrt(2.0), positive=True)
    change = course.rate * float(found.times[-1] - found.times[0])
    seen = math.log(line.excess) * 2.0
    evidence = min(seen, course.margin)
    if course.kind in ("decay", "algebraic") and change > _CHANGE:
        slow = " more slowly than exponentially" if course.kind == "algebraic" else ""
        return _Finding(
            "converging", evidence, f"The oscillation dies out{slow}.", (frequency,),
            course.rate if course.kind == "decay" else math.nan,
        )  # fmt: skip
    if course.kind == "settling" and course.level < _LEVEL:
        return _Finding("converging", evidence, "The oscillation dies out.", (frequency,), course.rate)
    if course.kind == "growth" and change > _CHANGE:
        return _Finding("diverging", evidence, "The oscillation grows.", (frequency,), course.rate)
    if signals.variation(found) > _WANDERING:
        why = "It trembles about a place as noise makes it, without a steady amplitude."
        return _Finding("converging", min(evidence, 0.4), why, (frequency,))
    tail = raw[len(raw) // 2 :] if course.kind == "settling" else raw
    second = _second(tail, frequency)
    if second is not None:
        other, much = second
        return _Finding("quasi-periodic", min(seen, much), "Two rotations go on together.", (frequency, other))
    return _Finding("rotating", evidence, "The oscillation goes on with the same amplitude.", (frequency,))


def _second(tail: FloatArray, frequency: float) -> tuple[float, float] | None:
    """A second frequency that is no multiple or simple part of the first one, and how clearly it is seen."""
    samples = len(tail)
    first = signals.strongest_line(tail)
    if first is not None:
        frequency = signals.refined(tail, first)
    rest = signals.without(tail, signals.harmonics(frequency))
    line = signals.strongest_line(rest, (*signals.harmonics(frequency), 0.5))
    if line is None or line.excess <= 1.0:
        return None
    other = signals.refined(rest, line)
    main, second = signals.envelope(tail, frequency), signals.envelope(rest, other)
    size = float(np.median(main.amplitude))
    if np.median(second.amplitude) < _SECOND_SHARE * size or signals.variation(second) > _WANDERING:
        return None
    # How well frequencies are known, in units of 1/samples.
    known = 0.03 + 0.5 * second.noise / max(float(np.median(second.amplitude)), 1e-300)
    for parts in range(1, 6):
        multiple = parts * other / frequency
        if abs(multiple - round(multiple)) * frequency < known * parts / samples:
            return None
    return other, math.log(line.excess) * 2.0


def _movement(raw: FloatArray) -> _Finding:
    """Without oscillation: where the means of blocks lead."""
    samples = len(raw)
    count = min(_BLOCKS, samples // 4)
    edges = np.linspace(0, samples, count + 1).astype(int)
    means = np.array([raw[a:b].mean(axis=0) for a, b in pairwise(edges.tolist())])
    size = samples / count
    inner = np.diff(raw, axis=0)
    # Differences of neighbours see the noise and hardly the movement.
    noise = np.sqrt((inner**2).mean(axis=0) / 2.0 / size)
    times = 0.5 * (edges[1:] + edges[:-1])
    courses = [
        signals.course(times, column, float(own), positive=False) for column, own in zip(means.T, noise, strict=True)
    ]
    course = max(courses, key=lambda one: one.margin if one.kind != "constant" else 0.0)
    if course.kind == "settling":
        # In the end the slowest of what settles remains.
        course = min((one for one in courses if one.kind == "settling" and one.margin > 4.0), key=_rate, default=course)
    change = course.rate * samples
    if course.kind == "settling":
        if change < 1.5:
            return _Finding("undecided", 0.0, "It moves, and has not come near the place where it may settle.")
        return _Finding("converging", course.margin, "It settles.", (), course.rate)
    if course.kind == "growth":
        return _Finding("diverging", course.margin, "It leaves faster and faster.", (), course.rate)
    if course.kind == "drift":
        return _Finding("undecided", 0.0, "It drifts on steadily: record more of it.")
    return _Finding("stalled", course.margin, "Nothing but noise is seen: it does not move.")


def _rate(course: signals.Course) -> float:
    return course.rate


def _sentence(finding: _Finding, period: float, rate: float, read: Record) -> str:
    unit = "iterations" if not read.timed else "units of time"
    words = [finding.why]
    if math.isfinite(period):
        words.append(f"One turn takes {period:.4g} {unit}.")
    if finding.kind == "quasi-periodic":
        turns = " and ".join(f"{read.spacing / f:.4g}" for f in finding.frequencies)
        words.append(f"Their turns take {turns} {unit}.")
    if math.isfinite(rate) and rate > 0.0:
        verb = "grows" if finding.kind == "diverging" else "shrinks"
        words.append(f"The distance {verb} by the factor e in {1.0 / rate:.4g} {unit}.")
    return f"{finding.kind.capitalize()}: {finding.why[0].lower()}{' '.join(words)[1:]}"

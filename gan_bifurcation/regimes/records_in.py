"""Recorded training runs as they come: arrays, tables, CSV files, with gaps, constant columns and steps among them."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, quoted, unknown_name

__all__ = ["Record", "read_record"]

FloatArray = NDArray[np.float64]

# Columns of these names count time, if they rise evenly.
_CLOCKS: Final = frozenset(
    {"step", "steps", "iteration", "iterations", "iter", "epoch", "time", "t", "wall_time", "batch"}
)
_MOST_BYTES: Final = 500_000_000
_MOST_NUMBERS: Final = 50_000_000
# A column with more gaps than this part is not used.
_MOST_GAPS: Final = 0.3


@dataclass(frozen=True, eq=False)
class Record:
    """A record made ready: finite numbers in columns that vary.

    Attributes
    ----------
    values : array (samples, columns)
    names : tuple of str
    samples : int
    spacing : float
        Time between two samples; 1 if there is no column of times.
    timed : bool
        Whether there is one.
    lost : bool
        Whether the record ends in numbers that are not finite after it grew.
    """

    values: FloatArray
    names: tuple[str, ...]
    samples: int
    spacing: float
    timed: bool
    lost: bool


def read_record(record: Any, columns: Sequence[str] | None = None) -> Record:
    """A record from an array, a table, a mapping of columns, an orbit or the path of a CSV file."""
    named = _named(record)
    if columns is not None:
        wanted = [columns] if isinstance(columns, str) else list(columns)
        for name in wanted:
            if name not in named:
                raise unknown_name("column of the record", str(name), list(named))
        clock = {name: values for name, values in named.items() if _is_clock(name, values)}
        chosen = {name: named[name] for name in wanted}
        named = {**{name: values for name, values in clock.items() if name not in chosen}, **chosen}
    if not named:
        raise MisuseError("The record has no column of numbers; give losses or parameters, one column each.")
    lengths = {name: len(values) for name, values in named.items()}
    if len(set(lengths.values())) > 1:
        raise MisuseError(f"The columns of a record have one length, but got {lengths}.")
    spacing, timed = 1.0, False
    for name, values in list(named.items()):
        if _is_clock(name, values) and len(named) > 1 and (columns is None or name not in columns):
            spacing, timed = float((values[-1] - values[0]) / (len(values) - 1)), True
            del named[name]
    return _ready(named, spacing, timed)


def _ready(named: dict[str, FloatArray], spacing: float, timed: bool) -> Record:
    values = np.column_stack(list(named.values()))
    finite = np.isfinite(values)
    any_finite = finite.any(axis=1)
    if not any_finite.any():
        raise MisuseError("The record holds no finite number; give losses or parameters of a run.")
    last = int(np.flatnonzero(any_finite)[-1])
    # A training that overflows ends in inf or nan, after it grew; a file that was cut ends in nan without.
    lost = False
    if last + 1 < len(values):
        sizes = np.abs(values[: last + 1])
        ends, begins = np.nanmax(sizes[-max(last // 10, 1) :]), np.nanmedian(sizes[: max(last // 2, 1)])
        lost = bool(np.isinf(values[last + 1 :]).any() or ends > 100.0 * max(float(begins), 1e-300))
    lost = lost or bool(np.isinf(values[last]).any()) or bool((np.abs(np.where(finite, values, 0.0)) > 1e200).any())
    values, finite = values[: last + 1], finite[: last + 1]
    kept, names = [], []
    t = np.arange(len(values))
    for j, name in enumerate(named):
        good = finite[:, j]
        if good.mean() < 1.0 - _MOST_GAPS:
            continue
        filled = values[:, j] if good.all() else np.interp(t, t[good], values[good, j])
        # What does not vary beyond rounding tells nothing.
        if np.ptp(filled) > 1e-12 * max(float(np.abs(filled).max()), 1e-300):
            kept.append(filled)
            names.append(name)
    if (
        not kept
        and not lost
        and len(named)
        and not any(finite[:, j].mean() >= 1.0 - _MOST_GAPS for j in range(len(named)))
    ):
        raise MisuseError(f"More than {_MOST_GAPS:.0%} of every column is missing; give a record with fewer gaps.")
    stacked = np.column_stack(kept) if kept else np.zeros((len(values), 0))
    return Record(stacked, tuple(names), len(values), spacing, timed, lost)


def _is_clock(name: str, values: FloatArray) -> bool:
    if name.strip().lower() not in _CLOCKS or len(values) < 3 or not np.all(np.isfinite(values)):
        return False
    gaps = np.diff(values)
    return bool(np.all(gaps > 0.0) and np.ptp(gaps) <= 0.01 * gaps.mean())


def _named(record: Any) -> dict[str, FloatArray]:
    if isinstance(record, str | Path):
        return _from_csv(Path(record))
    states, names = getattr(record, "states", None), getattr(record, "names", None)
    if states is not None and names is not None:  # an orbit
        clock = {"time": np.asarray(record.times, dtype=float)}
        return clock | {str(name): np.asarray(states)[:, j] for j, name in enumerate(names)}
    if hasattr(record, "columns") and hasattr(record, "to_numpy"):  # a pandas DataFrame
        kept = {str(name): record[name].to_numpy() for name in record.columns}
        return {name: column for name, values in kept.items() if (column := _numbers(values)) is not None}
    if isinstance(record, Mapping):
        found = {str(name): _numbers(values) for name, values in record.items()}
        return {name: column for name, column in found.items() if column is not None}
    values = _numbers(record, flat=False)
    if values is None or values.ndim not in (1, 2):
        raise MisuseError(
            "A record is an array (samples,) or (samples, columns), a mapping or table of columns, or the path of a CSV"
            f" file, but got {quoted(type(record).__name__)}."
        )
    if values.ndim == 1:
        return {"value": values}
    if values.shape[1] > values.shape[0] and values.shape[0] < 8:
        raise MisuseError(
            f"A record has samples in rows, but got the shape {values.shape}: transpose it, as judge(record.T)."
        )
    return {f"column {j + 1}": values[:, j] for j in range(values.shape[1])}


def _numbers(values: Any, *, flat: bool = True) -> FloatArray | None:
    """Numbers as floats, or None for anything else."""
    try:
        found = np.asarray(values)
        if found.dtype.kind == "O":
            found = np.array([math.nan if value is None else value for value in found.ravel()]).reshape(found.shape)
        if found.dtype.kind not in "fiub" or found.size > _MOST_NUMBERS or (flat and found.ndim != 1):
            return None
        return found.astype(float)
    except (TypeError, ValueError):
        return None


def _from_csv(path: Path) -> dict[str, FloatArray]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MisuseError(f"'{path.name}' has more than {_MOST_BYTES // 10**6} MB; judge every tenth line of it.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no text in UTF-8"
        raise MisuseError(f"{quoted(str(path))} cannot be read as a CSV file ({why}).") from error
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4096], delimiters=",;\t ")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [row for row in csv.reader(text.splitlines(), dialect) if row]
    except csv.Error as error:
        raise MisuseError(f"{quoted(str(path))} cannot be read as a CSV file ({error}).") from error
    if not rows:
        raise MisuseError(f"'{path.name}' is empty; give a CSV file with a column for each loss or parameter.")
    headed = any(_cell(cell) is None for cell in rows[0])
    names = [name.strip() for name in rows[0]] if headed else [f"column {j + 1}" for j in range(len(rows[0]))]
    body = rows[1:] if headed else rows
    found: dict[str, FloatArray] = {}
    for j, name in enumerate(names):
        cells = [_cell(row[j]) if j < len(row) else math.nan for row in body]
        # A column of text, such as a date, is none of numbers.
        if cells and sum(cell is None for cell in cells) <= len(cells) / 2:
            found[name or f"column {j + 1}"] = np.array([math.nan if cell is None else cell for cell in cells])
    if not found:
        raise MisuseError(f"'{path.name}' has no column of numbers; give losses or parameters, one column each.")
    return found


def _cell(text: str) -> float | None:
    """A number, nan for an empty cell, None for text."""
    stripped = text.strip()
    if not stripped:
        return math.nan
    try:
        return float(stripped)
    except ValueError:
        return None

"""The window of one or two parameters that a map covers, and its unit coordinates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.ranges import Range, as_range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """Named ranges; every range has length 1 in unit coordinates (in its logarithm where it is logarithmic).

    Examples
    --------
    >>> from gan_bifurcation.ranges import log_range
    >>> window = Window({"eta_d": log_range(0.01, 1), "sigma": Range(0.0, 2.0)})
    >>> window.to_unit([0.1, 0.5]).tolist()
    [0.5, 0.25]
    >>> window.from_unit([0.5, 0.25]).tolist()
    [0.1, 0.5]
    """

    ranges: Mapping[str, Range]

    @classmethod
    def of(cls, system: System, free: Any) -> "Window":
        """The window of what a user gave.

        Raises
        ------
        MisuseError
            If it is not one or two ranges of parameters that the system has.
        """
        if not isinstance(free, Mapping) or not 1 <= len(free) <= 2:
            raise MisuseError(
                "The window is a mapping of one or two parameters to ranges, such as {'eta_d': (0.1, 1)}."
            )
        for name in free:
            system.parameter_index(name)
        return cls({str(name): as_range(pair) for name, pair in free.items()})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.ranges)

    @property
    def dimension(self) -> int:
        return len(self.ranges)

    def to_unit(self, values: Any) -> FloatArray:
        """Natural values (..., d) in unit coordinates (..., d)."""
        values = np.asarray(values, dtype=float)
        columns = []
        for i, r in enumerate(self.ranges.values()):
            v = values[..., i]
            columns.append(np.log(v / r.low) / np.log(r.high / r.low) if r.log else (v - r.low) / (r.high - r.low))
        return np.stack(columns, axis=-1)

    def from_unit(self, fractions: Any) -> FloatArray:
        """Unit coordinates (..., d) as natural values (..., d); exactly the bounds at 0 and 1."""
        fractions = np.asarray(fractions, dtype=float)
        columns = []
        for i, r in enumerate(self.ranges.values()):
            f = fractions[..., i]
            v = r.low * (r.high / r.low) ** f if r.log else r.low + f * (r.high - r.low)
            columns.append(np.where(f == 0.0, r.low, np.where(f == 1.0, r.high, v)))
        return np.stack(columns, axis=-1)

    def values(self, unit: Any) -> dict[str, float]:
        """A point in unit coordinates as named natural values."""
        return dict(zip(self.names, self.from_unit(unit).tolist(), strict=True))

    def point(self, values: Mapping[str, float]) -> FloatArray:
        """Named natural values as a point in unit coordinates.

        Raises
        ------
        MisuseError
            If a name is not one of the window's, one is missing, or the point lies outside.
        """
        for name in values:
            if name not in self.ranges:
                raise unknown_name("parameter of the map", name, self.names)
        missing = [name for name in self.names if name not in values]
        if missing:
            raise MisuseError(
                f"A point of the window needs a value for {', '.join(missing)}; give all of {', '.join(self.names)}."
            )
        for name, r in self.ranges.items():
            if not r.low * (1 - 1e-12) - 1e-300 <= float(values[name]) <= r.high * (1 + 1e-12):
                raise MisuseError(
                    f"{name} = {float(values[name]):g} lies outside the map's window ({r.low:g}, {r.high:g})."
                )
        return self.to_unit([float(values[name]) for name in self.names])

    def record(self) -> dict[str, list[Any]]:
        """The window as JSON-ready data."""
        return {name: [r.low, r.high, r.log] for name, r in self.ranges.items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Window":
        return cls({str(k): Range(float(low), float(high), bool(log)) for k, (low, high, log) in record.items()})

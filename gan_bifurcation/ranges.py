"""Ranges of parameters: a pair of bounds, linear or logarithmic."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real

from gan_bifurcation.errors import MisuseError, quoted

__all__ = ["Range", "as_range", "log_range"]


@dataclass(frozen=True)
class Range:
    """An interval of a parameter, and whether steps in it are taken in the parameter's logarithm.

    Attributes
    ----------
    low, high : float
        Finite, ``low < high``; positive if ``log``.
    log : bool
        Whether equal steps are equal ratios.

    Examples
    --------
    >>> decade = log_range(0.01, 1)
    >>> decade.from_unit(0.5)
    0.1
    >>> decade.to_unit(0.1)
    0.5
    >>> 2.0 in decade
    False
    >>> low, high = decade
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = getattr(self, name)
            # numpy's scalars are registered as Real; a bool is one too, and never meant.
            if isinstance(bound, bool) or not isinstance(bound, Real):
                raise MisuseError(f"A range needs two numbers, but its {name} bound is {quoted(str(bound))}.")
            try:
                number = float(bound)
            except OverflowError:
                number = math.inf
            object.__setattr__(self, name, number)
            if not math.isfinite(number):
                raise MisuseError(f"A range needs finite bounds, but its {name} bound is {number}.")
        if not self.low < self.high:
            fault = "are equal" if self.low == self.high else "are reversed"
            raise MisuseError(
                f"The bounds {self.low:g} and {self.high:g} of a range {fault}: give the smaller one first."
            )
        if self.log and self.low <= 0:
            raise MisuseError(
                f"A logarithmic range needs positive bounds, but its low bound is {self.low:g}: use a plain pair."
            )
        if not math.isfinite(self.high / self.low if self.log else self.high - self.low):
            raise MisuseError(
                f"The range from {self.low:g} to {self.high:g} is too wide for floating-point numbers: narrow it."
            )

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def to_unit(self, value: float) -> float:
        """Where a value lies, as a fraction of the range (0 at ``low``, 1 at ``high``)."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def from_unit(self, fraction: float) -> float:
        """The value at a fraction of the range; exactly the bounds at 0 and 1."""
        if fraction in (0.0, 1.0):
            return self.high if fraction else self.low
        if self.log:
            return self.low * math.pow(self.high / self.low, fraction)
        return self.low + fraction * (self.high - self.low)


def log_range(low: float, high: float) -> Range:
    """A range whose steps are ratios, for learning rates and widths that span decades.

    >>> log_range(1e-3, 1)
    Range(low=0.001, high=1.0, log=True)
    """
    return Range(low, high, log=True)


def as_range(pair: object) -> Range:
    """A pair of numbers or a `Range` as a checked `Range`.

    >>> as_range((0, 2))
    Range(low=0.0, high=2.0, log=False)
    >>> as_range((2, 0))
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.MisuseError: The bounds 2 and 0 of a range are reversed: give the smaller one first.
    """
    if isinstance(pair, Range):
        return pair
    if isinstance(pair, (str, bytes, dict, set)) or not isinstance(pair, Iterable):
        raise MisuseError(f"A range is a pair (low, high) or gb.log_range(low, high), but got {quoted(str(pair))}.")
    bounds = list(pair)
    if len(bounds) != 2:
        raise MisuseError(f"A range is a pair (low, high) or gb.log_range(low, high), but got {len(bounds)} values.")
    return Range(bounds[0], bounds[1])

"""Densities on an interval of the line, given by their logarithm and checked before any operator is made of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.lowering import build

__all__ = ["Density", "Support", "density", "exponential", "gaussian_mixture", "laplace", "uniform"]

FloatArray = NDArray[np.float64]
Support = Literal["line", "half-line", "interval"]

# Where an open end of the interval has no wall, the mass beyond it may be this part of the whole.
_TAIL: Final = 1e-6
_LOOKS: Final = 8193
_OPEN: Final[dict[str, tuple[bool, bool]]] = {
    "line": (True, True),
    "half-line": (False, True),
    "interval": (False, False),
}


@dataclass(frozen=True, eq=False)
class Density:
    """A density known up to a factor, on an interval that holds all of its mass; made by `density`.

    Attributes
    ----------
    log : callable
        Its logarithm, array to array of the same shape, up to a constant.
    low, high : float
    support : "line", "half-line" or "interval"
        Whether the density goes on beyond both ends, beyond the upper end, or has walls at both.
    name : str
    mean, deviation : float
    """

    log: Callable[[FloatArray], FloatArray]
    low: float
    high: float
    support: Support
    name: str
    mean: float
    deviation: float

    @property
    def open_ends(self) -> tuple[bool, bool]:
        """Whether the density goes on beyond the lower and the upper end."""
        return _OPEN[self.support]


def density(
    log_density: Callable[[FloatArray], FloatArray] | str,
    low: float,
    high: float,
    *,
    support: Support = "line",
    name: str = "density",
) -> Density:
    """A density from its logarithm, refused if it has no finite mass on the interval or goes on beyond an open end.

    Parameters
    ----------
    log_density : callable or str
        The logarithm of the density up to a constant: a function of an array, or text in ``x``, which is parsed safely.
    low, high : float
        The interval.
    support : "line", "half-line" or "interval"
        "line": the density has fallen off at both ends. "half-line": the lower end is a wall, the density has fallen
        off at the upper end. "interval": both ends are walls.
    name : str

    Returns
    -------
    Density

    Raises
    ------
    MisuseError
        If the logarithm is not a finite number somewhere, or mass is left beyond an end that is no wall.

    Examples
    --------
    >>> normal = density("-x**2/2", -8, 8)
    >>> round(normal.mean, 9) + 0.0, round(normal.deviation, 9)
    (0.0, 1.0)
    >>> density("-log(1 + abs(x))", -100, 100)
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.MisuseError: About 9.7% of the mass of 'density' lies beyond x = -100, ...
    """
    if support not in _OPEN:
        raise unknown_name("support", str(support), _OPEN)
    low, high = float(low), float(high)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise MisuseError(f"A density needs finite ends, the smaller one first, but got {low:g} and {high:g}.")
    log = _from_text(log_density) if isinstance(log_density, str) else log_density
    x = np.linspace(low, high, _LOOKS)
    values = checked_values(log, x, name)
    relative = np.exp(values - values.max())
    relative[[0, -1]] /= 2
    total = float(relative.sum())
    mean = float(relative @ x) / total
    deviation = math.sqrt(float(relative @ (x - mean) ** 2) / total)
    at_ends = ((x[0], values[0], values[40]), (x[-1], values[-1], values[-41]))
    for open_end, (place, outer, inner) in zip(_OPEN[support], at_ends, strict=True):
        if open_end:
            _check_tail(name, place, float(outer - values.max()), float(inner - outer) / 40, total)
    return Density(log, low, high, support, name, mean, deviation)


def checked_values(log: Callable[[FloatArray], FloatArray], x: FloatArray, name: str) -> FloatArray:
    """The logarithm of a density at some places, all finite."""
    with np.errstate(all="ignore"):
        values = np.asarray(log(x), dtype=float)
    if values.shape != x.shape:
        raise MisuseError(
            f"The logarithm of '{name}' gives shape {values.shape} for {x.shape}: expected one number a place."
        )
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        place, value = x[wrong[0]], values[wrong[0]]
        if value == -np.inf:
            raise MisuseError(
                f"'{name}' vanishes at x = {place:g}, where its operator has no meaning: end the interval before that."
            )
        raise MisuseError(
            f"'{name}' cannot be normalised: its logarithm is {value} at x = {place:g}; expected finite numbers from "
            f"end to end."
        )
    return values


def _check_tail(name: str, place: float, height: float, fall: float, total: float) -> None:
    """The mass beyond an end if the density keeps falling as fast as it does there; in steps of the grid."""
    walls = "say that it ends in walls by support='interval'"
    if fall <= 0 and height > math.log(_TAIL):
        raise MisuseError(
            f"'{name}' does not fall off towards x = {place:g}, so it cannot be normalised beyond that end: check the "
            f"sign of its logarithm, or {walls}."
        )
    beyond = math.exp(height) / max(fall, 1e-300)
    if beyond > _TAIL * total:
        raise MisuseError(
            f"About {100 * beyond / (total + beyond):.2g}% of the mass of '{name}' lies beyond x = {place:g}, "
            f"expected at most {_TAIL:g}: widen the interval, or {walls}."
        )


def _from_text(text: str) -> Callable[[FloatArray], FloatArray]:
    tape = build([], [parse(text, {"x": symbol("x")})], ["x"])

    def log(x: FloatArray) -> FloatArray:
        return np.array([_number(tape.evaluate, value) for value in x.tolist()])

    return log


def _number(evaluate: Callable[[Sequence[float]], list[float]], x: float) -> float:
    """A value, or nan where a function has none."""
    try:
        return float(evaluate([x])[0])
    except (ValueError, OverflowError, ZeroDivisionError):
        return math.nan


def gaussian_mixture(
    *,
    means: Sequence[float] = (0.0,),
    variances: Sequence[float] = (1.0,),
    weights: Sequence[float] | None = None,
    noise: float = 0.0,
    reach: float = 8.0,
) -> Density:
    """A mixture of normal distributions, with normal noise added to it if wanted.

    Parameters
    ----------
    means : sequence of float
    variances : sequence of float
        One for each mean, or one for all.
    weights : sequence of float, optional
        All equal by default.
    noise : float
        Standard deviation of the noise.
    reach : float
        The interval ends this many standard deviations beyond the outermost means.

    Examples
    --------
    >>> round(gaussian_mixture(means=(-1.0, 1.0), noise=0.5).deviation, 9)
    1.5
    """
    m = _finite("means", means)
    spread = list(variances) * len(m) if len(variances) == 1 else variances
    v = _finite("variances", spread)
    w = np.full(len(m), 1.0 / len(m)) if weights is None else _finite("weights", weights)
    if not len(m) == len(v) == len(w):
        raise MisuseError(f"A mixture needs one variance and one weight a mean, but got {len(m)}, {len(v)}, {len(w)}.")
    if not (v > 0).all() or not (w > 0).all():
        raise MisuseError("A mixture needs positive variances and weights; leave out components without weight.")
    if not (math.isfinite(noise) and noise >= 0):
        raise MisuseError(f"'noise' is a standard deviation, expected 0 or more, but got {noise!r}.")
    total = v + noise**2
    offsets = np.log(w / w.sum()) - np.log(total) / 2

    def log(x: FloatArray) -> FloatArray:
        terms = offsets - (np.asarray(x)[..., None] - m) ** 2 / (2 * total)
        return np.asarray(np.logaddexp.reduce(terms, axis=-1))

    edge = reach * np.sqrt(total)
    return density(log, float((m - edge).min()), float((m + edge).max()), name="mixture of normal distributions")


def uniform(*, low: float = -1.0, high: float = 1.0) -> Density:
    """The uniform distribution on an interval with walls."""
    return density(np.zeros_like, low, high, support="interval", name="uniform distribution")


def laplace(*, half_length: float = 160.0) -> Density:
    """The density exp(-abs(x))/2, cut off at both ends: its operator has a continuous spectrum from 1/4."""
    return density(lambda x: -np.abs(x), -half_length, half_length, name="Laplace distribution")


def exponential(*, length: float = 160.0) -> Density:
    """The density exp(-x) for x > 0, cut off: its operator has a continuous spectrum from 1/4."""
    return density(lambda x: -x, 0.0, length, support="half-line", name="exponential distribution")


def _finite(name: str, values: Sequence[float]) -> FloatArray:
    array = np.array(values, dtype=float)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise MisuseError(f"'{name}' must be a list of finite numbers, but got {values!r}.")
    return array

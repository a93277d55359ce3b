"""True and generated points of a kernel GAN: their names, masses and positions as symbols and defaults."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import Symmetry
from gan_bifurcation.models.kernel_profiles import positive_numbers

__all__ = ["Layout", "layout"]

_MOST_POINTS: Final = 100
_DEFAULT_TOTAL: Final = 0.8

Coordinates = tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class Layout:
    """Where the points are and what they weigh; layouts that differ in defaults only are equal.

    Attributes
    ----------
    names : tuple of tuple of str
        States of each generated point, one for each coordinate.
    q, p : tuple of Symbol
        Masses of generated and true points; all `q` are one symbol if the points share a mass.
    truth : tuple of tuple of Expr
        Coordinates of the true points.
    parameters : mapping of str to float
        Defaults of the masses and positions.
    spread : float
        Largest distance of two true points by default.
    """

    names: tuple[tuple[str, ...], ...]
    q: tuple[sympy.Symbol, ...]
    p: tuple[sympy.Symbol, ...]
    truth: tuple[Coordinates, ...]
    parameters: Mapping[str, float] = field(compare=False)
    spread: float = field(compare=False)

    @property
    def generated(self) -> tuple[Coordinates, ...]:
        """Coordinates of the generated points."""
        return tuple(tuple(symbol(name) for name in point) for point in self.names)

    def permutations(self) -> tuple[Symmetry, ...]:
        """Generators of the permutations of points that share a mass."""
        n = len(self.names)
        if n < 2 or len(set(self.q)) > 1:
            return ()
        found = [Symmetry("swap of points 1 and 2", _moves({0: 1, 1: 0}, self.names))]
        if n > 2:
            found.append(Symmetry(f"cycle of {n} points", _moves({j: (j + 1) % n for j in range(n)}, self.names)))
        return tuple(found)

    def owners(self) -> tuple[int, ...]:
        """A true point for each generated point, in turn."""
        return tuple(j % len(self.truth) for j in range(len(self.names)))


def _moves(image: Mapping[int, int], names: Sequence[Sequence[str]]) -> dict[str, tuple[int, str]]:
    return {a: (1, b) for j, k in image.items() for a, b in zip(names[j], names[k], strict=True)}


def layout(
    p: float | Sequence[float] | None,
    q: float | Sequence[float] | None,
    points: int | None,
    true_points: Sequence[float] | Sequence[Sequence[float]] | None,
    dimension: int,
    masses: Mapping[str, float],
) -> Layout:
    """The layout that the arguments of `kernel_gan` describe, checked."""
    named: dict[str, dict[int, float]] = {"p": {}, "q": {}}
    for name, value in masses.items():
        match = re.fullmatch(r"([pq])([1-9][0-9]{0,2})", name)
        if match is None:
            raise unknown_name("argument of kernel_gan", name, _ARGUMENTS)
        (named[match[1]][int(match[2])],) = positive_numbers(name, [value], zero=match[1] == "p")
    positions = _positions(true_points, dimension)
    truth = _true_masses(p, named["p"], 1 if positions is None else len(positions))
    generated, count = _generated_masses(q, named["q"], points)
    parameters = {f"p{i + 1}": v for i, v in enumerate(truth)} | {f"q{j + 1}": v for j, v in enumerate(generated)}
    where: tuple[Coordinates, ...] = ((sympy.S.Zero,) * dimension,)
    if positions is not None:
        names = _coordinate_names("true", len(positions), dimension)
        where = tuple(tuple(symbol(name) for name in point) for point in names)
        parameters |= {
            n: v for point, row in zip(names, positions.tolist(), strict=True) for n, v in zip(point, row, strict=True)
        }
    rows = np.zeros((1, dimension)) if positions is None else positions
    spread = max((math.dist(a, b) for a, b in itertools.combinations(rows.tolist(), 2)), default=0.0)
    q_symbols = [symbol(f"q{j + 1}") for j in range(len(generated))]
    return Layout(
        _coordinate_names("x", count, dimension),
        tuple(q_symbols if len(q_symbols) == count else q_symbols * count),
        tuple(symbol(f"p{i + 1}") for i in range(len(truth))),
        where,
        parameters,
        spread,
    )


_ARGUMENTS: Final = (
    "sigma", "weights", "lam", "p", "q", "points", "true_points", "dimension", "features", "modes", "ell", "length",
    "smallest_sigma", "seed", "p1", "q1",
)  # fmt: skip


def _coordinate_names(stem: str, count: int, dimension: int) -> tuple[tuple[str, ...], ...]:
    if dimension == 1:
        return tuple((f"{stem}{j}",) for j in range(1, count + 1))
    return tuple(tuple(f"{stem}{j}_{c}" for c in range(1, dimension + 1)) for j in range(1, count + 1))


def _positions(true_points: object, dimension: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]] | None:
    if true_points is None:
        return None
    array = np.array(true_points, dtype=float)
    if dimension == 1 and array.ndim == 1:
        array = array[:, None]
    if (
        array.ndim != 2
        or array.shape[1] != dimension
        or not 2 <= len(array) <= _MOST_POINTS
        or not np.isfinite(array).all()
    ):
        raise MisuseError(
            f"'true_points' must be between 2 and {_MOST_POINTS} finite positions with {dimension} coordinates each, "
            f"but got {true_points!r}; leave it out for one true point at the origin."
        )
    return array


def _true_masses(p: float | Sequence[float] | None, named: Mapping[int, float], count: int) -> tuple[float, ...]:
    if p is None:
        values = [1.0 / count] * count
    else:
        values = list(positive_numbers("p", [p] * count if np.ndim(p) == 0 else p, zero=True))
    if len(values) != count or any(i > count for i in named):
        got = max([len(values), *named])
        raise MisuseError(
            f"Got masses p of {got} true points, but {count} were placed; place the others by 'true_points'."
        )
    for i, value in named.items():
        values[i - 1] = value
    return tuple(values)


def _generated_masses(
    q: float | Sequence[float] | None, named: Mapping[int, float], points: int | None
) -> tuple[tuple[float, ...], int]:
    """Masses, one of which stands for all if the points share it, and the number of points."""
    if points is not None and (
        isinstance(points, bool) or not isinstance(points, int) or not 1 <= points <= _MOST_POINTS
    ):
        raise MisuseError(f"'points' must be a whole number from 1 to {_MOST_POINTS}, but got {points!r}.")
    listed = None if q is None or np.ndim(q) == 0 else positive_numbers("q", q)
    count = points or max([1, len(listed or ()), *named])
    if (listed is not None and len(listed) != count) or any(j > count for j in named) or count > _MOST_POINTS:
        raise MisuseError(
            f"Got masses q of {max([len(listed or ()), *named])} points, but expected those of {count} points."
        )
    common = positive_numbers("q", [_DEFAULT_TOTAL / count if q is None else q])[0] if listed is None else 0.0
    if listed is None and set(named) <= {1}:
        return (named.get(1, common),), count
    values = list(listed) if listed is not None else [common] * count
    for j, value in named.items():
        values[j - 1] = value
    return tuple(values), count

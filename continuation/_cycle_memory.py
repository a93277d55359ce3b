"""The memory of a collocation system for cycles: one flat array, and where everything lies in it."""

from functools import cache
from types import SimpleNamespace
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._packs import LANES
from gan_bifurcation.evaluation import structref
from gan_bifurcation.kernels import INDEX, MATRIX, TAPE, VECTOR, types

# Joins of runs: eight to four to two to one.
LEVELS: Final = 3
assert LANES == 1 << LEVELS


# Stages of the Runge-Kutta step that refines extrema.
RUNGE: Final = 12

# Sizes of a collocation system, and where its numbers lie in the memory: compiled code takes them as a record, which is
# one pointer. Columns and rows are those of the period, the parameters, extra unknowns, two borders of a condition; a
# last column is the right-hand side. Interval i is in lane i // turns at turn i % turns.
_NAMES: Final = (
    "n",
    "m",
    "intervals",
    "turns",
    "q",  # rows of an interval: n m
    "inner",  # inner unknowns of an interval: n (m - 1)
    "wide",  # unknowns of an interval: n (m + 1)
    "nf",
    "nb",
    "k",
    "rhs",
    "directions",
    "stages",
    "states",  # numbers of a profile: n (N m + 1)
    "h",  # (turns, LANES)
    "d",  # (m, m + 1)
    "w",  # (m, m + 1)
    "omega",  # (m,)
    "scale",  # (n,)
    "low",  # (nf,) each
    "high",
    "log",
    "slope",
    "free",
    "parameters",
    "ul",  # (turns, m + 1, n, LANES): states of the point last evaluated
    "xl",  # the same: any others
    "yl",
    "fv",  # (turns, m, n, LANES): f at the Gauss points, at the mesh points
    "fm",  # (turns, n, LANES)
    "jac",  # (turns, m, n, n + nf, LANES)
    "a",  # (turns, wide, q, LANES): the blocks by columns: inner nodes, right end, left end
    "pivots",  # (turns, q, LANES)
    "kinds",  # (turns, q)
    "t",  # (stages, 3 n, 2 n, LANES): joins
    "scales",  # (stages, n, LANES)
    "diagonal",  # (stages, n, LANES)
    "run",  # (2, n, n, LANES): what is joined so far: Q and P; what comes next
    "next",
    "coli",  # (k + 1, turns, q, LANES): columns in the blocks, in the joins, in the last system
    "cols",  # (k + 1, stages, n, LANES)
    "colf",  # (k + 1, n)
    "rows",  # (k, turns, wide, LANES): rows as given, through the blocks, the joins, in the last system
    "rowi",  # (k, turns, inner, LANES)
    "rowe",  # (k, turns + 1, n, LANES)
    "rowsx",  # (k, stages, n, LANES)
    "rowf",  # (k, 2, n)
    "corner",  # (k, k)
    "ends",  # (turns + 1, n, LANES): values at the ends of intervals
    "peaks",  # (stages of the method + 2, n, LANES): where extrema are looked for, f there
    "work",  # (max(q, 2 n), LANES)
    "work2",
    "sign",  # of the determinant: of what the blocks and joins give, of the whole
    "whole",
    "period",  # for which the blocks are
    "pencil",  # (2, n, n): Q and P of the last system, by columns
    "right",  # (n + k,)
    "last",  # (n,)
    "border",  # where border unknowns begin in a vector: states (N m + 1, n), zeros up to a line of the cache, borders
    "vector",  # numbers of a vector
    "weights",  # (k,)
    "step",
    "vectors",  # (VECTORS, vector)
)
LAYOUT: Final = np.dtype([(name, np.int64) for name in _NAMES])
_typeof: Any = numba.typeof
SIZES: Any = _typeof(np.zeros(1, dtype=LAYOUT)).dtype
Layout = Any


# Places in the array of a step.
STEP, SMALLEST, LARGEST, ANGLE, LAST, SIGN, TOLERANCE = range(7)
STEP_SIZES: Final = 7
# The vectors: present point and tangent, the last point and its tangent, trial point, solution, another one, and
# corrections that are remembered.
PRESENT, TANGENT, BEFORE, BEFORE_TANGENT, TRIAL, SOLUTION, SPARE, MEMORY = range(8)
REMEMBERED: Final = 5
VECTORS: Final = MEMORY + REMEMBERED


@cache
def layout(
    n: int, m: int, intervals: int, nf: int, extra: int, parameters: int
) -> tuple[SimpleNamespace, NDArray[np.void], int]:
    """The sizes of a system, for Python and for compiled code, and how many numbers it needs; nobody changes them."""
    turns = -(-intervals // LANES)
    q, wide, inner = n * m, n * (m + 1), n * (m - 1)
    nb = 1 + nf + extra
    k = nb + 2
    nd = n + nf
    stages = turns + LEVELS
    size = n * (intervals * m + 1)
    border = -(-size // LANES) * LANES
    vector = border + -(-k // LANES) * LANES
    counts = {
        "h": turns * LANES, "d": m * (m + 1), "w": m * (m + 1), "omega": m, "scale": n, "low": nf, "high": nf,
        "log": nf, "slope": nf, "free": nf, "parameters": parameters, "ul": turns * wide * LANES,
        "xl": turns * wide * LANES,
        "yl": turns * wide * LANES, "fv": turns * q * LANES, "fm": turns * n * LANES, "jac": turns * q * nd * LANES,
        "a": turns * wide * q * LANES, "pivots": turns * q * LANES, "kinds": turns * q,
        "t": stages * 6 * n * n * LANES, "scales": stages * n * LANES, "diagonal": stages * n * LANES,
        "run": 2 * n * n * LANES, "next": 2 * n * n * LANES, "coli": (k + 1) * turns * q * LANES,
        "cols": (k + 1) * stages * n * LANES, "colf": (k + 1) * n, "rows": k * turns * wide * LANES,
        "rowi": k * turns * inner * LANES,
        "rowe": k * (turns + 1) * n * LANES, "rowsx": k * stages * n * LANES, "rowf": k * 2 * n, "corner": k * k,
        "ends": (turns + 1) * n * LANES, "peaks": (RUNGE + 2) * n * LANES,
        "work": max(q, 2 * n) * LANES, "work2": max(q, 2 * n) * LANES, "sign": 1,
        "whole": 1, "period": 1,
        "pencil": 2 * n * n, "right": n + k, "last": n,
        "weights": k, "step": STEP_SIZES, "vectors": VECTORS * vector,
    }  # fmt: skip
    places, at = {}, 0
    for name, count in counts.items():
        places[name] = at
        # Packs begin where lines of the cache do; a shifted pack may reach beyond its array.
        at += -(-(count + LANES) // LANES) * LANES
    sizes = {
        "n": n, "m": m, "intervals": intervals, "turns": turns, "q": q, "inner": inner, "wide": wide, "nf": nf,
        "nb": nb, "k": k, "rhs": k, "directions": nd, "stages": stages, "states": size,
        "border": border, "vector": vector,
    } | places  # fmt: skip
    record = np.zeros(1, dtype=LAYOUT)
    for name in _NAMES:
        record[name] = sizes[name]
    return SimpleNamespace(**sizes), record, at


@structref.register
class _CycleType(types.StructRef):  # type: ignore[misc]
    """Type of `Cycle` in compiled code."""


class Cycle(structref.StructRefProxy):  # type: ignore[misc]
    """A collocation system: sizes, tape and memory; made by `make_cycle`."""


structref.define_boxing(_CycleType, Cycle)

CYCLE: Final[Any] = _CycleType(
    [
        ("sizes", _typeof(np.zeros(1, dtype=LAYOUT))),  # (1,)
        ("tape", TAPE),
        ("w", VECTOR),
        ("v", MATRIX),  # (slots, LANES)
        ("g", VECTOR),  # (slots, directions, LANES)
        ("box", VECTOR),
        ("final", MATRIX),
        ("pivots", INDEX),
    ]
)

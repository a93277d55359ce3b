"""Training of one point against the exact kernel, for all combinations of rates, regularisation and width, as a table.

References
----------
Becker, Pandit, Rangan, Fletcher: Local Convergence of Gradient Descent-Ascent for Training Generative Adversarial
Networks (2023), arXiv 2305.08277; the authors' published notebook of trajectories.
"""

import math
from collections.abc import Sequence
from typing import Final, NoReturn

import numpy as np

from gan_bifurcation.errors import MisuseError, quoted
from gan_bifurcation.models.memory_simulator import Order, simulate_memory_form
from gan_bifurcation.tables import Table

__all__ = ["kernel_trainings"]

_MOST_RUNS: Final = 1000
_MOST_STEPS: Final = 20_000
# Squares of positions below this are rounding.
_ROUNDING: Final = 1e-28


def kernel_trainings(
    *,
    rates: Sequence[Sequence[float]],
    lam: Sequence[float],
    sigma: Sequence[float],
    start: float = 0.1,
    steps: int = 1000,
    at: int = 990,
    p: float = 1.0,
    q: float = 1.0,
    order: Order = "alternating",
    expected: Sequence[Sequence[float | str]] = (),
    relative_tolerance: float = 0.01,
) -> Table:
    """Squared distances from the true point in training with the exact kernel, from one start.

    Parameters
    ----------
    rates : sequence of (eta_d, eta_g)
    lam, sigma : sequence of float
    start : float
    steps : int
        Of each run.
    at : int
        The step whose squared distance is tabulated.
    p, q : float
        True and generated mass.
    order : "alternating" or "simultaneous"
    expected : sequence of rows, optional
        One row for each pair of rates and each lam, one entry for each sigma: a number, "escapes" or "< number".
    relative_tolerance : float
        Up to which a computed number agrees with an expected one.

    Returns
    -------
    Table
        A row for each run; the numbers ``runs``, ``judged`` and ``agreeing``; the field ``square`` over run and step.

    Examples
    --------
    >>> table = kernel_trainings(rates=[[0.1, 0.1]], lam=[1.0], sigma=[1.0], steps=60, at=50)
    >>> table.columns["verdict"].tolist()
    ['converges, oscillating']
    """
    places = [(eta_d, eta_g, strength) for eta_d, eta_g in _pairs(rates) for strength in lam]
    if not 1 <= len(places) * len(sigma) <= _MOST_RUNS:
        raise MisuseError(f"{len(places) * len(sigma)} runs are asked for, expected between 1 and {_MOST_RUNS}.")
    if not isinstance(steps, int) or not isinstance(at, int) or not 1 <= at <= steps <= _MOST_STEPS:
        raise MisuseError(f"Expected whole numbers 1 <= at <= steps <= {_MOST_STEPS}, but got {at!r} and {steps!r}.")
    if len(expected) and [len(row) for row in expected] != [len(sigma)] * len(places):
        raise MisuseError(f"'expected' needs {len(places)} rows of {len(sigma)} values, one for each run.")
    rows: list[tuple[float | str, ...]] = []
    squares = np.full((len(places) * len(sigma), steps + 1), np.nan)
    for i, (eta_d, eta_g, strength) in enumerate(places):
        for j, width in enumerate(sigma):
            run = simulate_memory_form(
                start, steps=steps, eta_d=eta_d, eta_g=eta_g, lam=strength, sigma=width, p=p, q=q, order=order
            )
            found = run.points[:, 0, 0] ** 2
            squares[len(rows), : len(found)] = found
            computed = float(squares[len(rows), at])
            wanted = expected[i][j] if len(expected) else ""
            agrees = _agrees(computed, wanted, start, width, relative_tolerance)
            rows.append(
                (eta_d, eta_g, strength, width, computed, _shown(wanted), agrees, _verdict(found, start, width))
            )
    heads = ("eta_d", "eta_g", "lam", "sigma", "computed", "expected", "agrees", "verdict")
    columns = dict(zip(heads, zip(*rows, strict=True), strict=True))
    agreements = columns["agrees"]
    return Table(
        {name: np.array(values) for name, values in columns.items()},
        {
            "runs": len(rows), "judged": len(rows) - agreements.count(""), "agreeing": agreements.count("yes"),
            "at": at, "start": start,
        },
        {"run": np.arange(len(rows), dtype=float), "step": np.arange(steps + 1, dtype=float)},
        {"square": squares},
    )  # fmt: skip


def _pairs(rates: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    if not all(not isinstance(pair, str | int | float) and len(pair) == 2 for pair in rates):
        raise MisuseError(f"'rates' holds pairs of learning rates (eta_d, eta_g), but got {quoted(repr(rates))}.")
    return [(float(eta_d), float(eta_g)) for eta_d, eta_g in rates]


def _escaped(square: float, start: float, sigma: float) -> bool:
    return not square <= max(25.0 * sigma**2, 4.0 * start**2)


def _verdict(square: np.ndarray[tuple[int, ...], np.dtype[np.float64]], start: float, sigma: float) -> str:
    """In words, from the squared distances of one run."""
    last = float(square[-1])
    if not math.isfinite(last) or _escaped(last, start, sigma):
        return "escapes"
    if last > start**2:
        return "does not come closer"
    # The distance turns up again where the point passes the true one; what is below rounding says nothing.
    seen = square[square > _ROUNDING]
    turns = int(np.sum((np.diff(seen)[:-1] < 0) & (np.diff(seen)[1:] > 0)))
    return "converges, oscillating" if turns > 1 else "converges, monotone"


def _agrees(computed: float, expected: float | str, start: float, sigma: float, tolerance: float) -> str:
    if expected == "":
        return ""
    if isinstance(expected, str):
        if expected == "escapes":
            agrees = _escaped(computed, start, sigma)
        elif expected.startswith("<"):
            agrees = computed < _bound(expected)
        else:
            _refuse(expected)
    else:
        agrees = abs(computed - expected) <= tolerance * abs(expected)
    return "yes" if agrees else "no"


def _bound(expected: str) -> float:
    try:
        return float(expected[1:])
    except ValueError:
        _refuse(expected)


def _refuse(expected: str) -> NoReturn:
    raise MisuseError(f'An expected value is a number, "escapes" or "< number", but got {quoted(expected)}.') from None


def _shown(expected: float | str) -> str:
    return expected if isinstance(expected, str) else f"{expected:.3g}"

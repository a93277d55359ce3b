"""Stochastic training of the R/S/E/E least-squares GAN: many runs, each on its own fixed sample, beside the exact run.

Section V-B of Pulford and Kondrashov 2021: 1000 data and 1000 latent points for each run, all in every gradient.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.models.rsee_lsgan import CASES, Case, draws, rsee_lsgan, rsee_start
from gan_bifurcation.rules import Simultaneous, system
from gan_bifurcation.simulate import simulate
from gan_bifurcation.tables import Table

__all__ = ["PUBLISHED", "Published", "rsee_stochastic", "stochastic_runs"]

FloatArray = NDArray[np.float64]

_MOST_NUMBERS: Final = 20_000_000
_AT_ONCE: Final = 10


class Published(NamedTuple):
    """Mean and standard deviation of the end points of the paper's 100 runs."""

    b: float
    b_sd: float
    h: float
    h_sd: float
    runs: int = 100


PUBLISHED: Final = {
    "A": Published(1.602330, 0.026166, 1.426323, 0.061213),
    "B": Published(2.165278, 0.011614, -0.131609, 0.008029),
}


def stochastic_runs(*, case: str = "A", runs: int = 100, samples: int = 1000, seed: int = 0) -> FloatArray:
    """Simultaneous steps in b and h, all runs at once; run i is that of `rsee_lsgan` with the seed ``seed + i``.

    Returns
    -------
    array (updates + 1, runs, 2)
        b and h.

    Examples
    --------
    >>> stochastic_runs(case="B", runs=2, samples=50)[0].tolist()
    [[-1.0, -4.0], [-1.0, -4.0]]
    """
    chosen = _published(case)[0]
    if isinstance(runs, bool) or not isinstance(runs, int) or not 2 <= runs <= 10_000:
        raise MisuseError(f"The number of runs is a whole number from 2 to 10000, got {runs!r}.")
    if runs * samples > _MOST_NUMBERS:
        raise MisuseError(f"{runs} runs on {samples} points are too many at once; give fewer of either.")
    path = np.empty((chosen.updates + 1, runs, 2))
    # Few runs at a time, so that their samples stay near the processor.
    for begin in range(0, runs, _AT_ONCE):
        block = slice(begin, min(begin + _AT_ONCE, runs))
        drawn = np.array([draws(samples, seed + k) for k in range(block.start, block.stop)])
        path[:, block] = _trained(chosen, drawn)
    return path


def _trained(chosen: Case, drawn: FloatArray) -> FloatArray:
    """Simultaneous steps on samples (runs, 2, samples) of unit exponential numbers."""
    a, g = chosen.start["a"], chosen.start["g"]
    data, made = a / chosen.c * drawn[:, 0], a * g * drawn[:, 1]
    b, h = np.full(len(drawn), chosen.start["b"]), np.full(len(drawn), chosen.start["h"])
    path = np.empty((chosen.updates + 1, len(drawn), 2))
    for step in range(chosen.updates + 1):
        path[step, :, 0], path[step, :, 1] = b, h
        u, v = data + b[:, None], made + (a * h + b)[:, None]
        by_data = (erfc(-u) * np.exp(-u * u)).mean(axis=1) / math.sqrt(math.pi)
        by_made = (erfc(v) * np.exp(-v * v)).mean(axis=1) / math.sqrt(math.pi)
        b, h = b + chosen.rate * (by_data - by_made), h + chosen.rate * a * by_made
    return path


def rsee_stochastic(*, case: str = "A", runs: int = 100, samples: int = 1000, seed: int = 0) -> Table:
    """Training on samples against training with exact expectations, and against the paper's end points.

    Parameters
    ----------
    case : "A" or "B"
    runs, samples, seed : int
        As in `stochastic_runs`.

    Returns
    -------
    Table
        Columns ``state`` ("b", then "h"), ``step``, ``exact``, ``mean``, ``low`` and ``high`` (one standard deviation).
        Numbers: ``b_mean``, ``b_sd``, ``b_exact`` at the end, ``b_published``, ``b_published_sd``; ``b_from_published``
        and ``b_from_exact``, differences of the means in units of their standard error; ``b_sd_ratio``, the logarithm
        of the ratio of both standard deviations in units of its standard error; ``b_gap`` and ``b_gap_step``, the
        largest difference between the mean of the runs and the exact run on the way; and the same of h.
    """
    published = _published(case)[1]
    path = stochastic_runs(case=case, runs=runs, samples=samples, seed=seed)
    chosen = CASES[case]
    steps = system(rsee_lsgan(case=case), Simultaneous(), eta_d=chosen.rate, eta_g=chosen.rate)
    exact = simulate(steps, rsee_start(case=case), steps=chosen.updates)
    columns: dict[str, list[Any]] = {name: [] for name in ("state", "step", "exact", "mean", "low", "high")}
    numbers: dict[str, float] = {"runs": runs}
    for k, name in enumerate(("b", "h")):
        mean, sd = path[:, :, k].mean(axis=1), path[:, :, k].std(axis=1, ddof=1)
        rows = ([name] * len(mean), 1.0 + exact.times, exact[name], mean, mean - sd, mean + sd)
        for kept, values in zip(columns.values(), rows, strict=True):
            kept.append(values)
        theirs, their_sd = (published.b, published.b_sd) if name == "b" else (published.h, published.h_sd)
        error = math.sqrt(sd[-1] ** 2 / runs + their_sd**2 / published.runs)
        # The logarithm of a standard deviation of n normal numbers has the standard error 1/sqrt(2n - 2).
        spread = math.sqrt(0.5 / (runs - 1) + 0.5 / (published.runs - 1))
        numbers |= {
            f"{name}_mean": mean[-1], f"{name}_sd": sd[-1], f"{name}_exact": exact[name][-1],
            f"{name}_published": theirs, f"{name}_published_sd": their_sd,
            f"{name}_from_published": (mean[-1] - theirs) / error,
            f"{name}_from_exact": (mean[-1] - exact[name][-1]) / (sd[-1] / math.sqrt(runs)),
            f"{name}_sd_ratio": math.log(sd[-1] / their_sd) / spread,
            f"{name}_gap": np.max(np.abs(mean - exact[name])),
            f"{name}_gap_step": 1.0 + float(np.argmax(np.abs(mean - exact[name]))),
        }  # fmt: skip
    return Table({name: np.concatenate(parts) for name, parts in columns.items()}, numbers)


def _published(case: str) -> tuple[Case, Published]:
    if case not in PUBLISHED:
        raise unknown_name("case with stochastic runs", str(case), PUBLISHED)
    return CASES[case], PUBLISHED[case]

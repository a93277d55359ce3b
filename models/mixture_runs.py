"""Training of the two-Gaussian GAN, compiled: first-order, unrolled in two readings, and the optimal discriminator.

References
----------
Li et al. 2018, section 2. The paper's step size, horizon and draws were not available; see the study `mixture-gan`.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.models.mixture_gan import Ordering
from gan_bifurcation.models.mixture_kernels import follow, train
from gan_bifurcation.models.mixture_outcomes import MixtureOutcome, outcome

__all__ = ["Dynamics", "MixtureRun", "simulate_mixture", "simulate_mixtures"]

FloatArray = NDArray[np.float64]
Dynamics = Literal["first_order", "lookahead", "persistent", "optimal"]

_ORDERINGS: Final = {name: code for code, name in enumerate(get_args(Ordering))}
_MOST_NUMBERS: Final = 50_000_000
_MOST_STEPS: Final = 10_000_000
_MOST_UNROLLED: Final = 1000
# Runs that one thread takes at a time, side by side.
_LANES: Final = 64


@dataclass(frozen=True, eq=False)
class MixtureRun:
    """One training run.

    Attributes
    ----------
    steps : int array (N,)
        After how many steps each row was taken.
    means : float array (N, 2)
        Generated means.
    ends : float array (N, 4)
        End points l1, r1, l2, r2 of the discriminator that the generator will see next; of the optimal one, an interval
        that is not needed is empty, at infinity.
    outcome : MixtureOutcome
    """

    steps: NDArray[np.int64]
    means: FloatArray
    ends: FloatArray
    outcome: MixtureOutcome


@dataclass(frozen=True, eq=False)
class _Settings:
    dynamics: str
    true: FloatArray
    eta_d: float
    eta_g: float
    steps: int
    unrolled: int
    ordering: int


def simulate_mixture(
    means: ArrayLike,
    ends: ArrayLike | None = None,
    *,
    dynamics: Dynamics = "first_order",
    unrolled: int = 0,
    eta_d: float = 0.1,
    eta_g: float = 0.1,
    steps: int = 3000,
    stride: int = 1,
    ordering: Ordering = "order",
    true_means: Sequence[float] = (-0.5, 0.5),
    tolerance: float = 0.1,
) -> MixtureRun:
    """Train once, and keep the path.

    Parameters
    ----------
    means : pair of float
        Generated means at the start.
    ends : four floats, optional
        End points l1, r1, l2, r2 at the start, infinite ones allowed; not for the optimal discriminator.
    dynamics : "first_order", "lookahead", "persistent" or "optimal"
        Both players step at once; the same, but the generator sees where the discriminator would be after `unrolled`
        steps of its own, through which it does not differentiate (Metz et al. 2017), while the discriminator itself
        takes one; the discriminator takes `unrolled` steps, for good, and then the generator sees it; or the generator
        sees the best discriminator, which is 1 where p_true > p_mu.
    unrolled : int
    eta_d, eta_g : float
        Learning rates of end points and means.
    steps : int
    stride : int
        Keep every so many steps; the last is kept in any case.
    ordering : "none", "width" or "order"
        What a step of the discriminator is put back to (the nearest point): nothing; l <= r in both intervals, a
        crossing pair going to its middle; or l1 <= r1 <= l2 <= r2 by pooling neighbours. Not known from the paper.
    true_means : pair of float
    tolerance : float
        See :func:`gan_bifurcation.models.mixture_outcomes.outcome`.

    Returns
    -------
    MixtureRun

    Raises
    ------
    MisuseError
        If a number or word does not fit.

    Examples
    --------
    >>> simulate_mixture((-1.0, -0.9), dynamics="optimal", steps=500).outcome.label
    'success'
    >>> simulate_mixture((0.3, 0.3), dynamics="optimal", steps=500).outcome.label
    'mode collapse'
    """
    if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
        raise MisuseError(f"'stride' must be a whole number from 1 on, but got {stride!r}.")
    states, settings = _prepare(means, ends, dynamics, unrolled, eta_d, eta_g, steps, ordering, true_means)
    if len(states) != 1:
        raise MisuseError(f"simulate_mixture runs once, but got {len(states)} starts: use simulate_mixtures.")
    rows = steps // stride + (2 if steps % stride else 1)
    if rows * 6 > _MOST_NUMBERS:
        raise MisuseError(f"{rows} states are too many to keep; give a stride, such as stride={1 + steps // 100_000}.")
    record = np.empty((rows, 6))
    _run(states, settings, record, stride)
    taken = np.minimum(np.arange(rows) * stride, steps)
    return MixtureRun(taken, record[:, :2].copy(), record[:, 2:].copy(), outcome(record[-1], true_means, tolerance))


def simulate_mixtures(
    means: ArrayLike,
    ends: ArrayLike | None = None,
    *,
    dynamics: Dynamics = "first_order",
    unrolled: int = 0,
    eta_d: float = 0.1,
    eta_g: float = 0.1,
    steps: int = 3000,
    ordering: Ordering = "order",
    true_means: Sequence[float] = (-0.5, 0.5),
    workers: int | None = None,
) -> FloatArray:
    """Train many times; only where the runs end is kept.

    Parameters
    ----------
    means : array (runs, 2)
    ends : array (runs, 4), optional
        Not for the optimal discriminator.
    dynamics, unrolled, eta_d, eta_g, steps, ordering, true_means
        See `simulate_mixture`.
    workers : int, optional
        Threads; as many as processors by default. The result does not depend on it.

    Returns
    -------
    array (runs, 6)
        Final mu1, mu2, l1, r1, l2, r2.

    Examples
    --------
    >>> simulate_mixtures([[0.0, 0.01], [-1.0, -0.9]], dynamics="optimal", steps=500).shape
    (2, 6)
    """
    states, settings = _prepare(means, ends, dynamics, unrolled, eta_d, eta_g, steps, ordering, true_means)
    pieces = [states[i : i + _LANES] for i in range(0, len(states), _LANES)]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        list(pool.map(lambda piece: _run(piece, settings, np.empty((0, 6)), 1), pieces))
    return states


def _prepare(
    means: ArrayLike,
    ends: ArrayLike | None,
    dynamics: str,
    unrolled: int,
    eta_d: float,
    eta_g: float,
    steps: int,
    ordering: str,
    true_means: Sequence[float],
) -> tuple[FloatArray, _Settings]:
    """Checked states, and settings as the compiled code takes them."""
    if dynamics not in get_args(Dynamics):
        raise unknown_name("dynamics", str(dynamics), get_args(Dynamics))
    if ordering not in _ORDERINGS:
        raise unknown_name("ordering", str(ordering), _ORDERINGS)
    true = np.array(true_means, dtype=float)
    if true.shape != (2,) or not np.all(np.abs(true) < 1e3):
        raise MisuseError(f"'true_means' must be two numbers within 1000 of zero, but got {true_means!r}.")
    for name, rate in (("eta_d", eta_d), ("eta_g", eta_g)):
        if not 0.0 <= rate < math.inf:
            raise MisuseError(f"The learning rate '{name}' must be a number from 0 on, but got {rate!r}.")
    for name, value, low, high in (("steps", steps, 0, _MOST_STEPS), ("unrolled", unrolled, 0, _MOST_UNROLLED)):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise MisuseError(f"'{name}' must be a whole number from {low} to {high}, but got {value!r}.")
    if (unrolled > 0) != (dynamics in ("lookahead", "persistent")):
        raise MisuseError(
            f"'unrolled' is a number from 1 on for 'lookahead' and 'persistent', and 0 for other dynamics; "
            f"but got {unrolled} for '{dynamics}'."
        )
    starts = np.atleast_2d(np.array(means, dtype=float))
    if starts.ndim != 2 or starts.shape[1] != 2 or not np.all(np.abs(starts) < 1e3):
        raise MisuseError(
            f"'means' must be pairs of numbers within 1000 of zero, but got an array of shape {starts.shape}."
        )
    states = np.full((len(starts), 6), np.inf)
    states[:, :2] = starts
    if dynamics == "optimal":
        if ends is not None:
            raise MisuseError("The optimal discriminator has no start: leave 'ends' out.")
    elif ends is None:
        raise MisuseError(
            f"'{dynamics}' needs 'ends', the end points l1, r1, l2, r2 of the discriminator at the start."
        )
    else:
        given = np.atleast_2d(np.array(ends, dtype=float))
        if given.shape != (len(starts), 4) or np.any(np.isnan(given)):
            raise MisuseError(f"'ends' must have shape ({len(starts)}, 4), as many as means; but got {given.shape}.")
        if not np.all(given[:, ::2] <= given[:, 1::2]):
            raise MisuseError("Every interval of 'ends' must start with l <= r.")
        if ordering == "order" and not np.all(given[:, 1] <= given[:, 2]):
            raise MisuseError("With ordering='order' the end points must start with l1 <= r1 <= l2 <= r2.")
        states[:, 2:] = given
    return states, _Settings(dynamics, true, float(eta_d), float(eta_g), steps, unrolled, _ORDERINGS[ordering])


def _run(states: FloatArray, settings: _Settings, record: FloatArray, stride: int) -> None:
    columns = np.ascontiguousarray(states.T)
    s = settings
    if s.dynamics == "optimal":
        follow(columns, s.true, s.eta_g, s.steps, record, stride)
    else:
        persistent = s.dynamics == "persistent"
        train(columns, s.true, s.eta_d, s.eta_g, s.steps, s.unrolled, persistent, s.ordering, record, stride)
    states[:] = columns.T

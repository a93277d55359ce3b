"""How a training run of the two-Gaussian GAN ended: success, mode collapse and discriminator collapse told apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError

__all__ = ["LABELS", "MixtureOutcome", "label_ends", "outcome", "total_variation"]

FloatArray = NDArray[np.float64]

# In the order of the codes of `label_ends`.
LABELS: Final = ("success", "mode collapse", "discriminator collapse", "unsettled")

# Generated means closer than this part of the tolerance are one.
_MERGED: Final = 0.1
# An interval narrower than this does not move the generator.
_CLOSED: Final = 1e-9


@dataclass(frozen=True)
class MixtureOutcome:
    """How a run ended.

    Attributes
    ----------
    label : str
        "success": both generated means are within the tolerance of the true ones, in whatever order. Otherwise "mode
        collapse": the two generated means are one; "discriminator collapse": both intervals have closed, so that
        nothing moves the generator any more; or "unsettled".
    distance : float
        Of the generated means from the true ones: the larger of the two.
    total_variation : float
        Of the two mixtures. Small for merged means as well, which is why it does not define success.
    separation : float
        Of the generated means from each other.
    open_intervals : int
        Intervals of the discriminator that have a width.
    """

    label: str
    distance: float
    total_variation: float
    separation: float
    open_intervals: int


def outcome(state: ArrayLike, true_means: Sequence[float] = (-0.5, 0.5), tolerance: float = 0.1) -> MixtureOutcome:
    """How a run ended.

    Parameters
    ----------
    state : six floats
        Final mu1, mu2, l1, r1, l2, r2.
    true_means : pair of float
    tolerance : float
        Of the means. It must exceed the chattering of the optimal discriminator's dynamics, about 0.1 eta_g. Means
        within a tenth of it are one.

    Returns
    -------
    MixtureOutcome

    Examples
    --------
    >>> merged = outcome([0.0, 0.0, -2.0, -1.0, 1.0, 2.0])
    >>> merged.label, round(merged.total_variation, 7)  # below 0.1: the trap
    ('mode collapse', 0.0580589)
    >>> outcome([0.2, 0.8, 0.1, 0.1, 3.0, 3.0]).label
    'discriminator collapse'
    """
    row = np.array(state, dtype=float)
    if row.shape != (6,) or np.any(np.isnan(row)):
        raise MisuseError(f"A final state is mu1, mu2, l1, r1, l2, r2, but got {state!r}.")
    code = int(label_ends(row[None], true_means, tolerance)[0])
    mu, true = np.sort(row[:2]), np.sort(np.asarray(true_means, dtype=float))
    return MixtureOutcome(
        LABELS[code],
        float(np.max(np.abs(mu - true))),
        total_variation(mu, true),
        float(mu[1] - mu[0]),
        int(np.sum(_widths(row[None]) > _CLOSED)),
    )


def label_ends(
    states: ArrayLike, true_means: Sequence[float] = (-0.5, 0.5), tolerance: float = 0.1
) -> NDArray[np.intp]:
    """Indices into `LABELS` for many final states, shape (..., 6)."""
    if not 0.0 < tolerance < math.inf:
        raise MisuseError(f"The tolerance of the means must be a positive number, but got {tolerance!r}.")
    rows = np.asarray(states, dtype=float)
    mu, true = np.sort(rows[..., :2], axis=-1), np.sort(np.asarray(true_means, dtype=float))
    success = np.max(np.abs(mu - true), axis=-1) < tolerance
    merged = mu[..., 1] - mu[..., 0] < _MERGED * tolerance
    closed = np.all(_widths(rows) <= _CLOSED, axis=-1)
    return np.asarray(np.select([success, merged, closed], [0, 1, 2], 3))


def total_variation(mu: ArrayLike, true: ArrayLike) -> float:
    """Half the integral of |p_true - p_mu|: what the best discriminator gains.

    Examples
    --------
    >>> round(total_variation((-1.0, 1.0), (-0.5, 0.5)), 7)
    0.1490052
    """
    from scipy.special import ndtr

    from gan_bifurcation.models.mixture_zeros import optimal_intervals

    means, trues = np.asarray(mu, dtype=float), np.asarray(true, dtype=float)
    return float(
        sum(
            np.mean(ndtr(high - trues) - ndtr(low - trues)) - np.mean(ndtr(high - means) - ndtr(low - means))
            for low, high in optimal_intervals(means, trues)
        )
    )


def _widths(states: FloatArray) -> FloatArray:
    low, high = states[..., [2, 4]], states[..., [3, 5]]
    # An interval that begins where it ends is closed, at infinity too.
    with np.errstate(invalid="ignore"):
        return np.where(low == high, 0.0, high - low)

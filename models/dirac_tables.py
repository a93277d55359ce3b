"""What the Dirac-GAN computes about itself for its study."""

from collections.abc import Sequence

import numpy as np

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.integrator import Event, integrate
from gan_bifurcation.models.dirac_gan import dirac_gan
from gan_bifurcation.models.dirac_theory import gradient_penalty_cycle
from gan_bifurcation.rules import Flow, system
from gan_bifurcation.tables import Table

__all__ = ["gradient_penalty_cycles"]


def gradient_penalty_cycles(*, gammas: Sequence[float] = (0.1, 0.4, 0.7, 1.3), target: float = 1.0) -> Table:
    """Cycles of the flow of the WGAN with gradient penalty: by simulation with located crossings, and in closed form.

    Parameters
    ----------
    gammas : sequence of float
        Penalties between 0.05, below which cycles attract too slowly to wait for, and 1.8, above which the cycle cannot
        be told from the false points.
    target : float

    Returns
    -------
    Table
        Columns gamma, amplitude (size of theta at psi = 0), period and their closed forms; the largest differences are
        the numbers ``worst_amplitude`` and ``worst_period``.

    Examples
    --------
    >>> table = gradient_penalty_cycles(gammas=[0.7])
    >>> table.numbers["worst_amplitude"] < 1e-8, table.numbers["worst_period"] < 1e-8
    (True, True)
    """
    if not 1 <= len(gammas) <= 50 or not all(0.05 <= gamma <= 1.8 for gamma in gammas):
        raise MisuseError(f"The table takes 1 to 50 penalties between 0.05 and 1.8, but got {list(gammas)}.")
    rows = []
    for gamma in gammas:
        amplitude, period, multiplier = gradient_penalty_cycle(gamma=gamma, target=target)
        turns = 3 + int(np.ceil(np.log(1e-11) / np.log(abs(multiplier)) / 2))
        flow = system(dirac_gan(variant="wgan", gamma=gamma, target=target), Flow())
        start, events = [0.0, 1.1 * amplitude], [Event("psi")]
        found = integrate(flow, start, (turns + 0.25) * period, events=events, tolerance=1e-12)
        crossed = float(np.abs(found.event_states[-1, 1]))
        rows.append((gamma, crossed, amplitude, float(found.event_times[-1] - found.event_times[-3]), period))
    columns = dict(
        zip(("gamma", "amplitude", "exact_amplitude", "period", "exact_period"), np.array(rows).T, strict=True)
    )
    worst = {
        f"worst_{name}": float(np.abs(columns[name] - columns[f"exact_{name}"]).max())
        for name in ("amplitude", "period")
    }
    return Table(columns, worst)

"""Tables of noise for studies: the Dirac-GAN with instance noise, trained on minibatches."""

from collections.abc import Sequence

from gan_bifurcation.derived import tie
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.dirac_gan import dirac_gan
from gan_bifurcation.regimes.noise import noise_table
from gan_bifurcation.regimes.noise_border import noisy_border as border_under_noise
from gan_bifurcation.rules import rule_from_table, system
from gan_bifurcation.tables import Table

__all__ = ["noise_border", "noise_spreads"]


def noise_spreads(
    *,
    gamma: float = 1.0,
    sigma: float = 0.5,
    eta_d: float = 0.2,
    eta_g: float = 0.2,
    rule: str = "simultaneous",
    batches: Sequence[int] = (8, 32, 128),
    runs: int = 16,
    steps: int | None = None,
    seed: int = 0,
) -> Table:
    """Predicted against measured spread of the Dirac-GAN on minibatches.

    Parameters
    ----------
    gamma, sigma, eta_d, eta_g : float
        Penalty, standard deviation of the instance noise, learning rates.
    rule : str
        An explicit update rule, in the words of a study.
    batches : list of int
    runs, steps, seed : int
        As of :func:`gan_bifurcation.measured_spread`.

    Returns
    -------
    Table
        As of :func:`gan_bifurcation.noise_table`.
    """
    if isinstance(batches, str) or not isinstance(batches, list | tuple) or not batches:
        raise MisuseError(f"'batches' is a list of whole numbers, such as [8, 32, 128], but got {batches!r}.")
    game = dirac_gan(gamma=gamma, sigma=sigma)
    steps_of = system(game, rule_from_table(rule), eta_d=eta_d, eta_g=eta_g)
    return noise_table(steps_of, batches, runs=runs, steps=steps, seed=seed)


def noise_border(
    *,
    gamma: Sequence[float] = (0.05, 2.0),
    eta: Sequence[float] = (0.02, 2.5),
    sigma: float = 0.5,
    rule: str = "simultaneous",
    batch: int = 16,
    radius: float = 0.03,
    cells: int = 24,
) -> Table:
    """The border under noise of the Dirac-GAN over the penalty and the rate of both players.

    Parameters
    ----------
    gamma, eta : pair of float
        The window.
    sigma : float
        Standard deviation of the instance noise.
    rule : str
    batch : int
    radius : float
    cells : int
        As of :func:`gan_bifurcation.noisy_border`.

    Returns
    -------
    Table
        As of `NoisyBorder.to_table`, with the column ``eta_d``; numbers ``noisy_at_1`` and ``exact_at_1`` are the
        smallest rates on both borders at gamma = 1, where they exist.
    """
    steps = tie(system(dirac_gan(gamma=1.0, sigma=sigma), rule_from_table(rule)), eta_g="eta_d")
    border = border_under_noise(
        steps, {"gamma": tuple(gamma), "eta_d": tuple(eta)}, batch=batch, radius=radius, cells=cells
    )
    table = border.to_table()
    low, high = border.window.ranges["gamma"]
    at = border.crossings(gamma=1.0) if low <= 1.0 <= high else {}
    return Table(table.columns, {**table.numbers, **{f"{k}_at_1": min(v) for k, v in at.items() if v}})

"""Tables of the torus GAN for studies: truncations against the value, mode budget, contraction per turn, the surface.

References
----------
Gonzalez-Prieto, Mozo, Talavera, Gomez-Canaval: Dynamics of Fourier Modes in Torus Generative Adversarial Networks,
Mathematics 9 (2021) 325.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.torus_fourier import checked_order
from gan_bifurcation.models.torus_gan import Discriminator, Objective
from gan_bifurcation.models.torus_settings import MOST, Settings, bounded, columns_of, whole
from gan_bifurcation.models.torus_theory import contraction_per_turn, eigenvalues_of
from gan_bifurcation.tables import Table

__all__ = ["torus_budget", "torus_contraction", "torus_surface", "torus_truncations"]


def torus_truncations(
    *,
    orders: Sequence[float] = (1, 2, 3, 4, 6, 8),
    objective: Objective = "gan",
    discriminator: Discriminator = "slope",
    kappa: float = 0.25,
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
) -> Table:
    """How truncations of the value approach it: largest error, equilibrium and eigenvalues by order.

    Parameters
    ----------
    orders : sequence of int
    objective, discriminator, kappa, mu0, sc, sa
        Of `torus_gan`.

    Returns
    -------
    Table
        Columns ``order``, ``sup_error``, ``theta``, ``omega``, ``rate`` and ``frequency`` (real and imaginary part),
        ``rate_error`` and ``frequency_error``; numbers ``rate_4`` and so on for order 4, and ``rate``, ``frequency`` of
        the value itself.

    Examples
    --------
    >>> table = torus_truncations(orders=[1, 4])
    >>> table.numbers["rate_4"], table.numbers["rate"]
    (-0.031193626781, -0.03125)
    """
    model = Settings(objective, discriminator, kappa, mu0, sc, sa)
    kept = [checked_order(order) for order in bounded("orders", orders)]
    series = model.series
    near = model.equilibrium
    exact = model.eigenvalues[0]
    columns: dict[str, list[float]] = {
        name: []
        for name in ("order", "sup_error", "theta", "omega", "rate", "frequency", "rate_error", "frequency_error")
    }
    numbers = {"rate": exact.real, "frequency": abs(exact.imag)}
    for order in kept:
        truncated = series.truncated(order)
        place = truncated.critical_point(near)
        if place is None:
            raise MisuseError(f"The truncation of order {order} has no equilibrium near the correct one; leave it out.")
        value = eigenvalues_of(*truncated.hessian(*place))[0]
        row = {
            "sup_error": series.sup_error(order), "theta": place[0], "omega": place[1],
            "rate": value.real, "frequency": abs(value.imag),
        }  # fmt: skip
        numbers |= {f"{name}_{order}": number for name, number in row.items()}
        row |= {
            "order": order, "rate_error": abs(value.real - exact.real),
            "frequency_error": abs(abs(value.imag) - abs(exact.imag)),
        }  # fmt: skip
        for name, number in row.items():
            columns[name].append(number)
    return Table(columns_of(columns), numbers)


def torus_budget(
    *,
    smallest: float = 1e-4,
    objective: Objective = "gan",
    discriminator: Discriminator = "slope",
    kappa: float = 0.25,
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
) -> Table:
    """What each Fourier mode adds to the trace of the Jacobian at the correct equilibrium, twice the spiral's rate.

    Parameters
    ----------
    smallest : float
        Modes that add less are left out of the columns, not of the sum.
    objective, discriminator, kappa, mu0, sc, sa
        Of `torus_gan`.

    Returns
    -------
    Table
        Columns ``mode``, ``m`` (generator), ``n`` (discriminator) and ``contribution``, the largest first; numbers
        ``mode_0_2`` and so on, ``sum`` and ``trace``, which is that of the closed form.
    """
    model = Settings(objective, discriminator, kappa, mu0, sc, sa)
    if not smallest > 0:
        raise MisuseError(f"'smallest' of torus_budget is a positive number, but got {smallest!r}.")
    parts = model.series.budget(*model.equilibrium)
    exact = model.eigenvalues
    listed = np.argwhere(np.abs(parts) >= smallest)
    listed = listed[np.argsort(-np.abs(parts[tuple(listed.T)]), kind="stable")][:MOST]
    values = parts[tuple(listed.T)]
    columns: dict[str, NDArray[Any]] = {
        "mode": np.array([f"({m}, {n})" for m, n in listed.tolist()], dtype=str),
        "m": listed[:, 0],
        "n": listed[:, 1],
        "contribution": values,
    }
    numbers = {f"mode_{m}_{n}": value for (m, n), value in zip(listed.tolist(), values.tolist(), strict=True)}
    return Table(columns, numbers | {"sum": parts.sum(), "trace": (exact[0] + exact[1]).real})


def torus_contraction(
    *,
    kappas: Sequence[float] = (0.05, 0.1, 0.25, 0.5),
    objective: Objective = "gan",
    discriminator: Discriminator = "slope",
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
) -> Table:
    """Rate and frequency at the correct equilibrium over the strength of the discriminator.

    Parameters
    ----------
    kappas : sequence of float
    objective, discriminator, mu0, sc, sa
        Of `torus_gan`.

    Returns
    -------
    Table
        Columns ``kappa``, ``rate``, ``frequency`` and ``contraction``, by what factor a spiral shrinks in one turn; of
        nodes it is 0.
    """
    values = bounded("kappas", kappas)
    if not min(values) > 0:
        raise MisuseError(f"The kappas of torus_contraction are positive, but got {min(values)!r}.")
    pairs = [Settings(objective, discriminator, kappa, mu0, sc, sa).eigenvalues for kappa in values]
    turns = [contraction_per_turn(pair) if pair[0].imag else 0.0 for pair in pairs]
    columns = {
        "kappa": values,
        "rate": [-pair[0].real for pair in pairs],
        "frequency": [abs(pair[0].imag) for pair in pairs],
        "contraction": turns,
    }
    return Table(
        columns_of(columns),
        {f"contraction_{k + 1}": value for k, value in enumerate(turns)},
    )


def torus_surface(
    *,
    order: int = 0,
    points: int = 121,
    objective: Objective = "gan",
    discriminator: Discriminator = "slope",
    kappa: float = 0.25,
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
) -> Table:
    """The value over the torus, or a truncation of it, and the divergence of its flow.

    Parameters
    ----------
    order : int
        0 stands for the value itself.
    points : int
        Along each angle, from -pi to pi.
    objective, discriminator, kappa, mu0, sc, sa
        Of `torus_gan`.

    Returns
    -------
    Table
        Fields ``value`` and ``divergence`` over the axes ``theta`` and ``omega``.
    """
    model = Settings(objective, discriminator, kappa, mu0, sc, sa)
    series = model.series
    if order != 0:
        series = series.truncated(order)
    angles = np.linspace(-np.pi, np.pi, whole("points", points))
    divergence = series.value(angles, angles, 0, 2) - series.value(angles, angles, 2, 0)
    return Table(
        axes={"theta": angles, "omega": angles},
        fields={"value": series.value(angles, angles), "divergence": divergence},
    )

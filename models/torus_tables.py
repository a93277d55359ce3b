"""Tables of the torus GAN for studies: truncations against the real flow, mode budget, orbits, periods, contraction.

All take the settings ``objective``, ``discriminator``, ``kappa``, ``mu0``, ``sc`` and ``sa`` of
:func:`gan_bifurcation.models.torus_gan`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.game import Game
from gan_bifurcation.models.torus_fourier import FourierSeries, Pair, checked_order, fourier_coefficients
from gan_bifurcation.models.torus_gan import Discriminator, Objective, torus_gan
from gan_bifurcation.models.torus_order_one import aligned_invariant
from gan_bifurcation.models.torus_theory import contraction_per_turn, eigenvalues, eigenvalues_of, equilibrium
from gan_bifurcation.rules import Flow, system
from gan_bifurcation.simulate import simulate
from gan_bifurcation.system import System
from gan_bifurcation.tables import Table

__all__ = ["torus_budget", "torus_contraction", "torus_orbits", "torus_period", "torus_surface", "torus_truncations"]

FloatArray = NDArray[np.float64]

_TOLERANCE: Final = 1e-12
_MOST: Final = 1000
_LONGEST: Final = 1e5


@dataclass(frozen=True)
class _Model:
    """The settings that all tables share."""

    objective: Objective
    discriminator: Discriminator
    kappa: float
    mu0: float
    sc: float
    sa: float

    def game(self, order: int | None = None) -> Game:
        return torus_gan(
            objective=self.objective, discriminator=self.discriminator, kappa=self.kappa, mu0=self.mu0, sc=self.sc,
            sa=self.sa, order=order,
        )  # fmt: skip

    def flow(self, order: int | None) -> System:
        return system(self.game(order), Flow())

    @property
    def series(self) -> FourierSeries:
        return fourier_coefficients(self.game())

    @property
    def equilibrium(self) -> Pair:
        return equilibrium(mu0=self.mu0, sc=self.sc, sa=self.sa, discriminator=self.discriminator)

    @property
    def eigenvalues(self) -> tuple[complex, complex]:
        return eigenvalues(
            kappa=self.kappa, mu0=self.mu0, sc=self.sc, sa=self.sa, objective=self.objective,
            discriminator=self.discriminator,
        )  # fmt: skip


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
    model = _Model(objective, discriminator, kappa, mu0, sc, sa)
    kept = [checked_order(order) for order in _bounded("orders", orders)]
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
    return Table(_arrays(columns), numbers)


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
    model = _Model(objective, discriminator, kappa, mu0, sc, sa)
    if not smallest > 0:
        raise MisuseError(f"'smallest' of torus_budget is a positive number, but got {smallest!r}.")
    parts = model.series.budget(*model.equilibrium)
    exact = model.eigenvalues
    listed = np.argwhere(np.abs(parts) >= smallest)
    listed = listed[np.argsort(-np.abs(parts[tuple(listed.T)]), kind="stable")][:_MOST]
    values = parts[tuple(listed.T)]
    columns: dict[str, NDArray[Any]] = {
        "mode": np.array([f"({m}, {n})" for m, n in listed.tolist()], dtype=str),
        "m": listed[:, 0],
        "n": listed[:, 1],
        "contribution": values,
    }
    numbers = {f"mode_{m}_{n}": value for (m, n), value in zip(listed.tolist(), values.tolist(), strict=True)}
    return Table(columns, numbers | {"sum": parts.sum(), "trace": (exact[0] + exact[1]).real})


def torus_orbits(
    *,
    orders: Sequence[float] = (0, 1, 2),
    times: Sequence[float] = (10, 50, 100, 200),
    start: Sequence[float] = (0.5, 0.5),
    objective: Objective = "gan",
    discriminator: Discriminator = "slope",
    kappa: float = 0.25,
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
) -> Table:
    """Orbits of the flow of truncations and of the value itself from one place, and how far they come apart.

    Parameters
    ----------
    orders : sequence of int
        0 stands for the value itself.
    times : sequence of float
    start : two numbers
        theta and omega.
    objective, discriminator, kappa, mu0, sc, sa
        Of `torus_gan`.

    Returns
    -------
    Table
        Columns ``order``, ``time``, ``theta``, ``omega`` and ``distance`` (from the real orbit at that time, on the
        cover); numbers ``theta_2_100`` and so on for order 2 at time 100.
    """
    model = _Model(objective, discriminator, kappa, mu0, sc, sa)
    moments = sorted(_bounded("times", times))
    if not (moments[0] > 0 and moments[-1] <= _LONGEST):
        raise MisuseError(f"The times of torus_orbits lie above 0 and up to {_LONGEST:g}, but got {list(times)!r}.")
    wanted = [0 if order == 0 else checked_order(order) for order in _bounded("orders", orders)]
    real = _states_at(model.flow(None), _place(start), moments)
    columns: dict[str, list[float]] = {name: [] for name in ("order", "time", "theta", "omega", "distance")}
    numbers: dict[str, float] = {}
    for order in wanted:
        found = real if order == 0 else _states_at(model.flow(order), _place(start), moments)
        for moment, (omega, theta), other in zip(moments, found, real, strict=True):
            row = (order, moment, theta, omega, float(np.hypot(omega - other[0], theta - other[1])))
            for name, number in zip(columns, row, strict=True):
                columns[name].append(number)
            numbers |= {f"theta_{order}_{moment:g}": theta, f"omega_{order}_{moment:g}": omega}
    return Table(_arrays(columns), numbers)


def torus_period(
    *,
    start: Sequence[float] = (0.5, 0.5),
    samples: int = 200,
    objective: Objective = "gan",
    kappa: float = 0.25,
    mu0: float = 1.0,
    sc: float = 1.25,
    sa: float = 0.75,
) -> Table:
    """The closed orbit of the truncation of order 1 through a place: its period, and what it conserves.

    Parameters
    ----------
    start : two numbers
        theta and omega.
    samples : int
        Rows along one period.
    objective, kappa, mu0, sc, sa
        Of `torus_gan`, with the discriminator "slope".

    Returns
    -------
    Table
        Columns ``time``, ``theta``, ``omega`` and ``drift`` (of the invariant, relative); numbers ``period``, ``miss``
        (how far from its start the orbit is after it), ``small_period`` (of the smallest orbits, 2 pi over the
        frequency), ``invariant`` and ``drift``.
    """
    model = _Model(objective, "slope", kappa, mu0, sc, sa)
    flow = model.flow(1)
    place = _place(start)
    series = model.series.truncated(1)
    centre = series.critical_point(model.equilibrium)
    if centre is None:
        raise MisuseError("The truncation of order 1 has no centre near the correct equilibrium; change the settings.")
    small = 2 * np.pi / abs(eigenvalues_of(*series.hessian(*centre))[0].imag)
    period = _return_time(flow, place, small)
    orbit = simulate(flow, place, duration=period, samples=_whole("samples", samples), tolerance=_TOLERANCE)
    a, b = series.b[0, 1] / series.d[1, 1], series.c[1, 0] / series.d[1, 1]
    kept = aligned_invariant(a, b, orbit["theta"], orbit["omega"])
    drift = kept / kept[0] - 1.0
    return Table(
        {"time": orbit.times, "theta": orbit["theta"], "omega": orbit["omega"], "drift": drift},
        {
            "period": period, "miss": float(np.abs(orbit.states[-1] - place).max()), "small_period": small,
            "invariant": kept[0], "drift": np.abs(drift).max(),
        },
    )  # fmt: skip


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
    values = _bounded("kappas", kappas)
    if not min(values) > 0:
        raise MisuseError(f"The kappas of torus_contraction are positive, but got {min(values)!r}.")
    pairs = [_Model(objective, discriminator, kappa, mu0, sc, sa).eigenvalues for kappa in values]
    turns = [contraction_per_turn(pair) if pair[0].imag else 0.0 for pair in pairs]
    columns = {
        "kappa": values,
        "rate": [-pair[0].real for pair in pairs],
        "frequency": [abs(pair[0].imag) for pair in pairs],
        "contraction": turns,
    }
    return Table(
        _arrays(columns),
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
    model = _Model(objective, discriminator, kappa, mu0, sc, sa)
    series = model.series
    if order != 0:
        series = series.truncated(order)
    angles = np.linspace(-np.pi, np.pi, _whole("points", points))
    divergence = series.value(angles, angles, 0, 2) - series.value(angles, angles, 2, 0)
    return Table(
        axes={"theta": angles, "omega": angles},
        fields={"value": series.value(angles, angles), "divergence": divergence},
    )


def _arrays(columns: dict[str, list[float]]) -> dict[str, NDArray[Any]]:
    return {name: np.array(values, dtype=float) for name, values in columns.items()}


def _place(start: Sequence[float]) -> FloatArray:
    """(omega, theta) of a start (theta, omega)."""
    place = np.array(_bounded("start", start))
    if place.shape != (2,):
        raise MisuseError(f"A start is two numbers, theta and omega, but got {list(start)!r}.")
    return place[::-1].copy()


def _states_at(flow: System, place: FloatArray, moments: Sequence[float]) -> list[list[float]]:
    found, now = [], 0.0
    for moment in moments:
        place = simulate(flow, place, duration=moment - now, samples=2, tolerance=_TOLERANCE).states[-1]
        now = moment
        found.append(place.tolist())
    return found


def _return_time(flow: System, place: FloatArray, scale: float) -> float:
    """When an orbit comes back through the line across its start, by Newton's method on where it is."""
    along = flow.rhs(place)
    for _ in range(8):
        orbit = simulate(flow, place, duration=3 * scale, samples=2001, tolerance=_TOLERANCE)
        ahead = (orbit.states - place) @ along
        near = np.linalg.norm(orbit.states - place, axis=1) < 0.1
        crossings = np.flatnonzero((ahead[:-1] < 0) & (ahead[1:] >= 0) & near[1:])
        if len(crossings):
            break
        scale *= 2.0
    else:
        raise MisuseError(f"The orbit from theta={place[1]:g}, omega={place[0]:g} does not come back; start elsewhere.")
    time = float(orbit.times[crossings[0] + 1])
    for _ in range(20):
        state = simulate(flow, place, duration=time, samples=2, tolerance=_TOLERANCE).states[-1]
        step = float((state - place) @ along / (flow.rhs(state) @ along))
        time -= step
        if abs(step) < 1e-13 * time:
            break
    return time


def _bounded(name: str, values: Sequence[float]) -> list[float]:
    listed = list(values) if isinstance(values, Sequence | np.ndarray) and not isinstance(values, str) else []
    numbers = [float(value) for value in listed if isinstance(value, int | float)]
    if not 0 < len(numbers) == len(listed) <= _MOST or not np.isfinite(numbers).all():
        raise MisuseError(f"'{name}' is a list of 1 to {_MOST} finite numbers, but got {values!r}.")
    return numbers


def _whole(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= _MOST:
        raise MisuseError(f"'{name}' is a whole number from 2 to {_MOST}, but got {value!r}.")
    return value

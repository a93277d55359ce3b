"""Tables of orbits of the torus GAN for studies: truncations against the real flow, the closed orbit of order 1.

References
----------
Gonzalez-Prieto, Mozo, Talavera, Gomez-Canaval: Dynamics of Fourier Modes in Torus Generative Adversarial Networks,
Mathematics 9 (2021) 325.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.torus_fourier import checked_order
from gan_bifurcation.models.torus_gan import Discriminator, Objective
from gan_bifurcation.models.torus_order_one import aligned_invariant
from gan_bifurcation.models.torus_settings import Settings, bounded, columns_of, whole
from gan_bifurcation.models.torus_theory import eigenvalues_of
from gan_bifurcation.simulate import simulate
from gan_bifurcation.system import System
from gan_bifurcation.tables import Table

__all__ = ["torus_orbits", "torus_period"]

FloatArray = NDArray[np.float64]

_TOLERANCE: Final = 1e-12
_LONGEST: Final = 1e5


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
    model = Settings(objective, discriminator, kappa, mu0, sc, sa)
    moments = sorted(bounded("times", times))
    if not (moments[0] > 0 and moments[-1] <= _LONGEST):
        raise MisuseError(f"The times of torus_orbits lie above 0 and up to {_LONGEST:g}, but got {list(times)!r}.")
    wanted = [0 if order == 0 else checked_order(order) for order in bounded("orders", orders)]
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
    return Table(columns_of(columns), numbers)


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
    model = Settings(objective, "slope", kappa, mu0, sc, sa)
    flow = model.flow(1)
    place = _place(start)
    series = model.series.truncated(1)
    centre = series.critical_point(model.equilibrium)
    if centre is None:
        raise MisuseError("The truncation of order 1 has no centre near the correct equilibrium; change the settings.")
    small = 2 * np.pi / abs(eigenvalues_of(*series.hessian(*centre))[0].imag)
    period = _return_time(flow, place, small)
    orbit = simulate(flow, place, duration=period, samples=whole("samples", samples), tolerance=_TOLERANCE)
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


def _place(start: Sequence[float]) -> FloatArray:
    """(omega, theta) of a start (theta, omega)."""
    place = np.array(bounded("start", start))
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

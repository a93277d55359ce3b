"""Tables of the two-Gaussian GAN for studies: heat maps over initial means, outcomes by dynamics, rates, the trap."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.models.mixture_outcomes import LABELS, label_ends, total_variation
from gan_bifurcation.models.mixture_runs import simulate_mixtures
from gan_bifurcation.models.mixture_theory import merged_rate, mixture_eigenvalues, slice_crossing, symmetric_end
from gan_bifurcation.tables import Table

__all__ = [
    "mixture_chattering",
    "mixture_family",
    "mixture_heat_maps",
    "mixture_outcomes",
    "mixture_rates",
    "mixture_variation",
]

FloatArray = NDArray[np.float64]

_MOST_STEPS: Final = 2_000_000_000
_DYNAMICS: Final = ("first_order", "lookahead", "persistent", "optimal")


def mixture_heat_maps(
    *,
    dynamics: Sequence[str] = ("first_order", "lookahead 5", "optimal"),
    true_means: Sequence[float] = (-0.5, 0.5),
    largest: float = 1.0,
    cells: int = 21,
    draws: int = 50,
    steps: int = 3000,
    eta: float = 0.1,
    ordering: str = "order",
    box: float = 3.0,
    tolerance: float = 0.1,
    seed: int = 0,
) -> Table:
    """How often training succeeds, over the initial generated means.

    Parameters
    ----------
    dynamics : sequence of str
        "first_order", "optimal", or "lookahead" and "persistent" with a number of unrolled steps.
    true_means : pair of float
    largest : float
        The means start on a grid from minus this to this.
    cells, draws, steps : int
        Starts along each axis, initial discriminators per cell (the same for all dynamics; an optimal one has no start
        and runs once), steps.
    eta : float
        Learning rate of both players.
    ordering : str
    box : float
        Initial end points are sorted uniform draws between minus this and this.
    tolerance : float
        Success is that both generated means are closer than this to the true ones, in whatever order.
    seed : int

    Returns
    -------
    Table
        Axes ``mu1`` and ``mu2``; for each dynamics, such as ``lookahead_5``, the fields of that name (success) and with
        ``_mode_collapse``, ``_discriminator_collapse``, ``_unsettled``; the means of all fields as numbers, and with
        ``_variation`` what a criterion "total variation below 0.1" would have called success.

    Examples
    --------
    >>> table = mixture_heat_maps(dynamics=["optimal"], cells=5, steps=400)
    >>> table.numbers["optimal"], table.numbers["optimal_variation"]
    (0.8, 1.0)
    """
    wanted = [_split(text) for text in dynamics]
    for name, value, most in (("cells", cells, 201), ("draws", draws, 10_000)):
        if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= most:
            raise MisuseError(f"'{name}' must be a whole number from 2 to {most}, but got {value!r}.")
    if cells * cells * draws * max(steps, 1) * sum(1 + count for _, count in wanted) > _MOST_STEPS:
        raise MisuseError(f"{cells} x {cells} cells, {draws} draws and {steps} steps are too many; lower one of them.")
    if not (0.0 < largest < 100.0 and 0.0 < box < 100.0):
        raise MisuseError(f"'largest' and 'box' must be numbers between 0 and 100, but got {largest!r} and {box!r}.")
    axis = np.linspace(-largest, largest, cells)
    means = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    ends = _draws(len(means), draws, box, seed)
    fields: dict[str, FloatArray] = {}
    numbers: dict[str, float] = {}
    for (name, unrolled), key in zip(wanted, (text.replace(" ", "_") for text in dynamics), strict=True):
        runs = 1 if name == "optimal" else draws
        final = simulate_mixtures(
            np.repeat(means, runs, axis=0),
            None if name == "optimal" else ends.reshape(-1, 4),
            dynamics=name,  # type: ignore[arg-type]
            unrolled=unrolled,
            eta_d=eta,
            eta_g=eta,
            steps=steps,
            ordering=ordering,  # type: ignore[arg-type]
            true_means=true_means,
        )
        labels = label_ends(final, true_means, tolerance).reshape(cells, cells, runs)
        for code, label in enumerate(LABELS):
            suffix = "_" + label.replace(" ", "_") if code else ""
            fields[key + suffix] = np.mean(labels == code, axis=-1)
            numbers[key + suffix] = float(fields[key + suffix].mean())
        numbers[key + "_variation"] = float(np.mean(_variations(final[:, :2], true_means) < 0.1))
    return Table(numbers=numbers, axes={"mu1": axis, "mu2": axis}, fields=fields)


def mixture_outcomes(
    *,
    dynamics: Sequence[str] = ("first_order", "lookahead 5", "persistent 5", "optimal"),
    orderings: Sequence[str] = ("none", "width", "order"),
    etas: Sequence[float] = (0.1,),
    cells: int = 11,
    draws: int = 10,
    steps: int = 3000,
    seed: int = 0,
) -> Table:
    """Shares of all outcomes over a grid of initial means, by dynamics, ordering of end points and learning rate.

    Returns
    -------
    Table
        Columns ``dynamics``, ``unrolled``, ``ordering``, ``eta``, ``success``, ``mode_collapse``,
        ``discriminator_collapse``, ``unsettled``, ``small_variation``; the successes as numbers, such as
        ``lookahead_5_order``, with ``_2`` and so on at the end for further learning rates.
    """
    rows: list[tuple[object, ...]] = []
    numbers: dict[str, float] = {}
    for k, eta in enumerate(etas):
        for ordering in orderings:
            table = mixture_heat_maps(
                dynamics=dynamics, ordering=ordering, eta=eta, cells=cells, draws=draws, steps=steps, seed=seed
            )
            for text in dynamics:
                name, unrolled = _split(text)
                key = text.replace(" ", "_")
                shares = [table.numbers[key + s] for s in ("", *("_" + x.replace(" ", "_") for x in LABELS[1:]))]
                rows.append((name, unrolled, ordering, eta, *shares, table.numbers[key + "_variation"]))
                numbers[f"{key}_{ordering}" + (f"_{k + 1}" if k else "")] = shares[0]
    names = ("dynamics", "unrolled", "ordering", "eta", *(x.replace(" ", "_") for x in LABELS), "small_variation")
    return Table({name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}, numbers)


def mixture_chattering(
    *, etas: Sequence[float] = (0.01, 0.03, 0.1, 0.3), starts: int = 200, time: float = 200.0, seed: int = 0
) -> Table:
    """How far the dynamics with the optimal discriminator stays from the truth, by learning rate.

    The total variation has a cone at the true means: its gradient does not vanish there, and steps of fixed size go to
    and fro across.

    Parameters
    ----------
    etas : sequence of float
    starts : int
        Initial means drawn from the square between -1 and 1.
    time : float
        Each run takes time/eta steps.
    seed : int

    Returns
    -------
    Table
        Columns ``eta``, ``median`` and ``largest`` distance (the larger one of the two means), ``relative`` (median
        over eta); the number ``slope`` of log(median) over log(eta), and ``relative_1``, ...
    """
    if not 1 <= starts <= 10_000 or any(not 1e-4 <= eta <= 10.0 for eta in etas) or not 1.0 <= time <= 1e4:
        raise MisuseError(
            f"Expected 1 to 10000 starts, rates from 0.0001 to 10 and a time from 1 to 10000, but got {starts!r}, "
            f"{list(etas)!r} and {time!r}."
        )
    means = np.random.default_rng(seed).uniform(-1.0, 1.0, (starts, 2))
    distances = []
    for eta in etas:
        final = simulate_mixtures(means, dynamics="optimal", eta_g=eta, steps=int(time / eta))
        distances.append(np.max(np.abs(np.sort(final[:, :2], axis=1) - (-0.5, 0.5)), axis=1))
    median = np.median(distances, axis=1)
    slope = float(np.polyfit(np.log(etas), np.log(median), 1)[0]) if len(etas) > 1 else float("nan")
    rates = np.array(etas, dtype=float)
    columns = {"eta": rates, "median": median, "largest": np.max(distances, axis=1), "relative": median / rates}
    return Table(columns, {"slope": slope} | {f"relative_{k + 1}": x for k, x in enumerate(columns["relative"])})


def mixture_rates(*, separations: Sequence[float] = (0.5, 1.0, 2.0)) -> Table:
    """Where the optimal discriminator changes in the symmetric slice, and how fast merged modes part.

    Columns ``m``, ``merged_crossing`` and ``merged_rate`` (u -> 0), ``true_crossing`` (u -> m); numbers ``rate_1``, ...
    """
    crossings = [slice_crossing(0.0, m) for m in separations]
    rates = [merged_rate(m) for m in separations]
    columns = {
        "m": np.array(separations),
        "merged_crossing": np.array(crossings),
        "merged_rate": np.array(rates),
        "true_crossing": np.array([slice_crossing(m, m) for m in separations]),
    }
    numbers = {f"rate_{k + 1}": rate for k, rate in enumerate(rates)}
    return Table(columns, numbers | {f"crossing_{k + 1}": x for k, x in enumerate(crossings)})


def mixture_family(*, inner: Sequence[float] = (0.3, 0.6, 0.9), separation: float = 0.5) -> Table:
    """Spectra of the flow across the manifold of equilibria with intervals [-b, -a] and [a, b].

    Columns ``a``, ``b``, ``damping`` (real parts; two pairs, of which the first rotates more slowly: ``damping_1``,
    ``frequency_1``, ``damping_2``, ``frequency_2``); the numbers of row k with ``_k`` at the end.
    """
    rows = []
    for a in inner:
        b = symmetric_end(a, separation)
        values = mixture_eigenvalues((-b, -a, a, b), (-separation, separation))
        slow, fast = sorted((z for z in values if z.imag >= 0.0), key=lambda z: float(z.imag))[-2:]
        rows.append((a, b, slow.real, slow.imag, fast.real, fast.imag))
    names = ("a", "b", "damping_1", "frequency_1", "damping_2", "frequency_2")
    numbers = {f"{name}_{k + 1}": row[i] for k, row in enumerate(rows) for i, name in enumerate(names)}
    return Table({name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}, numbers)


def mixture_variation(*, true_means: Sequence[float] = (-0.5, 0.5), largest: float = 1.0, cells: int = 21) -> Table:
    """The total variation over the generated means: how little it tells merged modes from the truth.

    The field ``total_variation`` over ``mu1`` and ``mu2``; numbers ``merged`` (both means in the middle), ``largest``
    on the grid, ``wide`` (means twice as far out) and ``below`` (the share of the grid below 0.1).
    """
    if isinstance(cells, bool) or not isinstance(cells, int) or not 2 <= cells <= 401:
        raise MisuseError(f"'cells' must be a whole number from 2 to 401, but got {cells!r}.")
    axis = np.linspace(-largest, largest, cells)
    field = np.array([[total_variation((x, y), true_means) for y in axis] for x in axis])
    middle = float(np.mean(true_means))
    wide = [2.0 * mean - middle for mean in true_means]
    numbers = {
        "merged": total_variation((middle, middle), true_means),
        "largest": float(field.max()),
        "wide": total_variation(wide, true_means),
        "below": float(np.mean(field < 0.1)),
    }
    return Table(numbers=numbers, axes={"mu1": axis, "mu2": axis}, fields={"total_variation": field})


def _split(text: str) -> tuple[str, int]:
    """A word for dynamics with its unrolled steps, such as "lookahead 5"."""
    name, _, count = str(text).partition(" ")
    if name not in _DYNAMICS:
        raise unknown_name("dynamics", name, _DYNAMICS)
    if (name in ("lookahead", "persistent")) != count.isdecimal() or len(count) > 4:
        raise MisuseError(f"Dynamics are words such as 'first_order' or 'lookahead 5', but got {text!r}.")
    return name, int(count or 0)


def _draws(cells: int, draws: int, box: float, seed: int) -> FloatArray:
    """Sorted end points for each cell, from a seed of its own."""
    children = np.random.SeedSequence(seed).spawn(cells)
    uniform = [np.random.default_rng(child).uniform(-box, box, (draws, 4)) for child in children]
    return np.sort(np.array(uniform), axis=-1)


def _variations(means: FloatArray, true_means: Sequence[float]) -> FloatArray:
    """Total variations of many mixtures from the true one, by quadrature, to about 1e-4."""
    nodes = np.linspace(-8.0, 8.0, 321) + float(np.mean(true_means))

    def mixture(centres: FloatArray) -> FloatArray:
        z = nodes - centres[..., None]
        return np.asarray(np.exp(-0.5 * z * z).mean(axis=-2) / np.sqrt(2.0 * np.pi))

    true = mixture(np.asarray(true_means, dtype=float))
    pieces = [np.abs(mixture(means[i : i + 2048]) - true).sum(axis=-1) for i in range(0, len(means), 2048)]
    return np.asarray(0.5 * np.concatenate(pieces) * (nodes[1] - nodes[0]))

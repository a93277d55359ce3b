"""Tables of the R/S/E/E least-squares GAN for studies: runs with their cost, surfaces, signs, formulas, the plateau."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.models.rsee_decomposition import decomposed_cost, decomposed_gradient
from gan_bifurcation.models.rsee_lsgan import CASES, Case, rsee_lsgan, rsee_start, unit_exponential
from gan_bifurcation.models.rsee_theory import cost, gradient, integrals, kullback_leibler, plateau_shift
from gan_bifurcation.rules import Flow, Simultaneous, system
from gan_bifurcation.simulate import simulate
from gan_bifurcation.tables import Table

__all__ = ["rsee_formulas", "rsee_panels", "rsee_plateau", "rsee_run", "rsee_signs", "rsee_surface"]

FloatArray = NDArray[np.float64]

# The windows of figures 10 and 11: b and h, each with its number of points.
_WINDOWS: Final = {"A": ((-4.0, 2.0, 61), (-2.1, 3.1, 41)), "B": ((-2.0, 3.0, 25), (-5.0, 1.0, 30))}
_MOST_STEPS: Final = 20_000
_MOST_POINTS: Final = 10_000


def rsee_run(
    *, case: str = "A", moving: str | Sequence[str] = "bh", steps: int | None = None, rate: float | None = None
) -> Table:
    """A training run with what it costs: simultaneous steps with exact expectations.

    Parameters
    ----------
    case : "A", "B", or "1" to "4"
    moving : str or sequence of str
        What is trained, as for `rsee_lsgan`.
    steps, rate : optional
        Those of the case by default.

    Returns
    -------
    Table
        Columns ``step`` (from 1 on, as the paper counts), ``a``, ``b``, ``g``, ``h``, ``cost``, ``data`` and
        ``generated`` (its two parts), ``mean`` (of the generated points). Numbers: ``cost_start``, ``cost_end``,
        ``cost_min``, ``cost_max`` with ``step_min``, ``step_max``; the states at the end as ``a_end`` and so on,
        ``mean_end`` beside ``mean_data``, ``divergence_end`` (Kullback and Leibler's; -1 stands for infinite).

    Examples
    --------
    >>> table = rsee_run(case="A")
    >>> table.numbers["cost_min"], table.numbers["step_min"]
    (0.51839, 42.0)
    """
    chosen = _case(case)
    count = chosen.updates if steps is None else steps
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_STEPS:
        raise MisuseError(f"A run of rsee_lsgan has from 1 to {_MOST_STEPS} steps, got {steps!r}.")
    eta = chosen.rate if rate is None else float(rate)
    run = simulate(
        system(rsee_lsgan(case=case, moving=moving), Simultaneous(), eta_d=eta, eta_g=eta),
        rsee_start(case=case, moving=moving), steps=count,
    )  # fmt: skip
    states = {name: run[name] if name in run.names else np.full(len(run.times), chosen.start[name]) for name in "abgh"}
    rows = np.stack(list(states.values()), axis=1)
    data, made = np.array([_cost(chosen, *row) for row in rows.tolist()]).T
    total = data + made
    mean = states["g"] + states["h"]
    divergence = kullback_leibler(g=rows[-1, 2], h=rows[-1, 3], c=chosen.c) if rows[-1, 2] > 0.0 else math.inf
    numbers = {
        "cost_start": total[0], "cost_end": total[-1],
        "cost_min": total.min(), "step_min": 1.0 + float(total.argmin()),
        "cost_max": total.max(), "step_max": 1.0 + float(total.argmax()),
        "mean_end": mean[-1], "mean_data": 1.0 / chosen.c,
        "divergence_end": divergence if math.isfinite(divergence) else -1.0,
        **{f"{name}_end": values[-1] for name, values in states.items()},
    }  # fmt: skip
    columns = {"step": 1.0 + run.times, **states, "cost": total, "data": data, "generated": made, "mean": mean}
    return Table(columns, numbers)


def rsee_panels(*, case: str = "A") -> Table:
    """The runs of a case as the paper draws them: parameters and cost, of b and h trained and of all four.

    Returns
    -------
    Table
        Columns ``panel``, ``quantity``, ``step`` and ``value``.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("panel", "quantity", "step", "value")}
    for moving in ("bh", "abgh"):
        run = rsee_run(case=case, moving=moving).columns
        for what, names in (("parameters", moving), ("cost", ("cost",))):
            for name in names:
                size = len(run["step"])
                columns["panel"].append([f"{', '.join(moving)} trained: {what}"] * size)
                columns["quantity"].append([name if what == "parameters" else "J"] * size)
                columns["step"].append(run["step"])
                columns["value"].append(run[name])
    return Table({name: np.concatenate(parts) for name, parts in columns.items()})


def rsee_surface(*, case: str = "A") -> Table:
    """The cost over b and h with a and g fixed: the paper's figures 10 (case A) and 11 (case B).

    Returns
    -------
    Table
        Axes ``b`` and ``h``, field ``J``; numbers ``lowest`` and ``highest``, ``largest_slope``: the largest derivative
        by h on the grid, which is negative.

    Examples
    --------
    >>> surface = rsee_surface(case="B")
    >>> surface.fields["J"].shape, 0.0 < surface.numbers["lowest"] < surface.numbers["highest"] < 2.0
    ((25, 30), True)
    """
    if case not in _WINDOWS:
        raise unknown_name("case with a surface", str(case), _WINDOWS)
    chosen = CASES[case]
    a, g = chosen.start["a"], chosen.start["g"]
    b, h = (np.linspace(low, high, number) for low, high, number in _WINDOWS[case])
    k1, k2 = chosen.c / (2.0 * a), 1.0 / (2.0 * a * g)
    data = np.array([math.erfc(-shift) ** 2 / 4.0 + 2.0 * integrals(shift, k1).a for shift in b.tolist()])
    eta = a * h[None, :] + b[:, None]
    integral = np.array([integrals(shift, k2).b for shift in eta.ravel().tolist()]).reshape(eta.shape)
    value = data[:, None] + erfc(eta) ** 2 / 4.0 - 2.0 * integral
    numbers = {
        "lowest": value.min(), "highest": value.max(), "largest_slope": float(np.max(-4.0 * k2 * a * integral)),
    }  # fmt: skip
    return Table({}, numbers, {"b": b, "h": h}, {"J": value})


def rsee_signs(*, points: int = 300, seed: int = 0) -> Table:
    """The generator's derivatives at random states: both negative everywhere, so that there is no critical point.

    Parameters
    ----------
    points : int
        States with a, g and c between 0.2 and 5, b and eta = a h + b between -6 and 4.
    seed : int

    Returns
    -------
    Table
        Columns ``a``, ``b``, ``g``, ``h``, ``c``, ``J_g``, ``J_h``; numbers ``violations`` (derivatives that are not
        negative), ``largest`` (of all of them) and ``points``.

    Examples
    --------
    >>> rsee_signs(points=20).numbers["violations"]
    0.0
    """
    if isinstance(points, bool) or not isinstance(points, int) or not 1 <= points <= _MOST_POINTS:
        raise MisuseError(f"The number of random states is from 1 to {_MOST_POINTS}, got {points!r}.")
    rng = np.random.default_rng(seed)
    a, g, c = np.exp(rng.uniform(math.log(0.2), math.log(5.0), (3, points)))
    b, eta = rng.uniform(-6.0, 4.0, (2, points))
    states = {"a": a, "b": b, "g": g, "h": (eta - b) / a, "c": c}
    rows = [dict(zip(states, row, strict=True)) for row in np.stack(list(states.values()), axis=1).tolist()]
    found = [gradient(**row) for row in rows]
    by_g, by_h = (np.array([slopes[name] for slopes in found]) for name in ("g", "h"))
    numbers = {
        "violations": int(np.count_nonzero(by_g >= 0.0) + np.count_nonzero(by_h >= 0.0)),
        "largest": max(by_g.max(), by_h.max()), "points": points,
    }  # fmt: skip
    return Table({**states, "J_g": by_g, "J_h": by_h}, numbers)


def rsee_formulas(*, steps: int = 249) -> Table:
    """Cost and gradient along the paper's runs in three ways: one integral, Owen's T function, the paper's own sum.

    Parameters
    ----------
    steps : int
        How far to follow the runs of cases A and B, in b and h and in all four parameters.

    Returns
    -------
    Table
        A row for each run: ``case``, ``trained``, and the largest differences from the integral, of the cost and of the
        gradient: ``owen_cost``, ``owen_gradient``, ``paper_cost``, ``paper_gradient``. Numbers: the largest of each.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= 1000:
        raise MisuseError(f"The formulas are compared along 1 to 1000 steps, got {steps!r}.")
    rows: dict[str, list[Any]] = {
        name: [] for name in ("case", "trained", "owen_cost", "owen_gradient", "paper_cost", "paper_gradient")
    }
    for case in ("A", "B"):
        for moving in ("bh", "abgh"):
            run = rsee_run(case=case, moving=moving, steps=steps).columns
            worst = np.zeros(4)
            for values in np.stack([run[name] for name in "abgh"], axis=1)[:: max(1, steps // 50)].tolist():
                at = {**dict(zip("abgh", values, strict=True)), "c": CASES[case].c}
                value, slopes = sum(cost(**at)), gradient(**at)
                owen, theirs = gradient(**at, closed=True), decomposed_gradient(**at)
                here = (
                    abs(sum(cost(**at, closed=True)) - value), max(abs(owen[n] - slopes[n]) for n in slopes),
                    abs(decomposed_cost(**at) - value), max(abs(theirs[n] - slopes[n]) for n in slopes),
                )  # fmt: skip
                worst = np.maximum(worst, here)
            for name, entry in zip(rows, (case, moving, *worst.tolist()), strict=True):
                rows[name].append(entry)
    columns = {name: np.array(values) for name, values in rows.items()}
    return Table(columns, {name: max(values) for name, values in rows.items() if name not in ("case", "trained")})


def rsee_plateau(*, case: str = "A", decades: int = 6) -> Table:
    """The drift along the plateau: b of the flow against its law, far beyond the paper's run.

    Parameters
    ----------
    case : "A" or "B"
    decades : int
        Up to which power of ten of time, from 3 to 8.

    Returns
    -------
    Table
        Columns ``time``, ``b``, ``law`` (see `plateau_shift`), ``h``; numbers ``b_end``, ``h_moves`` (how much h still
        moves over the last decade), ``slope`` of b**2 against log t over the last decade, which tends to 1.
    """
    chosen = _case(case)
    if chosen.variant != "erf":
        raise MisuseError(f"The plateau's law is that of cases A and B, got case {case!r}.")
    if isinstance(decades, bool) or not isinstance(decades, int) or not 3 <= decades <= 8:
        raise MisuseError(f"The plateau is followed over 3 to 8 decades of time, got {decades!r}.")
    flow = system(rsee_lsgan(case=case), Flow())
    state: dict[str, float] = rsee_start(case=case)
    times = np.geomspace(100.0, 10.0**decades, 8 * (decades - 2) + 1)
    states = []
    last = 0.0
    for time in times.tolist():
        state = simulate(flow, state, duration=time - last, samples=2, tolerance=1e-11).final_state
        states.append(state)
        last = time
    b, h = (np.array([s[name] for s in states]) for name in ("b", "h"))
    law = plateau_shift(times, k1=chosen.c / (2.0 * chosen.start["a"]))
    slope = (b[-1] ** 2 - b[-9] ** 2) / math.log(times[-1] / times[-9])
    return Table(
        {"time": times, "b": b, "law": law, "h": h}, {"b_end": b[-1], "h_moves": h[-1] - h[-9], "slope": slope}
    )


def _case(case: str) -> Case:
    if case not in CASES:
        raise unknown_name("case of rsee_lsgan", str(case), CASES)
    return CASES[case]


def _cost(chosen: Case, a: float, b: float, g: float, h: float) -> tuple[float, float]:
    """The two parts of the value."""
    if chosen.variant == "erf":
        return cost(a=a, b=b, g=g, h=h, c=chosen.c)
    table = unit_exponential("s")
    s = table.nodes[:, 0]
    true = np.exp(-np.logaddexp(0.0, math.log(a) - b * s / chosen.c))
    false = np.exp(-np.logaddexp(0.0, b * (g * s + h) - math.log(a)))
    return float(table.weights @ true**2), float(table.weights @ false**2)

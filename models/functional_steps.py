"""Tables of the functional-space theory in discrete time: how schemes and rules step through the modes of the data."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from gan_bifurcation.errors import unknown_name
from gan_bifurcation.models.dispersion import SCHEMES, Dispersion, growth_factors, imaginary_limit
from gan_bifurcation.models.functional_gan import functional_mode, mode_spectra
from gan_bifurcation.models.settings import whole_number
from gan_bifurcation.rules import RULES, rule_from_table, system
from gan_bifurcation.tables import Table

__all__ = ["functional_limits", "functional_rules", "functional_stability"]

_MOST_POINTS: Final = 500


def functional_limits() -> Table:
    """Up to which y each scheme does not amplify a wave i y: what a WGAN without penalty asks of it.

    Columns ``scheme``, ``limit`` (text: "never", a number, or "always"). Numbers: ``limit_SCHEME`` where it is finite.
    """
    limits = {scheme: imaginary_limit(scheme) for scheme in SCHEMES}
    words = ["never" if v == 0 else "always" if math.isinf(v) else f"{v:.9g}" for v in limits.values()]
    columns: dict[str, Any] = {"scheme": list(limits), "limit": words}
    return Table(
        columns,
        {f"limit_{scheme}": value for scheme, value in limits.items() if math.isfinite(value)},
    )


def functional_stability(
    *,
    loss: str = "minimax",
    modes: int = 4,
    variance: float = 1.0,
    schemes: Sequence[str] = SCHEMES,
    low_eta: float = 0.05,
    high_eta: float = 8.0,
    low_gamma: float = 0.01,
    high_gamma: float = 10.0,
    cells: int = 60,
    gamma: float = 0.5,
) -> Table:
    """How much the slowest mode of normal data shrinks in a step, over learning rate and penalty, for each scheme.

    Axes ``eta_d`` (the rate of both players) and ``gamma``; a field for each scheme, stable below 1. Numbers:
    ``largest_SCHEME``, the largest learning rate at the penalty `gamma`, where there is a finite one.
    """
    cells = whole_number("cells", cells, 2, 200)
    xi = np.arange(1, whole_number("modes", modes, 1, 50) + 1) / variance
    eta, penalties = np.geomspace(low_eta, high_eta, cells), np.geomspace(low_gamma, high_gamma, cells)
    for scheme in schemes:
        if scheme not in SCHEMES:
            raise unknown_name("scheme", str(scheme), SCHEMES)
    made = Dispersion.of_loss(loss)
    rates = eta[:, None, None]
    damped = rates * (made.b + penalties[None, :, None] * xi)
    stiffness = np.broadcast_to(rates**2 * made.a**2 * xi, damped.shape)
    fields = {scheme: np.abs(growth_factors(damped, stiffness, scheme)).max(axis=(2, 3)) for scheme in schemes}
    steps = {scheme: replace(made, gamma=gamma).largest_step(xi, scheme) for scheme in schemes}
    numbers = {f"largest_{scheme}": step for scheme, step in steps.items() if math.isfinite(step)}
    return Table({}, numbers, {"eta_d": eta, "gamma": penalties}, fields)


def functional_rules(
    *,
    loss: str = "minimax",
    modes: int = 4,
    gamma: float = 0.25,
    low: float = 0.02,
    high: float = 4.0,
    points: int = 60,
) -> Table:
    """Every rule of the package at its own best learning rate, the same for both players, on the modes of N(0, 1).

    Columns ``rule``, ``eta`` (the best of a grid), ``factor`` (of the slowest mode), ``iterations`` to shrink by e, and
    ``calls`` of a gradient for that. Numbers: ``factor_RULE``, ``iterations_RULE``. Left out are flows, and Adam, whose
    step does not become linear near an equilibrium.
    """
    made = replace(Dispersion.of_loss(loss), gamma=gamma)
    xi = np.arange(1, whole_number("modes", modes, 1, 20) + 1)
    grid = np.geomspace(low, high, whole_number("points", points, 2, _MOST_POINTS)).tolist()
    rows: list[tuple[str, float, float, float, float]] = []
    for name in RULES:
        rule = rule_from_table(name)
        under, update = system(functional_mode(), rule), rule.assemble(functional_mode())
        if update.kind == "flow" or name == "adam":
            continue
        factors = [float(np.abs(mode_spectra(under, xi, made.scaled(eta))).max()) for eta in grid]
        k = int(np.argmin(factors))
        iterations = -1 / math.log(factors[k]) if factors[k] < 1 else math.inf
        rows.append((name, grid[k], factors[k], iterations, iterations * sum(update.gradient_calls)))
    numbers = {f"factor_{row[0]}": row[2] for row in rows}
    numbers |= {f"iterations_{row[0]}": row[3] for row in rows if math.isfinite(row[3])}
    columns: dict[str, Any] = {
        name: [row[j] for row in rows] for j, name in enumerate(("rule", "eta", "factor", "iterations", "calls"))
    }
    return Table(columns, numbers)

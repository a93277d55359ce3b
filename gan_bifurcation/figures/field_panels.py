"""Panels of fields and orbits: one column a game, one row a rule, as in the figures of Mescheder et al. (2018)."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.fields import plane, vector_field
from gan_bifurcation.figures.style import STYLE, WIDTHS
from gan_bifurcation.game import Game
from gan_bifurcation.rules import Alternating, Simultaneous, system
from gan_bifurcation.simulate import Orbit, simulate

__all__ = ["field_panels", "mescheder_games", "mescheder_rules", "orbit_panels"]

_MOST_PANELS = 60


def mescheder_games() -> dict[str, Game]:
    """The games of the authors' notebook, with its settings.

    >>> list(mescheder_games())[:3]
    ['GAN', 'non-saturating', 'WGAN, clipped']
    """
    from gan_bifurcation.models.dirac_gan import dirac_gan

    return {
        "GAN": dirac_gan(),
        "non-saturating": dirac_gan(variant="non_saturating"),
        "WGAN, clipped": dirac_gan(variant="wgan", clip=1.0),
        "WGAN-GP": dirac_gan(variant="wgan", gamma=0.7, target=1.0),
        "instance noise": dirac_gan(sigma=0.7),
        "R1, 0.3": dirac_gan(gamma=0.3),
        "R1, critical": dirac_gan(gamma=1.0),
    }


def mescheder_rules() -> dict[str, Any]:
    """Simultaneous steps, and alternating ones with the generator first and 1 or 5 steps of the discriminator."""
    return {
        "SimGD": Simultaneous(),
        "AltGD, 1": Alternating(1, first="generator"),
        "AltGD, 5": Alternating(5, first="generator"),
    }


def field_panels(
    games: Mapping[str, Game] | None = None,
    rules: Mapping[str, Any] | None = None,
    *,
    parameters: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    steps: int = 500,
    window: Mapping[str, tuple[float, float]] | None = None,
    arrows: int = 10,
    width: str | float = "page",
) -> Figure:
    """Vector fields with orbits for several games (columns) under several rules (rows).

    Parameters
    ----------
    games : mapping of title to Game, optional
        Those of the authors' notebook by default (`mescheder_games`); of two states each.
    rules : mapping of title to rule, optional
        `mescheder_rules` by default.
    parameters : mapping of str to float, optional
        Rates and the like; both rates are 0.2 by default.
    start : mapping of state to float, optional
        1 in every state by default.
    steps : int
        Of each orbit.
    window : mapping of state to (low, high), optional
        [-2, 2] by default. What a game clips is shaded.
    arrows : int
        Along each axis.
    width : "column", "page" or float
        Of the whole figure, in inches if a number.

    Returns
    -------
    Figure
    """
    games = mescheder_games() if games is None else games
    rules = mescheder_rules() if rules is None else rules
    if not games or not rules or len(games) * len(rules) > _MOST_PANELS:
        raise MisuseError(f"Panels are 1 to {_MOST_PANELS}, got {len(games)} games under {len(rules)} rules.")
    rates = {"eta_d": 0.2, "eta_g": 0.2} if parameters is None else dict(parameters)
    inches = WIDTHS[width] if isinstance(width, str) else float(width)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(inches, inches * (len(rules) + 0.35) / (len(games) + 0.35)), layout="constrained")
        grid = figure.subplots(len(rules), len(games), squeeze=False, sharex=True, sharey=True)
        for i, (rule_name, rule) in enumerate(rules.items()):
            for j, (game_name, game) in enumerate(games.items()):
                _panel(grid[i, j], game, rule, rates, start, steps, window, arrows)
                if i == 0:
                    grid[i, j].set_title(game_name)
                if i < len(rules) - 1:
                    grid[i, j].set_xlabel("")
                text = grid[i, j].get_ylabel()
                grid[i, j].set_ylabel(f"{rule_name}\n{text}" if j == 0 else "")
    return figure


def orbit_panels(
    orbits: Mapping[str, Orbit],
    *,
    window: Mapping[str, tuple[float, float]] | None = None,
    columns: int = 7,
    arrows: int = 10,
    width: str | float = "page",
) -> Figure:
    """Orbits that were run already, each on the field of its system, in rows of panels.

    Parameters
    ----------
    orbits : mapping of title to Orbit
        A title is broken after a comma.
    window : mapping of state to (low, high), optional
        [-2, 2] by default.
    columns : int
        Panels in a row, at most.
    arrows : int
    width : "column", "page" or float

    Returns
    -------
    Figure
    """
    if not 1 <= len(orbits) <= _MOST_PANELS or columns < 1:
        raise MisuseError(f"Panels are 1 to {_MOST_PANELS}, got {len(orbits)} orbits in {columns} columns.")
    across = min(len(orbits), columns)
    down = -(-len(orbits) // across)
    inches = WIDTHS[width] if isinstance(width, str) else float(width)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(inches, inches * 1.18 * down / across), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for number, ax in enumerate(grid.ravel()):
            if number >= len(orbits):
                ax.set_visible(False)
                continue
            title, orbit = list(orbits.items())[number]
            _orbit_panel(ax, orbit, window, arrows)
            ax.set_title(title.replace(", ", "\n"), fontsize=7.0)
            if number + across < len(orbits):
                ax.set_xlabel("")
            if number % across:
                ax.set_ylabel("")
    return figure


def _panel(
    ax: Axes,
    game: Game,
    rule: Any,
    rates: Mapping[str, float],
    start: Mapping[str, float] | None,
    steps: int,
    window: Mapping[str, tuple[float, float]] | None,
    arrows: int,
) -> None:
    made = system(game, rule, **rates)
    initial = dict.fromkeys(made.states, 1.0) if start is None else dict(start)
    _orbit_panel(ax, simulate(made, initial, steps=steps), window, arrows)


def _orbit_panel(ax: Axes, orbit: Orbit, window: Mapping[str, tuple[float, float]] | None, arrows: int) -> None:
    made = orbit.system
    first, second = plane(made)
    limits = dict.fromkeys((first, second), (-2.0, 2.0)) | dict(window or {})
    vector_field(made, orbit, (first, second), window=limits, equilibria=(), arrows=arrows, ax=ax)
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()
    for state, bounds in made.game.bounds.items() if made.game is not None else ():
        if state in (first, second):
            _shade(ax, state == first, [float(bound.xreplace(_values(made))) for bound in bounds], limits[state])
    ax.set_aspect("equal")


def _values(made: Any) -> dict[Any, float]:
    from gan_bifurcation.expressions import symbol

    return {symbol(name): value for name, value in made.parameters.items()}


def _shade(ax: Axes, across: bool, bounds: list[float], limits: tuple[float, float]) -> None:
    span = ax.axvspan if across else ax.axhspan
    span(limits[0], bounds[0], color="0.9", lw=0, zorder=0)
    span(bounds[1], limits[1], color="0.9", lw=0, zorder=0)

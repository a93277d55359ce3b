"""Whether a window of parameters means anything for a system, before any work starts in it."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import GanBifurcationError, MisuseError
from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.game import Game
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.system import System

RATES: Final = ("eta_d", "eta_g")
# Places along a side of the window at which bounds of the domain are looked at.
_SIDE: Final = 9
# And at which the model is asked, as fractions of both sides: one that it takes is enough.
_ASKED: Final = (0.5, 1.0, 0.0)


def check_window(system: System, window: Window) -> None:
    """Refuse a window in which a system means nothing anywhere.

    Learning rates that are not positive, bounds of the domain in parameters alone, and values that the model's own
    function refuses.

    Raises
    ------
    MisuseError
    """
    _inside_bounds(system, window)
    _taken_by_model(system, window)


# What the model said of a window; it is asked again for each part of a study.
_said: dict[tuple[Any, ...], str] = {}


def _taken_by_model(system: System, window: Window) -> None:
    """Whether the model's function takes the values of the window, as far as it takes those that the system has."""
    if system.game is None or (make := _maker(system.game.name)) is None:
        return
    known = inspect.signature(make).parameters
    own = {name: float(value) for name, value in system.parameters.items() if name in known}
    if not set(own) & set(window.names):
        return
    key = (system.game.name, tuple(own.items()), tuple(window.ranges.items()))
    if key not in _said:
        _said[key] = _refusal(make, own, window)
    if _said[key]:
        raise MisuseError(
            f"The window lies outside of what '{system.game.name}' takes; move it. The model says: {_said[key]}"
        )


@cache
def _maker(name: str) -> Callable[..., Game] | None:
    """The function of a model; None where there is none of this name. The list of models is on disk."""
    from gan_bifurcation import models

    return models.get(name) if name in models.names() else None


def _refusal(make: Callable[..., Game], own: dict[str, float], window: Window) -> str:
    """What the model says where it refuses all places of a window; "" where it takes one."""
    rest = {name: value for name, value in own.items() if name not in window.ranges}
    said = ""
    for fraction in _ASKED:
        values = window.values(np.full(window.dimension, fraction))
        here = _said_of(make, rest | {name: value for name, value in values.items() if name in own})
        if not here:
            return ""
        said = said or here
    # The game may be of other settings; a model that refuses the rest as well says nothing of the window.
    return "" if _said_of(make, rest) else said


def _said_of(make: Callable[..., Game], values: dict[str, float]) -> str:
    try:
        make(**values)
    except GanBifurcationError as error:
        return str(error)
    except (TypeError, ValueError, ArithmeticError):
        return ""
    return ""


def _inside_bounds(system: System, window: Window) -> None:
    """Refuse a window in which the system means nothing anywhere, as far as its parameters alone decide that."""
    for name in RATES:
        if system.game is not None and name in window.ranges and window.ranges[name].high <= 0.0:
            raise MisuseError(
                f"The window of the learning rate '{name}' ends at {window.ranges[name].high:g}, but training needs a "
                "positive one; move the window."
            )
    bounds = [(text, why) for text, why in system.domain if not _speaks_of_states(system, text)]
    if not bounds:
        return
    tape = observable_tape(system, [text for text, _ in bounds])
    side = np.linspace(0.0, 1.0, _SIDE)
    units = np.stack(np.meshgrid(*[side] * window.dimension), axis=-1).reshape(-1, window.dimension)
    values = np.array(
        [
            tape.evaluate([0.0] * system.n + system.with_parameters(**window.values(u)).parameter_vector().tolist())
            for u in units
        ]
    )
    for (text, why), inside in zip(bounds, (values >= 0.0).T, strict=True):
        if not inside.any():
            raise MisuseError(
                f"The window lies outside the domain of '{system.name}', where {text} >= 0 ({why.rstrip('.')}); "
                "move it."
            )


def _speaks_of_states(system: System, text: str) -> bool:
    names = {name: symbol(name) for name in (*system.states, *system.parameters)}
    names.update({s.name: s for s, _ in system.assignments})
    return any(s.name in system.states for s in parse(text, names).free_symbols)

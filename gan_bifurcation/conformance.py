"""What every game and every rule must satisfy, as checks that users can run on their own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import Symmetry
from gan_bifurcation.game import Game
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.rules import Flow, Rule, Simultaneous, system
from gan_bifurcation.system import System

__all__ = ["check_game", "check_rule"]

_POINTS = 5
_TRIES = 1000
_DIFFERENCE = 1e-5


def check_game(game: Game, *, scale: float = 0.5, seed: int = 0) -> None:
    """Check that a game is consistent with what it says of itself, at random points.

    The field is finite and, where there are losses, minus their gradient by central differences; the Jacobian agrees
    with differences of the field; the field commutes with every symmetry and vanishes at every known equilibrium that
    exists at the default parameters. States with bounds are between them after a step, however large.

    Parameters
    ----------
    game : Game
    scale : float
        Standard deviation of the random states around the first known equilibrium (around 0 if there is none).
    seed : int

    Raises
    ------
    MisuseError
        At the first disagreement; the message names it.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> gb.check_game(gb.models.dirac_gan())
    """
    flow = system(game, Flow())
    for x in _points(flow, scale, seed):
        f = flow.rhs(x)
        if not np.isfinite(f).all():
            raise MisuseError(
                f"The field of '{game.name}' is not finite at {_shown(flow, x)}: bound the domain or the states."
            )
        if game.field is None:
            _check_gradient(game, flow, x, f)
        _check_jacobian(flow, x)
        for symmetry in flow.symmetries:
            _check_symmetry(flow, symmetry, x, f)
    _check_equilibria(flow)
    if game.projection:
        _check_projection(game, scale, seed)


def check_rule(rule: Rule, game: Game, *, scale: float = 0.5, seed: int = 0) -> None:
    """Check that a rule makes a consistent system of a game.

    The known equilibria, with the rule's memory at rest, are equilibria or fixed points of the result; it commutes with
    the game's symmetries; for small learning rates each player moves along its own direction, in the mean over random
    points; Jacobians agree with differences; every player's gradient is called.

    Parameters
    ----------
    rule : Rule
    game : Game
    scale : float
        Standard deviation of the random states.
    seed : int

    Raises
    ------
    MisuseError
        At the first disagreement; the message names it.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> gb.check_rule(gb.Alternating(discriminator_steps=2), gb.models.dirac_gan())
    """
    result = system(game, rule)
    field = system(game, Flow())
    update = rule.assemble(game)
    if not all(isinstance(calls, int) and calls >= 1 for calls in update.gradient_calls):
        raise MisuseError(
            f"{rule!r} claims {update.gradient_calls} gradient calls of the two players: each is an integer from 1 on."
        )
    slow = result.with_parameters(**dict.fromkeys(game.rates, 1e-6))
    if update.strength:
        slow = slow.with_parameters(**{update.strength: 0.0})
    descent = np.zeros(len(game.states))
    for x in _points(result, scale, seed):
        f = result.rhs(x)
        _check_jacobian(result, x)
        for symmetry in result.symmetries:
            _check_symmetry(result, symmetry, x, f)
        start = x.copy()
        _rest(slow, start, game)
        state = [result.states.index(name) for name in game.states]
        moved = slow.rhs(start)[state] - (start[state] if slow.kind == "map" else 0.0)
        descent += moved * field.rhs(start[state])
    for player in game.players:
        indices = [game.states.index(name) for name in player.states]
        if not descent[indices].sum() > 0:
            raise MisuseError(
                f"Under {rule!r} the states {', '.join(player.states)} of '{game.name}' do not move along their "
                "direction for small learning rates: check the sign of the step."
            )
    _check_equilibria(result)


def _points(system_: System, scale: float, seed: int) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    guess = system_.equilibrium_guess()
    centre = np.zeros(system_.n) if guess is None else guess
    points: list[NDArray[np.float64]] = []
    for trial in range(_TRIES):
        x = centre + scale * rng.standard_normal(system_.n)
        # Outside its domain a game means nothing; where it is too narrow to be hit, points are taken as they come.
        if _inside(system_, x) or trial >= _TRIES - _POINTS + len(points):
            points.append(x)
        if len(points) == _POINTS:
            break
    # A mean of squares is positive.
    for item in system_.memory:
        if item.even:
            for x in points:
                x[system_.states.index(item.name)] = abs(x[system_.states.index(item.name)]) + 0.1 * scale
    # Between the bounds and not at them, where the field has a kink.
    for state, (low, high) in _bounds(system_).items():
        margin, i = 0.01 * (high - low), system_.states.index(state)
        for x in points:
            x[i] = np.clip(x[i], low + margin, high - margin)
    return points


def _bounds(system_: System) -> dict[str, tuple[float, float]]:
    values = {symbol(name): value for name, value in system_.parameters.items()}
    bounds = {} if system_.game is None else system_.game.bounds
    return {state: (float(low.xreplace(values)), float(high.xreplace(values))) for state, (low, high) in bounds.items()}


def _check_projection(game: Game, scale: float, seed: int) -> None:
    steps = system(game, Simultaneous(), **dict.fromkeys(game.rates, 1e3))
    for x in _points(steps, scale, seed):
        f = steps.rhs(x)
        for state, (low, high) in _bounds(steps).items():
            value = f[steps.states.index(state)]
            if not low <= value <= high:
                raise MisuseError(
                    f"After a step the state '{state}' of '{game.name}' is {value:g}, outside its bounds {low:g} and "
                    f"{high:g}."
                )
        for symmetry in steps.symmetries:
            _check_symmetry(steps, symmetry, x, f)


def _inside(system_: System, x: NDArray[np.float64]) -> bool:
    if not system_.domain:
        return True
    bounds = observable_tape(system_, [text for text, _ in system_.domain])
    return all(value >= 0.0 for value in bounds.evaluate([*x.tolist(), *system_.parameter_vector().tolist()]))


def _rest(system_: System, x: NDArray[np.float64], game: Game) -> None:
    """Put the rule's memory to rest, in place."""
    for item in system_.memory:
        here = {symbol(name): float(x[system_.states.index(name)]) for name in game.states}
        x[system_.states.index(item.name)] = float(item.at_rest.xreplace(here))


def _check_gradient(game: Game, flow: System, x: NDArray[np.float64], f: NDArray[np.float64]) -> None:
    for player, rate in zip(game.players, game.rates, strict=True):
        # The value of the loss through the same tape: a system whose right-hand sides are the loss itself.
        losses = System("flow", "loss", flow.states, flow.parameters, (), (player.loss,) * flow.n)
        for name in player.states:
            i = flow.states.index(name)
            step = np.zeros(flow.n)
            step[i] = _DIFFERENCE * max(1.0, abs(x[i]))
            above, below = losses.rhs(x + step)[0], losses.rhs(x - step)[0]
            slope = (above - below) / (2.0 * step[i])
            rounding = 1e-16 * (abs(above) + abs(below)) / step[i]
            if not abs(f[i] + flow.parameters[rate] * slope) < 1e-6 * max(1.0, abs(f[i])) + 10 * rounding:
                raise MisuseError(
                    f"The derivative of the loss of '{game.name}' by '{name}' is {-f[i]:g}, but differences give "
                    f"{slope:g} at {_shown(flow, x)}."
                )


def _check_jacobian(system_: System, x: NDArray[np.float64]) -> None:
    exact = system_.jacobian(x)
    p = system_.parameter_vector()
    joint = np.concatenate([x, p])
    for i in range(len(joint)):
        step = np.zeros(len(joint))
        step[i] = _DIFFERENCE * max(1.0, abs(joint[i])) if i < system_.n else _DIFFERENCE * max(1e-3, abs(joint[i]))
        above, below = joint + step, joint - step
        n = system_.n
        values = system_.rhs(above[:n], above[n:]), system_.rhs(below[:n], below[n:])
        slope = (values[0] - values[1]) / (2.0 * step[i])
        rounding = 1e-16 * (np.abs(values[0]) + np.abs(values[1])) / step[i]
        wrong = np.abs(exact[:, i] - slope) > 1e-5 * np.maximum(1.0, np.abs(slope)) + 10 * rounding
        if wrong.any():
            row = int(np.argmax(wrong))
            by = (*system_.states, *system_.parameters)[i]
            raise MisuseError(
                f"The derivative of '{system_.states[row]}' in '{system_.name}' by '{by}' is {exact[row, i]:g}, but "
                f"differences give {slope[row]:g} at {_shown(system_, x)}."
            )


def _check_symmetry(system_: System, symmetry: Symmetry, x: NDArray[np.float64], f: NDArray[np.float64]) -> None:
    image = _moved(system_, symmetry, x)
    difference = np.abs(system_.rhs(image) - _moved(system_, symmetry, f))
    if not (difference <= 1e-9 * np.maximum(1.0, np.abs(f).max())).all():
        raise MisuseError(
            f"'{system_.name}' does not commute with its symmetry '{symmetry.name}': the images differ by "
            f"{difference.max():g} at {_shown(system_, x)}."
        )


def _moved(system_: System, symmetry: Symmetry, x: NDArray[np.float64]) -> NDArray[np.float64]:
    image: dict[str, Any] = symmetry.applied(dict(zip(system_.states, x, strict=True)))
    return np.array([image[name] for name in system_.states])


def _check_equilibria(system_: System) -> None:
    values = {symbol(name): value for name, value in system_.parameters.items()}
    for known in system_.known_equilibria:
        if not known.holds(system_.parameters):
            continue
        x = np.array([float(known.state[name].xreplace(values)) for name in system_.states])
        residual = system_.rhs(x) - (x if system_.kind == "map" else 0.0)
        if not np.abs(residual).max() < 1e-9 * max(1.0, np.abs(x).max()):
            raise MisuseError(
                f"The known equilibrium '{known.name}' of '{system_.name}' is none: its residual is "
                f"{np.abs(residual).max():g} at the default parameters."
            )


def _shown(system_: System, x: NDArray[np.float64]) -> str:
    pairs = [f"{name}={value:.4g}" for name, value in zip(system_.states, x, strict=True)]
    return ", ".join(pairs[:6]) + (", ..." if len(pairs) > 6 else "")

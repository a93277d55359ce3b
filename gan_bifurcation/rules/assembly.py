"""A system from a game and a rule."""

from collections.abc import Mapping, Sequence

import sympy

from gan_bifurcation.errors import MisuseError, quoted, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import Equilibrium, Symmetry, checked_parameters
from gan_bifurcation.game import Game
from gan_bifurcation.rules.tables import rule_from_table
from gan_bifurcation.rules.update import Memory, Rule
from gan_bifurcation.system import System

__all__ = ["system"]


def system(game: Game, rule: Rule | str | Mapping[str, object], **parameters: float) -> System:
    """The system that a game becomes under an update rule.

    Parameters
    ----------
    game : Game
    rule : Rule, str or mapping
        A value such as ``gb.Alternating(discriminator_steps=5)``, or its words in a study file.
    **parameters : float
        Values of learning rates and other parameters; what is left out has the default of the game or rule.

    Returns
    -------
    System

    Raises
    ------
    MisuseError
        If a name is not known (with the nearest one that is) or a value is not a finite number.

    Examples
    --------
    >>> theta, psi = symbol("theta"), symbol("psi")
    >>> from gan_bifurcation.game import Player
    >>> from gan_bifurcation.rules import Alternating
    >>> game = Game("bilinear", Player(("psi",), -theta * psi, "eta_d"), Player(("theta",), theta * psi, "eta_g"))
    >>> steps = system(game, Alternating(), eta_d=0.5)
    >>> dict(steps.parameters)
    {'eta_d': 0.5, 'eta_g': 0.1}
    >>> steps.rhs([1.0, 1.0]).tolist()
    [1.5, 0.85]
    """
    if not isinstance(game, Game):
        raise MisuseError(
            f"A system is made from a Game, such as gb.models.dirac_gan(), but got a {type(game).__name__}."
        )
    if isinstance(rule, str | Mapping):
        rule = rule_from_table(rule)
    elif isinstance(rule, type) or not isinstance(rule, Rule):
        raise MisuseError(f"A rule is a value such as gb.Simultaneous(), but got {quoted(repr(rule))}.")
    update = rule.assemble(game)
    defaults = {**update.parameters, **game.parameters}
    for name in parameters:
        if name not in defaults:
            raise unknown_name(f"parameter of '{game.name}' under {type(rule).__name__}", name, defaults)
    return System.from_update(
        update,
        parameters={**defaults, **checked_parameters(parameters, f"'{game.name}'")},
        name=game.name,
        domain=tuple((bound.expression, bound.reason) for bound in game.domain),
        symmetries=tuple(_with_memory(symmetry, update.memory) for symmetry in game.symmetries),
        known_equilibria=tuple(_at_rest(known, update.memory) for known in game.equilibria),
        game=game,
        rule=rule,
        description=game.description,
        periods=_turns(game, update.memory),
        endings=tuple((ending.expression, ending.name) for ending in game.endings),
    )


def _with_memory(symmetry: Symmetry, memory: Sequence[Memory]) -> Symmetry:
    """A symmetry of the game on what a rule remembers as well: each memory goes where its state goes."""
    partner = {(item.of, _suffix(item)): item for item in memory}
    action = dict(symmetry.action)
    for item in memory:
        if item.of in symmetry.action:
            sign, other = symmetry.action[item.of]
            action[item.name] = (1 if item.even else sign, partner[other, _suffix(item)].name)
    return Symmetry(symmetry.name, action)


def _turns(game: Game, memory: Sequence[Memory]) -> dict[str, float]:
    """The angles of the game, and what a rule remembers of where they were."""
    remembered = {item.name: game.periods[item.of] for item in memory if item.of in game.periods}
    return {**game.periods, **{name: turn for name, turn in remembered.items() if name.endswith("_prev")}}


def _suffix(item: Memory) -> str:
    return item.name.removeprefix(item.of)


def _at_rest(known: Equilibrium, memory: Sequence[Memory]) -> Equilibrium:
    """A known equilibrium of the game with the values that a rule's memory takes there."""
    values = {symbol(state): sympy.sympify(value, strict=True) for state, value in known.state.items()}
    state = {name.name: value for name, value in values.items()}
    state.update({item.name: sympy.sympify(item.at_rest, strict=True).xreplace(values) for item in memory})
    return Equilibrium(known.name, state, known.condition, known.ties)

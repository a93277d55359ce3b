"""Update rules: frozen values that turn any game into a flow or a map.

For developers: how a rule is written
-------------------------------------
A rule is a frozen dataclass of plain values with ``assemble(game) -> Update``, and a line in ``RULES`` below. It sees a
game only through its states, rates and `Game.vector_field`, and writes a straight-line program: intermediate values get
symbols of their own, and the field is evaluated somewhere else by *renaming* its states (`_Program.field_at`), never by
substituting expressions, so that no rule makes expressions swell and none is written for one model. Names with a double
underscore are free for intermediates, because no game may use them.

* Extragradient: step to ``z__half``, then step from ``z`` along the field at ``z__half``.
* Runge-Kutta: the same with a table of stages.
* Optimistic, heavy ball, Adams-Bashforth, Adam: what is remembered is more states, listed in ``Update.memory`` with
  what they are at rest and how they transform; ``beta`` and the like go into ``Update.parameters``.
* Consensus, symplectic adjustment, modified flow: take `derivative` of the field, or of half its squared norm, in SymPy
  first, and go on with that as the field.
* Unrolled: the generator's loss at the discriminator's renamed inner steps, each differentiated by the chain rule.
* Proximal, competitive: a residual in ``z`` and ``z__next`` instead of the next state; `Update` gets a kind of
  right-hand side for it when a System can take one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Protocol, runtime_checkable

import sympy

from gan_bifurcation.errors import MisuseError, quoted, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import Equilibrium, Symmetry, checked_parameters
from gan_bifurcation.game import Game
from gan_bifurcation.system import System

__all__ = [
    "Alternating",
    "Flow",
    "Memory",
    "Rule",
    "Simultaneous",
    "Update",
    "rule_from_table",
    "rule_to_table",
    "system",
]

_STEP: Final = 0.1
_MOST_STEPS: Final = 100


@dataclass(frozen=True)
class Memory:
    """A state that a rule adds.

    Attributes
    ----------
    name : str
        The state's name: that of the game's state with ``_prev``, ``_velocity``, ...
    of : str
        The game's state that it belongs to.
    at_rest : Expr
        Its value at an equilibrium, in the game's states.
    even : bool
        True if a symmetry permutes it but never turns its sign (a mean of squares).
    """

    name: str
    of: str
    at_rest: sympy.Expr
    even: bool = False


@dataclass(frozen=True)
class Update:
    """What a rule makes of a game: a straight-line program for the right-hand side.

    Attributes
    ----------
    kind : "flow" or "map"
    states : tuple of str
        The game's states, then the memory.
    assignments : tuple of (Symbol, Expr)
        Intermediate values, in the order in which they are evaluated.
    rhs : tuple of Expr
        One for each state, in states, parameters and intermediates.
    parameters : mapping of str to float
        What the rule adds to the game's parameters, with defaults: the learning rates first.
    memory : tuple of Memory
    gradient_calls : tuple of (int, int)
        How often one application evaluates the discriminator's and the generator's gradient.
    """

    kind: Literal["flow", "map"]
    states: tuple[str, ...]
    assignments: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    rhs: tuple[sympy.Expr, ...]
    parameters: Mapping[str, float]
    memory: tuple[Memory, ...] = ()
    gradient_calls: tuple[int, int] = (1, 1)


@runtime_checkable
class Rule(Protocol):
    """An update rule: a frozen value with this method."""

    def assemble(self, game: Game) -> Update:
        """The update of a game under this rule."""
        ...


class _Program:
    """A straight-line program under construction."""

    def __init__(self, game: Game) -> None:
        self.field = game.vector_field()
        self.bounds = game.bounds
        self.rate = {state: symbol(player.rate) for player in game.players for state in player.states}
        self.assignments: list[tuple[sympy.Symbol, sympy.Expr]] = []

    def field_at(self, state: str, at: Mapping[str, sympy.Symbol]) -> sympy.Expr:
        """The direction of one state, with other symbols in the place of states."""
        renamed = {symbol(name): value for name, value in at.items()}
        return self.field[state].xreplace(renamed)

    def step(self, state: str, at: Mapping[str, sympy.Symbol]) -> sympy.Expr:
        """One explicit step of one state from where it stands in `at`, put back between its bounds."""
        return self.projected(state, at[state] + self.rate[state] * self.field_at(state, at))

    def projected(self, state: str, value: sympy.Expr) -> sympy.Expr:
        """What is left of a new value between the bounds of the state."""
        if state not in self.bounds:
            return value
        low, high = self.bounds[state]
        return sympy.Min(sympy.Max(value, low), high)

    def velocity(self, state: str, at: Mapping[str, sympy.Symbol]) -> sympy.Expr:
        """The rate of change of a state in a flow: none that would lead out of its bounds."""
        field = self.rate[state] * self.field_at(state, at)
        if state not in self.bounds:
            return field
        low, high = self.bounds[state]
        pushed = symbol(f"{state}__velocity")
        self.assignments.append((pushed, field))
        inside = sympy.Piecewise((sympy.Min(pushed, 0), at[state] >= high), (pushed, True))
        return sympy.Piecewise((sympy.Max(pushed, 0), at[state] <= low), (inside, True))

    def move(self, states: Sequence[str], at: Mapping[str, sympy.Symbol], tag: str) -> dict[str, sympy.Symbol]:
        """Step some states at once; the result is where all of them stand, under new symbols."""
        moved = dict(at)
        for state in states:
            moved[state] = symbol(f"{state}__{tag}")
            self.assignments.append((moved[state], self.step(state, at)))
        return moved


def _here(game: Game) -> dict[str, sympy.Symbol]:
    return {state: symbol(state) for state in game.states}


@dataclass(frozen=True)
class Flow:
    """The continuous limit: the discriminator's states move with eta_d v_d, the generator's with eta_g v_g.

    Both rates are 1 by default. With eta_d = 1, time is counted in units of the discriminator's rate and eta_g is the
    ratio of the rates.
    """

    def assemble(self, game: Game) -> Update:
        program = _Program(game)
        here = _here(game)
        rhs = tuple(program.velocity(state, here) for state in game.states)
        return Update("flow", game.states, tuple(program.assignments), rhs, dict.fromkeys(game.rates, 1.0))


@dataclass(frozen=True)
class Simultaneous:
    """Simultaneous gradient descent-ascent: both players step from the same point."""

    def assemble(self, game: Game) -> Update:
        program = _Program(game)
        here = _here(game)
        rhs = tuple(program.step(state, here) for state in game.states)
        return Update("map", game.states, (), rhs, dict.fromkeys(game.rates, _STEP))


@dataclass(frozen=True)
class Alternating:
    """Alternating gradient descent-ascent: one player steps, then the other one sees where it went.

    Parameters
    ----------
    discriminator_steps : int
        How many steps the discriminator takes for each step of the generator.
    first : "discriminator" or "generator"
        Who begins. With the discriminator first, the generator steps against the discriminator's new weights; with the
        generator first, all steps of the discriminator see the generator's new state.

    Notes
    -----
    The two orders are conjugate (each is the other one seen half an iteration later), so that multipliers, rotation
    numbers and stability are the same, while orbits and invariants are not.
    """

    discriminator_steps: int = 1
    first: Literal["discriminator", "generator"] = "discriminator"

    def __post_init__(self) -> None:
        steps = self.discriminator_steps
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS:
            raise MisuseError(f"discriminator_steps needs a whole number from 1 to {_MOST_STEPS}, but got {steps!r}.")
        if self.first not in ("discriminator", "generator"):
            raise unknown_name("player for 'first'", str(self.first), ("discriminator", "generator"))

    def assemble(self, game: Game) -> Update:
        program = _Program(game)
        at: Mapping[str, sympy.Symbol] = _here(game)
        discriminator, generator = game.discriminator.states, game.generator.states
        if self.first == "generator":
            at = program.move(generator, at, "1")
        for k in range(self.discriminator_steps):
            at = program.move(discriminator, at, str(k + 1))
        if self.first == "discriminator":
            at = program.move(generator, at, "1")
        rhs = tuple(at[state] for state in game.states)
        calls = (self.discriminator_steps, 1)
        return Update("map", game.states, tuple(program.assignments), rhs, dict.fromkeys(game.rates, _STEP), (), calls)


RULES: Final[Mapping[str, type[Any]]] = {"flow": Flow, "simultaneous": Simultaneous, "alternating": Alternating}


def rule_from_table(table: str | Mapping[str, object]) -> Rule:
    """A rule from its name, or from a table such as a study file holds.

    >>> rule_from_table({"rule": "alternating", "discriminator_steps": 5})
    Alternating(discriminator_steps=5, first='discriminator')
    >>> rule_from_table("simultanous")
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.UnknownNameError: Unknown rule 'simultanous'. Did you mean 'simultaneous'?
    """
    settings = {"rule": table} if isinstance(table, str) else dict(table)
    name = settings.pop("rule", None)
    if not isinstance(name, str):
        raise MisuseError(
            f"A rule is named by the key 'rule', one of {', '.join(RULES)}, but got {quoted(repr(name))}."
        )
    if name not in RULES:
        raise unknown_name("rule", name, RULES)
    kind = RULES[name]
    known = [item.name for item in fields(kind)]
    for key in settings:
        if key not in known:
            raise unknown_name(f"setting of the rule '{name}'", str(key), known)
    rule: Rule = kind(**settings)
    return rule


def rule_to_table(rule: Rule) -> dict[str, object]:
    """The table that `rule_from_table` reads back.

    >>> rule_to_table(Alternating(5))
    {'rule': 'alternating', 'discriminator_steps': 5, 'first': 'discriminator'}
    """
    for name, kind in RULES.items():
        if type(rule) is kind:
            return {"rule": name, **asdict(rule)}  # type: ignore[call-overload]
    raise MisuseError(f"The rule {quoted(repr(rule))} is none of this package's, so it has no table.")


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


def _suffix(item: Memory) -> str:
    return item.name.removeprefix(item.of)


def _at_rest(known: Equilibrium, memory: Sequence[Memory]) -> Equilibrium:
    """A known equilibrium of the game with the values that a rule's memory takes there."""
    values = {symbol(state): sympy.sympify(value, strict=True) for state, value in known.state.items()}
    state = {name.name: value for name, value in values.items()}
    state.update({item.name: sympy.sympify(item.at_rest, strict=True).xreplace(values) for item in memory})
    return Equilibrium(known.name, state, known.condition, known.ties)

"""A straight-line program under construction: how every rule is written, by renaming and never by substituting."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import derivative, symbol
from gan_bifurcation.game import Game
from gan_bifurcation.rules.update import Memory, Update

__all__ = ["STEP", "Direction", "Field", "First", "Order", "Place", "Program", "Turn", "check_order", "turns"]

STEP: Final = 0.1
_MOST_STEPS: Final = 100

Order = Literal["simultaneous", "alternating"]
First = Literal["discriminator", "generator"]
# Where all states stand: a symbol for each.
Place = Mapping[str, sympy.Symbol]
# The states that move in one turn, from the same place.
Turn = tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field as straight-line code: intermediate values under symbols of their own, and each state's direction."""

    assignments: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    directions: Mapping[str, sympy.Expr]


Direction = Callable[["Program", str, Place], sympy.Expr]


class Program:
    """A straight-line program under construction.

    Parameters
    ----------
    game : Game
    parameters : mapping of str to float
        What the rule adds beside the learning rates; `parameter` gives the symbols.
    step : float
        Default of both learning rates.
    """

    def __init__(self, game: Game, parameters: Mapping[str, float] | None = None, step: float = STEP) -> None:
        self.game = game
        self.bounds = game.bounds
        self.field = Field((), game.vector_field())
        self.rate = {state: symbol(player.rate) for player in game.players for state in player.states}
        self.assignments: list[tuple[sympy.Symbol, sympy.Expr]] = []
        self.memory: list[Memory] = []
        taken = {*game.states, *game.parameters, *game.rates}
        # A clash of names goes to the game.
        self._names = {name: f"{name}_rule" if name in taken else name for name in parameters or {}}
        self.parameters = {
            **dict.fromkeys(game.rates, step),
            **{self._names[name]: float(value) for name, value in (parameters or {}).items()},
        }
        self._places: dict[tuple[sympy.Symbol, ...], dict[sympy.Symbol, sympy.Symbol]] = {}

    def parameter(self, name: str) -> sympy.Symbol:
        """The symbol of a parameter of the rule."""
        return symbol(self._names[name])

    @property
    def here(self) -> dict[str, sympy.Symbol]:
        """Where the states are at the start."""
        return {state: symbol(state) for state in self.game.states}

    def named(self, name: str, value: sympy.Expr) -> sympy.Expr:
        """An intermediate value under a symbol of its own, unless it is a number or a symbol already."""
        if value.is_Atom:
            return value
        self.assignments.append((symbol(name), value))
        return symbol(name)

    def remember(self, state: str, suffix: str, at_rest: sympy.Expr, even: bool = False) -> sympy.Symbol:
        """A further state that belongs to one of the game's."""
        self.memory.append(Memory(f"{state}{suffix}", state, at_rest, even))
        return symbol(f"{state}{suffix}")

    def field_at(self, state: str, at: Place) -> sympy.Expr:
        """The direction of one state, with other symbols in the place of states."""
        renamed = {symbol(name): value for name, value in at.items()}
        if self.field.assignments:
            # A place is evaluated once, under symbols that carry its number.
            key = tuple(at[name] for name in self.game.states)
            if key not in self._places:
                local: dict[sympy.Symbol, sympy.Symbol] = {}
                for name, value in self.field.assignments:
                    fresh = symbol(f"{name.name}__{len(self._places)}")
                    self.assignments.append((fresh, value.xreplace({**renamed, **local})))
                    local[name] = fresh
                self._places[key] = local
            renamed = {**renamed, **self._places[key]}
        return self.field.directions[state].xreplace(renamed)

    def jacobian(self, rows: Sequence[str], columns: Sequence[str]) -> dict[tuple[str, str], sympy.Expr]:
        """Derivatives of the game's field that are not zero, taken once in SymPy; rename them to use them elsewhere."""
        field = self.game.vector_field()
        free = {row: field[row].free_symbols for row in rows}
        found = {
            (row, column): derivative(field[row], symbol(column))
            for row in rows
            for column in columns
            if symbol(column) in free[row]
        }
        return {place: value for place, value in found.items() if value != 0}

    def stepped(self, state: str, at: Place) -> sympy.Expr:
        """One explicit step of one state from where it stands in `at`, put back between its bounds."""
        return self.projected(state, at[state] + self.rate[state] * self.field_at(state, at))

    def projected(self, state: str, value: sympy.Expr) -> sympy.Expr:
        """What is left of a new value between the bounds of the state."""
        if state not in self.bounds:
            return value
        low, high = self.bounds[state]
        return sympy.Min(sympy.Max(value, low), high)

    def velocity(self, state: str, at: Place) -> sympy.Expr:
        """The rate of change of a state in a flow: none that would lead out of its bounds."""
        field = self.rate[state] * self.field_at(state, at)
        if state not in self.bounds:
            return field
        low, high = self.bounds[state]
        pushed = symbol(f"{state}__velocity")
        self.assignments.append((pushed, field))
        inside = sympy.Piecewise((sympy.Min(pushed, 0), at[state] >= high), (pushed, True))
        return sympy.Piecewise((sympy.Max(pushed, 0), at[state] <= low), (inside, True))

    def move(
        self, states: Iterable[str], at: Place, tag: str, step: Callable[[str, Place], sympy.Expr] | None = None
    ) -> dict[str, sympy.Symbol]:
        """Step some states at once; the result is where all of them stand, under new symbols."""
        moved = dict(at)
        for state in states:
            value = (step or self.stepped)(state, at)
            moved[state] = symbol(f"{state}__{tag}")
            self.assignments.append((moved[state], value))
        return moved

    def flow(self) -> Update:
        """The flow along the field."""
        here = self.here
        return self.finished("flow", [self.velocity(state, here) for state in self.game.states])

    def run(self, order: Iterable[Turn]) -> Update:
        """The map that steps along the field, turn by turn."""
        at: Place = self.here
        for k, turn in enumerate(order):
            at = self.move(turn, at, str(k + 1))
        return self.finished("map", [at[state] for state in self.game.states])

    def finished(
        self,
        kind: Literal["flow", "map"],
        rhs: Sequence[sympy.Expr],
        memory: Mapping[str, sympy.Expr] | None = None,
        calls: tuple[int, int] = (1, 1),
    ) -> Update:
        """The update, without intermediate values that nothing needs."""
        remembered = [(memory or {})[item.name] for item in self.memory]
        needed = {s for e in (*rhs, *remembered) for s in e.free_symbols}
        kept = []
        for name, value in reversed(self.assignments):
            if name in needed:
                kept.append((name, value))
                needed |= value.free_symbols
        states = (*self.game.states, *(item.name for item in self.memory))
        return Update(
            kind, states, tuple(reversed(kept)), (*rhs, *remembered), self.parameters, tuple(self.memory), calls
        )


def check_order(order: str, first: str, steps: object, known: Sequence[str] = ("simultaneous", "alternating")) -> None:
    """Refuse an order of moves that is none."""
    if order not in known:
        raise unknown_name("order of the players", str(order), known)
    if first not in ("discriminator", "generator"):
        raise unknown_name("player for 'first'", str(first), ("discriminator", "generator"))
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS:
        raise MisuseError(f"discriminator_steps needs a whole number from 1 to {_MOST_STEPS}, but got {steps!r}.")
    if order != "alternating" and steps != 1:
        raise MisuseError(f"{steps} steps of the discriminator need the order 'alternating', but got {order!r}.")


def turns(game: Game, order: str, first: str = "discriminator", steps: int = 1) -> list[Turn]:
    """Who moves when."""
    if order == "simultaneous":
        return [game.states]
    own = [game.discriminator.states] * steps
    return [game.generator.states, *own] if first == "generator" else [*own, game.generator.states]

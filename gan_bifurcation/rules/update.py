"""What a rule makes of a game: a straight-line program, with what it remembers and what it adds to the parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import sympy

from gan_bifurcation.game import Game

__all__ = ["Memory", "Rule", "Update"]


@dataclass(frozen=True)
class Memory:
    """A state that a rule adds.

    Attributes
    ----------
    name : str
        The state's name: that of the game's state with ``_prev``, ``_velocity``, ...
    of : str
        The game's state that it belongs to; empty for one that belongs to the rule itself, such as a counter.
    at_rest : Expr
        Its value at an equilibrium, in the game's states.
    even : bool
        True if a symmetry permutes it but never turns its sign (a mean of squares).
    start : Expr, optional
        Its value at the start of training, if that is another one than at rest.
    """

    name: str
    of: str
    at_rest: sympy.Expr
    even: bool = False
    start: sympy.Expr | None = None


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
        What the rule adds to the game's parameters, with defaults: the learning rates first. Where the game has a name
        already, the rule's parameter gets the suffix ``_rule`` (``beta`` becomes ``beta_rule``).
    memory : tuple of Memory
    gradient_calls : tuple of (int, int)
        How often one application evaluates the discriminator's and the generator's gradient. A product of second
        derivatives with a vector counts as one more, for that is what it costs by automatic differentiation.
    strength : str
        The parameter at whose value 0 the rule follows the game's own field; empty for one that always does.
    """

    kind: Literal["flow", "map"]
    states: tuple[str, ...]
    assignments: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    rhs: tuple[sympy.Expr, ...]
    parameters: Mapping[str, float]
    memory: tuple[Memory, ...] = ()
    gradient_calls: tuple[int, int] = (1, 1)
    strength: str = ""


@runtime_checkable
class Rule(Protocol):
    """An update rule: a frozen value with this method."""

    def assemble(self, game: Game) -> Update:
        """The update of a game under this rule."""
        ...

"""Which expectations of an update are drawn together: games marked for minibatches, and what a rule makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal, cast

import numpy as np
import sympy
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import Mean, NodeTable, derivative, parse, symbol
from gan_bifurcation.game import Game, Player
from gan_bifurcation.lowering import Assignment, build
from gan_bifurcation.rules import Implicit
from gan_bifurcation.system import System
from gan_bifurcation.tape import Tape

__all__ = ["DRAWS", "Draw", "DrawnMean", "Draws", "Sampled", "sampled_masses", "sampled_program", "whole_batch"]

Draws = Literal["terms", "losses", "steps"]
DRAWS: Final = ("terms", "losses", "steps")
_MOST_ROWS: Final = 1_000_000
_KEPT: Final = 16

FloatArray = NDArray[np.float64]


# SymPy ships no types, so its classes count as Any for the type checker.
class DrawnMean(sympy.Expr):  # type: ignore[misc]
    """An expectation together with what it is drawn with: a number, and where the states stand when it is evaluated.

    A rule renames the states in it, so that it still says afterwards at which place of the step it is evaluated: the
    same number at the same place is the same minibatch. Derivatives go inside.
    """

    is_commutative = True
    is_real = True

    def __new__(cls, mean: sympy.Expr, number: Any, *place: sympy.Symbol) -> sympy.Expr:
        # What does not depend on the random variables is no expectation any more.
        return sympy.Expr.__new__(cls, mean, sympy.Integer(number), *place) if isinstance(mean, Mean) else mean

    @property
    def mean(self) -> Mean:
        mean: Mean = self.args[0]
        return mean

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for expectations that are taken over the same rows."""
        return (self.mean.table, *self.args[1:])

    def _eval_derivative(self, variable: sympy.Symbol) -> sympy.Expr:
        return DrawnMean(derivative(self.mean, variable), *self.args[1:])


@dataclass(frozen=True, eq=False)
class Draw:
    """One minibatch of a step: a table, and the expectations that are taken over its rows."""

    table: NodeTable
    means: tuple[DrawnMean, ...]

    @cached_property
    def probabilities(self) -> FloatArray:
        """Of the rows, shape (rows,)."""
        return np.asarray(self.table.weights / self.table.weights.sum())


@dataclass(frozen=True, eq=False)
class Sampled:
    """A system whose expectations are known by the minibatch that they belong to.

    Attributes
    ----------
    system : System
    assignments, rhs
        As the system's, with a `DrawnMean` in the place of each expectation.
    drawn : tuple of Draw
        The independent minibatches of one step.
    """

    system: System
    assignments: tuple[Assignment, ...]
    rhs: tuple[sympy.Expr, ...]
    drawn: tuple[Draw, ...]

    def tape(self, batch: int) -> Tape:
        """The right-hand side and the bounds of the domain with one table of `batch` rows for each minibatch.

        The rows hold nothing but the minibatch's number: whoever runs the tape writes what was drawn over them.
        """
        image: dict[sympy.Expr, sympy.Expr] = {}
        for k, draw in enumerate(self.drawn):
            columns = len(draw.table.columns)
            if batch * (columns + 1) * len(self.drawn) > _MOST_ROWS:
                raise MisuseError(f"Minibatches of {batch} rows are too large; give a 'batch' of fewer rows.")
            rows = NodeTable(
                f"minibatch {k}",
                draw.table.columns,
                np.full((batch, columns), float(k)),
                np.full(batch, draw.table.total_weight / batch),
            )
            image |= {drawn: Mean(drawn.mean.body, rows) for drawn in draw.means}
        names = {name: symbol(name) for name in self.system.tape.inputs}
        names |= {s.name: s for s, _ in self.assignments}
        bounds = [parse(text, names) for text, _ in self.system.domain]
        return build(
            [(s, e.xreplace(image)) for s, e in self.assignments],
            [*(e.xreplace(image) for e in self.rhs), *bounds],
            self.system.tape.inputs,
            self.system.n,
        )


def whole_batch(batch: Any) -> int:
    """A size of a minibatch.

    >>> whole_batch(32)
    32
    """
    if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
        raise MisuseError(f"A minibatch has a whole number of rows from 1 on, but got batch={batch!r}.")
    return int(batch)


def sampled_masses(game: Game, masses: Mapping[str, Sequence[str]]) -> Game:
    """The sampled form of a game whose losses are finite sums: terms are drawn with probabilities like their masses.

    Parameters
    ----------
    game : Game
        Its losses are linear in the masses.
    masses : mapping of str to sequence of str
        For each independent sample a name and the parameters that are the masses of its terms.

    Returns
    -------
    Game
        With the same expectations, so with the same dynamics where nothing is drawn. Probabilities are those of the
        masses' present values; where a mass is given another value later, what is drawn counts more or less.

    Examples
    --------
    >>> from gan_bifurcation.models import kernel_gan
    >>> game = sampled_masses(
    ...     kernel_gan(points=2, q=0.4, p=(0.5, 0.3), true_points=(-1, 1)), {"true": ("p1", "p2")}
    ... )
    >>> [mean.table.weights.tolist() for mean in game.discriminator.loss.atoms(Mean)]
    [[0.625, 0.375]]
    """
    if game.field is not None:
        raise MisuseError(f"'{game.name}' has no losses to draw terms of: it is given by its vector field.")
    tables = {name: _choice(game, name, tuple(names)) for name, names in masses.items()}
    players = []
    for player in game.players:
        loss = player.loss
        for name, parameters in masses.items():
            loss = _drawn_terms(game, cast(Any, loss), tables[name], tuple(parameters))
        players.append(Player(player.states, loss, player.rate))
    return replace(game, discriminator=players[0], generator=players[1])


def _choice(game: Game, name: str, parameters: tuple[str, ...]) -> NodeTable:
    for parameter in parameters:
        if parameter not in game.parameters:
            raise unknown_name(f"mass of '{game.name}'", parameter, tuple(game.parameters))
    values = np.array([game.parameters[parameter] for parameter in parameters])
    if not len(values) or not np.all(values > 0):
        raise MisuseError(f"The masses '{name}' are probabilities and must be positive, but got {values.tolist()}.")
    columns = tuple(symbol(f"{name}_is_{k + 1}") for k in range(len(values)))
    return NodeTable(name, columns, np.eye(len(values)), values / values.sum())


def _drawn_terms(game: Game, loss: sympy.Expr, table: NodeTable, parameters: tuple[str, ...]) -> sympy.Expr:
    masses = [symbol(parameter) for parameter in parameters]
    terms = [derivative(loss, mass) for mass in masses]
    if any(term.has(*masses) for term in terms):
        raise MisuseError(
            f"A loss of '{game.name}' is not linear in {', '.join(parameters)}, so its terms cannot be drawn."
        )
    rest = loss.xreplace(dict.fromkeys(masses, sympy.S.Zero))
    chosen = [
        column * mass / sympy.Float(weight) * term
        for column, mass, weight, term in zip(table.columns, masses, table.weights.tolist(), terms, strict=True)
    ]
    return rest + Mean(sympy.Add(*chosen), table) if any(term != 0 for term in terms) else rest


_programs: dict[tuple[Any, ...], "Sampled"] = {}


def sampled_program(system: System, draws: Draws = "terms") -> Sampled:
    """What an update rule makes of a game whose expectations are marked by the minibatch that they belong to.

    Parameters
    ----------
    system : System
        Made from a game and a rule; rates may be tied.
    draws : "terms", "losses" or "steps"
        What has a minibatch of its own at each place where a step evaluates gradients: each term of each player's loss
        (real and generated points are then drawn independently), each table of each player's loss, or each table.

    Raises
    ------
    MisuseError
        If the system was not made from a game and a rule, or the game's losses are no expectations.
    """
    if draws not in DRAWS:
        raise unknown_name("way to draw minibatches", str(draws), DRAWS)
    # Not the parameters' values: the same program serves a whole window of them.
    key = (system.game, system.rule, system.tape.digest, system.domain, draws)
    if key not in _programs:
        while len(_programs) >= _KEPT:
            _programs.pop(next(iter(_programs)))
        _programs[key] = _program(system, draws)
    return _programs[key]


def _program(system: System, draws: Draws) -> Sampled:
    game, rule = system.game, system.rule
    if game is None or rule is None:
        raise MisuseError(
            f"'{system.name}' was not made from a game and an update rule, so it is not known what it would draw; make "
            "it by gb.system(game, rule)."
        )
    if isinstance(rule, Implicit):
        raise MisuseError(
            "An implicit step solves equations with its own minibatch; minibatches need an explicit rule."
        )
    given = game.field.values() if game.field is not None else [cast(Any, player.loss) for player in game.players]
    if not any(expression.has(Mean) for expression in given):
        raise MisuseError(
            f"The game '{game.name}' has no sampled form: its losses contain no expectation (gb.Mean) to draw "
            "minibatches from; give losses with gb.Mean, or finite sums with gb.sampled_masses."
        )
    plain, marked = rule.assemble(game), rule.assemble(_marked(game, draws))
    ties = len(system.assignments) - len(plain.assignments)
    if system.rhs_expressions != tuple(plain.rhs) or system.assignments[max(ties, 0) :] != tuple(plain.assignments):
        raise MisuseError(
            f"'{system.name}' is no longer the system that its rule makes of its game (it was restricted), and "
            "minibatches do not stay in a subspace; use the full system."
        )
    assignments = system.assignments[:ties] + tuple(marked.assignments)
    grouped: dict[tuple[Any, ...], list[DrawnMean]] = {}
    for mean in _marks([*(e for _, e in assignments), *marked.rhs]):
        grouped.setdefault(mean.key, []).append(mean)
    remembered = {symbol(item.name) for item in marked.memory}
    for key in grouped:
        if remembered.intersection(key[2:]):
            raise MisuseError(
                f"{type(rule).__name__} uses the gradient of the step before once more, which a fresh minibatch would "
                "not repeat; minibatches need a rule that draws in each step what it uses, such as gb.Alternating()."
            )
        if not (key[0].weights >= 0).all():
            raise MisuseError(f"The table '{key[0].name}' has negative weights, which are no probabilities.")
    return Sampled(
        system, assignments, tuple(marked.rhs), tuple(Draw(key[0], tuple(means)) for key, means in grouped.items())
    )


def _marks(expressions: Iterable[sympy.Basic]) -> list[DrawnMean]:
    found: dict[DrawnMean, None] = {}
    seen: set[sympy.Basic] = set()
    stack = list(expressions)[::-1]
    while stack:
        e = stack.pop()
        if isinstance(e, DrawnMean):
            found[e] = None
        elif e not in seen:
            seen.add(e)
            stack.extend(a for a in e.args if a.args)
    # An order that does not depend on hashes, so that seeds mean the same in every process.
    return sorted(
        found, key=lambda mean: (str(mean.args[1:]), mean.mean.table.digest, sympy.default_sort_key(mean.mean.body))
    )


def _marked(game: Game, draws: Draws) -> Game:
    place = [symbol(state) for state in game.states]
    if game.field is not None:
        # Directions of one player belong together; there is no loss whose terms could be told apart.
        number = {
            state: k if draws != "steps" else 0 for k, player in enumerate(game.players) for state in player.states
        }
        return replace(
            game,
            field={
                state: direction.xreplace(
                    {mean: DrawnMean(mean, number[state], *place) for mean in direction.atoms(Mean)}
                )
                for state, direction in game.field.items()
            },
        )
    players = []
    count = 0
    for k, player in enumerate(game.players):
        loss = cast(Any, player.loss)
        image = {}
        for mean in sorted(loss.atoms(Mean), key=lambda m: (m.table.digest, sympy.default_sort_key(m.body))):
            if draws == "terms":
                parts = []
                for term in _terms(mean.body, mean.table):
                    parts.append(DrawnMean(Mean(term, mean.table), count, *place))
                    count += 1
                image[mean] = sympy.Add(*parts)
            else:
                image[mean] = DrawnMean(mean, k if draws == "losses" else 0, *place)
        players.append(Player(player.states, loss.xreplace(image), player.rate))
    return replace(game, discriminator=players[0], generator=players[1])


def _terms(body: sympy.Expr, table: NodeTable) -> Sequence[sympy.Expr]:
    """The terms of an expectation; the terms of a choice among several, as of `sampled_masses`, belong together."""
    if len(table.columns) > 1 and np.array_equal(table.nodes, np.eye(len(table.weights))):
        return [body]
    factor, rest = body.as_independent(*table.columns, as_Add=False)
    return [factor * term for term in sympy.Add.make_args(rest)]

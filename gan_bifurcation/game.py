"""A game: two players, each with states and a loss that it descends, written once; everything else derives from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property, lru_cache
from typing import Any, Final

import sympy

from gan_bifurcation.errors import MisuseError, few, quoted, unknown_name
from gan_bifurcation.expressions import Mean, NodeTable, derivative, is_smooth, parse, symbol
from gan_bifurcation.facts import (
    DomainBound,
    Ending,
    Equilibrium,
    Field,
    Symmetry,
    as_expression,
    checked_parameters,
    checked_periods,
)

__all__ = ["DomainBound", "Equilibrium", "Game", "Player", "Symmetry"]


@dataclass(frozen=True)
class Player:
    """One player of a game.

    Attributes
    ----------
    states : tuple of str
        What the player moves.
    loss : Expr or None
        What it descends; None for a game whose vector field is given directly.
    rate : str
        The name of its learning rate.
    """

    states: tuple[str, ...]
    loss: sympy.Expr | None
    rate: str

    def __post_init__(self) -> None:
        if isinstance(self.states, str) or not self.states:
            raise MisuseError(f"A player needs a tuple of states, but got {self.states!r}.")
        object.__setattr__(self, "states", tuple(self.states))
        if self.loss is not None:
            object.__setattr__(self, "loss", as_expression(self.loss, "A player's loss"))


_RATES: Final = ("eta_d", "eta_g")


@dataclass(frozen=True, eq=False)
class Game:
    """Two players, their losses, and what is known of them.

    Attributes
    ----------
    name : str
    discriminator, generator : Player
        Their learning rates are ``eta_d`` and ``eta_g``; an update rule makes them parameters of the system.
    parameters : mapping of str to float
        All other parameters, with defaults.
    symmetries : tuple of Symmetry
    domain : tuple of DomainBound
    equilibria : tuple of Equilibrium
    field : mapping of str to Expr, optional
        The direction in which each state moves, for systems that are no gradients; otherwise minus the gradients.
    projection : mapping of str to (str, str)
        Bounds of a state, such as clipped weights, as text in the parameters: ``{"psi": ("-clip", "clip")}``. Under an
        update rule the state is put back between them after each of its own steps; in a flow it does not move outwards
        at a bound.
    periods : mapping of str to float
        States that are angles, with the length of a turn.
    endings : tuple of Ending
        What training may end in that is no success, such as mode collapse.
    paper : str
        Key of the citation in the models' references.
    description : str
        One sentence.
    why_not_smooth : str
        Where the losses have kinks, if they have.

    Examples
    --------
    >>> theta, psi = symbol("theta"), symbol("psi")
    >>> game = Game("bilinear", Player(("psi",), -theta * psi, "eta_d"), Player(("theta",), theta * psi, "eta_g"))
    >>> game.vector_field()
    {'psi': theta, 'theta': -psi}
    """

    name: str
    discriminator: Player
    generator: Player
    parameters: Mapping[str, float] = dataclass_field(default_factory=dict)
    symmetries: tuple[Symmetry, ...] = ()
    domain: tuple[DomainBound, ...] = ()
    equilibria: tuple[Equilibrium, ...] = ()
    field: Field | None = None
    paper: str = ""
    description: str = ""
    why_not_smooth: str = ""
    projection: Mapping[str, tuple[str, str]] = dataclass_field(default_factory=dict)
    periods: Mapping[str, float] = dataclass_field(default_factory=dict)
    endings: tuple[Ending, ...] = ()

    def __repr__(self) -> str:
        players = f"discriminator {few(self.discriminator.states)}, generator {few(self.generator.states)}"
        values = "".join(f", {k}={v:.6g}" for k, v in self.parameters.items())
        return f"<Game '{self.name}': {players}{values}>"

    def __post_init__(self) -> None:
        for name in ("symmetries", "domain", "equilibria", "endings"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_names()
        object.__setattr__(self, "parameters", checked_parameters(self.parameters, f"the game '{self.name}'"))
        self._check_expressions()
        self._check_facts()
        self._check_projection()
        object.__setattr__(self, "periods", checked_periods(self.periods, self.states, f"the game '{self.name}'"))

    @classmethod
    def from_strings(
        cls,
        name: str,
        *,
        discriminator: Mapping[str, Any],
        generator: Mapping[str, Any],
        parameters: Mapping[str, float] | None = None,
        symmetries: Mapping[str, Mapping[str, str]] | None = None,
        domain: Mapping[str, str] | None = None,
        equilibria: Mapping[str, Mapping[str, str]] | None = None,
        projection: Mapping[str, tuple[str, str]] | None = None,
        endings: Mapping[str, str] | None = None,
        random: Sequence[NodeTable] = (),
        paper: str = "",
        description: str = "",
        why_not_smooth: str = "",
    ) -> "Game":
        """A game from text, such as a TOML file holds; the text is parsed safely and never run.

        Parameters
        ----------
        name : str
        discriminator, generator : mapping
            ``states`` (names) and ``loss`` (text). A generator without a loss descends minus the discriminator's. A
            ``rate``, if given, is ``eta_d`` for the discriminator and ``eta_g`` for the generator.
        parameters : mapping of str to float
        symmetries : mapping of str to mapping
            For each name, the image of each state that moves: ``{"half turn": {"x": "-x", "y": "-y"}}``.
        domain : mapping of str to str
            Expressions that are not negative inside, with the reasons.
        equilibria : mapping of str to mapping
            For each name, each state as text in the parameters; a state that is left out is 0. The key ``condition``
            is a text that is not negative where the equilibrium exists.
        projection : mapping of str to (str, str)
            The two bounds of each state that has them, in the parameters.
        random : sequence of NodeTable
            Independent random variables, over which ``mean(...)`` in a loss is taken.
        paper, description, why_not_smooth : str

        Examples
        --------
        >>> game = Game.from_strings(
        ...     "damped",
        ...     discriminator={"states": ["psi"], "loss": "-theta*psi + gamma/2*psi**2"},
        ...     generator={"states": ["theta"], "loss": "theta*psi"},
        ...     parameters={"gamma": 0.3},
        ...     equilibria={"origin": {}},
        ... )
        >>> game.vector_field()["psi"]
        -gamma*psi + theta
        """
        values = checked_parameters(parameters or {}, f"the game {quoted(str(name))}")
        roles = {"discriminator": discriminator, "generator": generator}
        states = {
            role: _states_of(role, table, rate) for (role, table), rate in zip(roles.items(), _RATES, strict=True)
        }
        _check_shared(name, states["discriminator"], states["generator"])
        names = {key: symbol(key) for key in (*states["discriminator"], *states["generator"], *values)}
        if "loss" not in discriminator:
            raise MisuseError(f"The discriminator of '{name}' needs a loss, as text.")
        loss = _loss(name, "discriminator", discriminator["loss"], names, random)
        other = _loss(name, "generator", generator["loss"], names, random) if "loss" in generator else -loss
        constants = {key: symbol(key) for key in values}
        everything = (*states["discriminator"], *states["generator"])
        return cls(
            name,
            Player(states["discriminator"], loss, _RATES[0]),
            Player(states["generator"], other, _RATES[1]),
            values,
            tuple(
                Symmetry(key, {s: _signed(text) for s, text in action.items()})
                for key, action in (symmetries or {}).items()
            ),
            tuple(DomainBound(text, reason) for text, reason in (domain or {}).items()),
            tuple(
                Equilibrium(
                    key,
                    {
                        **dict.fromkeys(everything, sympy.S.Zero),
                        **{s: parse(t, constants) for s, t in at.items() if s != "condition"},
                    },
                    at.get("condition", ""),
                )
                for key, at in (equilibria or {}).items()
            ),
            paper=paper,
            description=description,
            why_not_smooth=why_not_smooth,
            projection=dict(projection or {}),
            endings=tuple(Ending(text, name) for text, name in (endings or {}).items()),
        )

    @classmethod
    def from_field(
        cls,
        name: str,
        *,
        discriminator: Field,
        generator: Field,
        parameters: Mapping[str, float] | None = None,
        **facts: Any,
    ) -> "Game":
        """A game whose players move along given directions that are no gradients of losses.

        Parameters
        ----------
        name : str
        discriminator, generator : mapping of state to Expr
            The direction of each state: minus what would be the gradient.
        parameters : mapping of str to float
        **facts
            symmetries, domain, equilibria, paper, description, why_not_smooth, projection, endings.
        """
        directions = {
            key: as_expression(value, f"The direction of '{key}'")
            for key, value in (*discriminator.items(), *generator.items())
        }
        players = Player(tuple(discriminator), None, _RATES[0]), Player(tuple(generator), None, _RATES[1])
        return cls(name, *players, parameters or {}, field=directions, **facts)

    @property
    def players(self) -> tuple[Player, Player]:
        return self.discriminator, self.generator

    @property
    def states(self) -> tuple[str, ...]:
        """The discriminator's states, then the generator's."""
        return self.discriminator.states + self.generator.states

    @property
    def rates(self) -> tuple[str, str]:
        return self.discriminator.rate, self.generator.rate

    @cached_property
    def smooth(self) -> bool:
        """False if abs, sign, min, max or a choice occurs in a loss or direction, or a state is kept between bounds."""
        return not self.projection and all(is_smooth(expression) for expression in self._given())

    @cached_property
    def bounds(self) -> dict[str, tuple[sympy.Expr, sympy.Expr]]:
        """The lower and upper bound of each state that has bounds, in the parameters."""
        names = {name: symbol(name) for name in self.parameters}
        return {state: (parse(low, names), parse(high, names)) for state, (low, high) in self.projection.items()}

    def gradient(self) -> dict[str, sympy.Expr]:
        """The derivative of each player's own loss by each of its states."""
        return {name: -direction for name, direction in self._field.items()}

    def vector_field(self) -> dict[str, sympy.Expr]:
        """The direction in which each state moves per unit of its player's learning rate: minus the gradient."""
        return dict(self._field)

    @cached_property
    def _field(self) -> dict[str, sympy.Expr]:
        if self.field is not None:
            return {name: self.field[name] for name in self.states}
        field: dict[str, sympy.Expr] = {}
        for player in self.players:
            # Without a field there are losses: the checks have seen to it.
            loss = sympy.S.Zero if player.loss is None else player.loss
            field.update(_descent(loss, player.states))
        return field

    def _given(self) -> list[sympy.Expr]:
        return list(self.field.values()) if self.field is not None else [player.loss for player in self.players]

    def _check_names(self) -> None:
        symbol(self.name)
        names = [*self.states, *self.parameters, *self.rates]
        for name in names:
            symbol(name)
            if "__" in name:
                raise MisuseError(
                    f"The name '{name}' in '{self.name}' contains '__', which update rules use: rename it."
                )
        twice = sorted({name for name in names if names.count(name) > 1})
        if self.rates != _RATES:
            raise MisuseError(
                f"The learning rates of the discriminator and the generator are '{_RATES[0]}' and '{_RATES[1]}', but "
                f"'{self.name}' has '{self.rates[0]}' and '{self.rates[1]}'; update rules know them by these names."
            )
        _check_shared(self.name, self.discriminator.states, self.generator.states)
        if twice:
            hint = (
                "a rate is not listed among the parameters" if twice[0] in self.rates else "every name may occur once"
            )
            raise MisuseError(
                f"The game '{self.name}' uses the name '{twice[0]}' twice, in states, parameters or rates: {hint}."
            )
        if any((player.loss is None) != (self.field is not None) for player in self.players):
            raise MisuseError(f"The game '{self.name}' needs either a loss for each player or a field, and not both.")

    def _check_expressions(self) -> None:
        for role, player in (("discriminator", self.discriminator), ("generator", self.generator)):
            if player.loss is not None:
                self._check_symbols(player.loss, [*self.states, *self.parameters], f"the {role}'s loss")
                if not player.loss.free_symbols.intersection(map(symbol, player.states)):
                    raise MisuseError(
                        f"The {role}'s loss of '{self.name}' depends on none of its own states "
                        f"({', '.join(player.states)}), so that it never moves; exchange the losses, or the states."
                    )
        if self.field is not None:
            if set(self.field) != set(self.states):
                raise MisuseError(
                    f"The field of '{self.name}' must give every state: expected {', '.join(self.states)}."
                )
            for state, direction in self.field.items():
                self._check_symbols(direction, [*self.states, *self.parameters], f"the direction of '{state}'")

    def _check_symbols(self, expression: sympy.Expr, known: Sequence[str], where: str) -> None:
        for used in sorted(expression.free_symbols, key=str):
            if used.name not in known:
                raise unknown_name(f"name in {where} of '{self.name}'", used.name, known)
            if used != symbol(used.name):
                raise MisuseError(
                    f"'{used.name}' in {where} of '{self.name}' is not a real symbol: make it with gb.symbol."
                )
        for mean in expression.atoms(Mean):
            clash = {column.name for column in mean.table.columns}.intersection(
                [*self.states, *self.parameters, *self.rates]
            )
            if clash:
                raise MisuseError(
                    f"The random variable '{min(clash)}' in {where} of '{self.name}' has a name that is taken."
                )

    def _check_facts(self) -> None:
        for symmetry in self.symmetries:
            for state in symmetry.action:
                if state not in self.states:
                    raise unknown_name(f"state in the symmetry '{symmetry.name}' of '{self.name}'", state, self.states)
        names = {name: symbol(name) for name in (*self.states, *self.parameters)}
        for text in (*(bound.expression for bound in self.domain), *(ending.expression for ending in self.endings)):
            parse(text, names)
        for known in self.equilibria:
            for state in known.state:
                if state not in self.states:
                    raise unknown_name(f"state in the equilibrium '{known.name}' of '{self.name}'", state, self.states)
            missing = [state for state in self.states if state not in known.state]
            if missing:
                raise MisuseError(f"The equilibrium '{known.name}' of '{self.name}' lacks the state '{missing[0]}'.")
            for expression in known.state.values():
                value = as_expression(expression, f"The equilibrium '{known.name}'")
                self._check_symbols(value, list(self.parameters), f"the equilibrium '{known.name}'")
            if known.condition:
                parse(known.condition, {name: symbol(name) for name in self.parameters})

    def _check_projection(self) -> None:
        for state, pair in self.projection.items():
            if state not in self.states:
                raise unknown_name(f"state in the projection of '{self.name}'", state, self.states)
            if isinstance(pair, str) or len(pair) != 2:
                raise MisuseError(
                    f"The projection of '{state}' in '{self.name}' needs two bounds as text, such as "
                    f"('-clip', 'clip'), but got {quoted(repr(pair))}."
                )
        object.__setattr__(self, "projection", {state: (low, high) for state, (low, high) in self.projection.items()})
        values = {symbol(name): sympy.Float(value) for name, value in self.parameters.items()}
        for state, (low, high) in self.bounds.items():
            if not low.xreplace(values) < high.xreplace(values):
                raise MisuseError(
                    f"The bounds of '{state}' in '{self.name}' must be in order, but got "
                    f"{' and '.join(self.projection[state])}, which is not at the default parameters."
                )
        if self.projection and not self.why_not_smooth:
            object.__setattr__(self, "why_not_smooth", f"{', '.join(self.projection)}: kept between two bounds")


def _check_shared(game: str, first: Sequence[str], second: Sequence[str]) -> None:
    for state in first:
        if state in second:
            raise MisuseError(
                f"The game {quoted(str(game))} uses the name {quoted(state)} twice: both players move it, but every "
                "state belongs to one player."
            )


def _loss(
    game: str, role: str, text: Any, names: Mapping[str, sympy.Symbol], random: Sequence[NodeTable]
) -> sympy.Expr:
    try:
        return parse(text, names, random)
    except MisuseError as error:
        raise MisuseError(f"In the {role}'s loss of {quoted(game)}: {error}") from error


def _states_of(role: str, table: Mapping[str, Any], rate: str) -> tuple[str, ...]:
    for key in table:
        if key not in ("states", "loss", "rate"):
            raise unknown_name(f"key of the {role}", key, ("states", "loss", "rate"))
    if table.get("rate", rate) != rate:
        raise MisuseError(
            f"The learning rate of the {role} is '{rate}', but got {quoted(str(table['rate']))}; leave 'rate' out."
        )
    states = table.get("states")
    if not isinstance(states, list | tuple) or not states or not all(isinstance(state, str) for state in states):
        raise MisuseError(f"The {role} needs 'states', a list of names, but got {quoted(repr(states))}.")
    return tuple(states)


def _signed(text: str) -> tuple[int, str]:
    bare = text.strip()
    return (-1, bare[1:].strip()) if bare.startswith("-") else (1, bare)


@lru_cache(maxsize=32)
def _descent(loss: sympy.Expr, states: tuple[str, ...]) -> Field:
    """Minus the gradient of a loss; games that differ in their parameters' values only share it."""
    # Term by term: each of many weights of a discriminator occurs in few of the terms.
    terms = [(term, term.free_symbols) for term in sympy.Add.make_args(-loss)]
    return {
        state.name: sympy.Add(*(derivative(term, state) for term, free in terms if state in free))
        for state in map(symbol, states)
    }

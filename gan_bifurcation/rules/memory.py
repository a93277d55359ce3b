"""Rules that remember: momentum, optimism, Adams and Bashforth's method, Adam. What they remember is more states."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import sympy

from gan_bifurcation.expressions import symbol
from gan_bifurcation.game import Game
from gan_bifurcation.rules.program import First, Order, Place, Program, Turn, check_order, turns
from gan_bifurcation.rules.update import Memory, Update

__all__ = ["Adam", "AdamsBashforth2", "Momentum", "Optimistic"]

_VELOCITY: Final = "_velocity"
_PREVIOUS: Final = "_prev"


@dataclass(frozen=True)
class Momentum:
    """Polyak's heavy ball: a velocity, beta times the last one plus the field, along which the states step.

    Parameters
    ----------
    order : "simultaneous" or "alternating"
    discriminator_steps : int
        Steps of the discriminator, each with its momentum, for each step of the generator.
    first : "discriminator" or "generator"

    Notes
    -----
    ``velocity' = beta velocity + v``, ``z' = z + eta velocity'``. The parameter ``beta`` (0.5) may be negative: on the
    bilinear game alternating steps then converge for eta * strength < 2 (1 + beta), and for no beta >= 0.

    References
    ----------
    Gidel et al. 2019.
    """

    order: Order = "simultaneous"
    discriminator_steps: int = 1
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order(self.order, self.first, self.discriminator_steps)

    def assemble(self, game: Game) -> Update:
        program = Program(game, {"beta": 0.5})
        velocity = {state: program.remember(state, _VELOCITY, sympy.S.Zero) for state in game.states}
        beta = program.parameter("beta")

        def step(state: str, at: Place, tag: str) -> sympy.Expr:
            pushed = symbol(f"{state}__velocity{tag}")
            program.assignments.append((pushed, beta * velocity[state] + program.field_at(state, at)))
            velocity[state] = pushed
            return program.projected(state, at[state] + program.rate[state] * pushed)

        at = _taken(program, turns(game, self.order, self.first, self.discriminator_steps), step)
        memory = {f"{state}{_VELOCITY}": value for state, value in velocity.items()}
        return program.finished("map", [at[s] for s in game.states], memory, (self.discriminator_steps, 1))


@dataclass(frozen=True)
class Optimistic:
    """Optimistic gradient descent-ascent: the field counts twice, less the field of the step before.

    Parameters
    ----------
    order : "simultaneous" or "alternating"
        When alternating, the second player sees the first one's new state, now and in what it remembers.
    first : "discriminator" or "generator"

    Notes
    -----
    ``z' = z + 2 eta v(z) - eta v(z_prev)``: also known as past extragradient. It remembers the last state; an
    implementation keeps the last field instead, so that a step costs one evaluation. With the discriminator first and
    players alternating: ``d' = d + 2 eta_d v(d, g) - eta_d v(d_prev, g_prev)``,
    ``g' = g + 2 eta_g w(d', g) - eta_g w(d, g_prev)``.

    References
    ----------
    Daskalakis et al. 2018.
    """

    order: Order = "simultaneous"
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order(self.order, self.first, 1)

    def assemble(self, game: Game) -> Update:
        program = Program(game)
        here = program.here
        before: dict[str, sympy.Symbol] = {s: program.remember(s, _PREVIOUS, symbol(s)) for s in game.states}
        at: dict[str, sympy.Symbol] = dict(here)
        for turn in turns(game, self.order, self.first):

            def step(state: str, place: Place, last: Place = dict(before)) -> sympy.Expr:  # noqa: B006
                change = 2 * program.field_at(state, place) - program.field_at(state, last)
                return program.projected(state, place[state] + program.rate[state] * change)

            at = program.move(turn, at, "1", step)
            # Who moved in this turn was seen by the next player, one step ago, where it is now.
            before.update({state: here[state] for state in turn})
        memory = {f"{state}{_PREVIOUS}": here[state] for state in game.states}
        return program.finished("map", [at[s] for s in game.states], memory)


@dataclass(frozen=True)
class AdamsBashforth2:
    """Adams and Bashforth's two-step method for the flow: 3/2 of the field less 1/2 of the one before."""

    def assemble(self, game: Game) -> Update:
        program = Program(game)
        here = program.here
        last = {state: program.remember(state, _PREVIOUS, symbol(state)) for state in game.states}
        rhs = []
        for state in game.states:
            change = sympy.Rational(3, 2) * program.field_at(state, here) - program.field_at(state, last) / 2
            rhs.append(program.projected(state, here[state] + program.rate[state] * change))
        return program.finished("map", rhs, {f"{state}{_PREVIOUS}": here[state] for state in game.states})


@dataclass(frozen=True)
class Adam:
    """Adam: steps along a mean of the field, divided by the root of a mean of its square.

    Parameters
    ----------
    order : "simultaneous" or "alternating"
    discriminator_steps : int
    first : "discriminator" or "generator"
    bias_correction : bool
        Whether the means are divided by what they lack in the first steps. The powers of the two betas are then two
        more states per player, which start at 1 and are 0 at rest.

    Notes
    -----
    The means ``*_mean`` and ``*_square`` are states; ``beta_1`` (0.9), ``beta_2`` (0.999) and ``epsilon`` (1e-8) are
    parameters. The step is divided by sqrt(square + epsilon**2) and not by sqrt(square) + epsilon, which has no
    derivative at an equilibrium. There the rate is eta/epsilon: with the usual epsilon no equilibrium of a game
    attracts, and orbits end on small cycles.

    References
    ----------
    Kingma and Ba 2015.
    """

    order: Order = "simultaneous"
    discriminator_steps: int = 1
    first: First = "discriminator"
    bias_correction: bool = False

    def __post_init__(self) -> None:
        check_order(self.order, self.first, self.discriminator_steps)

    def assemble(self, game: Game) -> Update:
        program = Program(game, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8})
        first, second, epsilon = (program.parameter(name) for name in ("beta_1", "beta_2", "epsilon"))
        mean = {state: program.remember(state, "_mean", sympy.S.Zero) for state in game.states}
        square = {state: program.remember(state, "_square", sympy.S.Zero, even=True) for state in game.states}
        players = dict(zip(("discriminator", "generator"), game.players, strict=True))
        role = {state: name for name, player in players.items() for state in player.states}
        power: dict[tuple[str, str], sympy.Symbol] = {}
        if self.bias_correction:
            for name in players:
                for moment in ("mean", "square"):
                    program.memory.append(Memory(f"{name}_{moment}_decay", "", sympy.S.Zero, start=sympy.S.One))
                    power[name, moment] = symbol(f"{name}_{moment}_decay")

        def step(state: str, at: Place, tag: str) -> sympy.Expr:
            field = program.named(f"{state}__field{tag}", program.field_at(state, at))
            for values, beta, seen, word in ((mean, first, field, "mean"), (square, second, field**2, "square")):
                values[state] = program.named(f"{state}__{word}{tag}", beta * values[state] + (1 - beta) * seen)
            along, size = mean[state], square[state]
            if self.bias_correction:
                along = along / (1 - power[role[state], "mean"])
                size = size / (1 - power[role[state], "square"])
            change = along / sympy.sqrt(size + epsilon**2)
            return program.projected(state, at[state] + program.rate[state] * change)

        def count(turn: Turn, tag: str) -> None:
            moving = {role[state] for state in turn}
            for (name, moment), value in list(power.items()):
                if name in moving:
                    beta = first if moment == "mean" else second
                    power[name, moment] = program.named(f"{name}__{moment}{tag}", beta * value)

        at = _taken(program, turns(game, self.order, self.first, self.discriminator_steps), step, count)
        memory: dict[str, sympy.Expr] = {f"{state}_mean": value for state, value in mean.items()}
        memory.update({f"{state}_square": value for state, value in square.items()})
        memory.update({f"{name}_{moment}_decay": value for (name, moment), value in power.items()})
        return program.finished("map", [at[s] for s in game.states], memory, (self.discriminator_steps, 1))


def _taken(
    program: Program,
    order: Iterable[Turn],
    step: Callable[[str, Place, str], sympy.Expr],
    before: Callable[[Turn, str], None] | None = None,
) -> Mapping[str, sympy.Symbol]:
    """Take the turns with a step that keeps memory, whose values get the number of the turn as a tag."""
    at: Place = program.here
    for k, turn in enumerate(order):
        tag = str(k + 1)
        if before is not None:
            before(turn, tag)
        at = program.move(turn, at, tag, lambda state, place, tag=tag: step(state, place, tag))  # type: ignore[misc]
    return at

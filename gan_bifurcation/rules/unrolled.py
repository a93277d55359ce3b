"""Unrolled GANs: the generator steps against what the discriminator would become."""

from dataclasses import dataclass
from typing import Final

import sympy

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import derivative, symbol
from gan_bifurcation.game import Game
from gan_bifurcation.rules.program import First, Order, Place, Program, check_order, turns
from gan_bifurcation.rules.update import Update

__all__ = ["Unrolled"]

_MOST: Final = 100


@dataclass(frozen=True)
class Unrolled:
    """The generator steps against the discriminator after k steps that the discriminator only thinks of.

    Parameters
    ----------
    k : int
        How many steps are unrolled.
    backpropagation : bool
        Whether the generator's gradient goes through the unrolled steps. It needs the generator's loss.
    order : "simultaneous" or "alternating"
        Of the steps that are taken.
    discriminator_steps : int
    first : "discriminator" or "generator"

    Notes
    -----
    The rate of the unrolled steps is the parameter ``eta_u``. On the bilinear game with A = eta * strength,
    simultaneous steps have the matrix [[1 - c k eta_u eta strength**2, -A], [A, 1]], with c = 2 with backpropagation
    and c = 1 without.

    References
    ----------
    Metz et al. 2017.
    """

    k: int = 1
    backpropagation: bool = True
    order: Order = "simultaneous"
    discriminator_steps: int = 1
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order(self.order, self.first, self.discriminator_steps)
        if isinstance(self.k, bool) or not isinstance(self.k, int) or not 1 <= self.k <= _MOST:
            raise MisuseError(f"Unrolled needs a whole number k of steps from 1 to {_MOST}, but got {self.k!r}.")

    def assemble(self, game: Game) -> Update:
        if self.backpropagation and game.generator.loss is None:
            raise MisuseError(
                f"'{game.name}' is given by a field without losses, through which nothing is propagated back: use "
                "Unrolled(backpropagation=False)."
            )
        program = Program(game, {"eta_u": 0.1})
        own, other = game.discriminator.states, game.generator.states
        at: Place = program.here
        for number, turn in enumerate(turns(game, self.order, self.first, self.discriminator_steps)):
            gradient = self._seen(program, at, f"u{number}") if set(other) & set(turn) else {}

            def step(state: str, place: Place, gradient: dict[str, sympy.Expr] = gradient) -> sympy.Expr:
                if state in own:
                    return program.stepped(state, place)
                return program.projected(state, place[state] + program.rate[state] * gradient[state])

            at = program.move(turn, at, str(number + 1), step)
        extra = self.k * (2 if self.backpropagation else 1)
        return program.finished("map", [at[s] for s in game.states], calls=(self.discriminator_steps + extra, 1))

    def _seen(self, program: Program, at: Place, tag: str) -> dict[str, sympy.Expr]:
        """The direction of each of the generator's states against the unrolled discriminator."""
        game = program.game
        own, other = game.discriminator.states, game.generator.states
        inner = program.parameter("eta_u")
        places: list[Place] = [at]
        free: list[dict[str, sympy.Expr]] = []
        for j in range(self.k):
            here = places[-1]
            raw = {
                s: program.named(f"{s}__{tag}raw{j}", here[s] + inner * program.field_at(s, here))
                for s in program.bounds
                if s in own
            }

            def think(state: str, place: Place, raw: dict[str, sympy.Expr] = raw) -> sympy.Expr:
                value = raw.get(state, place[state] + inner * program.field_at(state, place))
                return program.projected(state, value)

            free.append(raw)
            places.append(program.move(own, here, f"{tag}in{j}", think))
        last = places[-1]
        direction = {s: program.field_at(s, last) for s in other}
        if not self.backpropagation:
            return direction
        # The adjoint of the unrolled steps, from the last to the first: minus the loss by the discriminator's states.
        loss = game.generator.loss
        assert loss is not None
        renamed = {symbol(name): value for name, value in last.items()}
        adjoint = {
            s: program.named(f"{s}__{tag}adjoint{self.k}", -derivative(loss, symbol(s)).xreplace(renamed)) for s in own
        }
        by_own, by_other = program.jacobian(own, own), program.jacobian(own, other)
        for j in range(self.k - 1, -1, -1):
            renamed = {symbol(name): value for name, value in places[j].items()}
            for s, value in free[j].items():
                low, high = program.bounds[s]
                inside = sympy.Piecewise((1, (value > low) & (value < high)), (0, True))
                adjoint[s] = program.named(f"{s}__{tag}inside{j}", adjoint[s] * inside)
            for s in other:
                terms = [inner * by_other[i, s].xreplace(renamed) * adjoint[i] for i in own if (i, s) in by_other]
                direction[s] = direction[s] + sympy.Add(*terms)
            adjoint = {
                s: program.named(
                    f"{s}__{tag}adjoint{j}",
                    adjoint[s]
                    + inner
                    * sympy.Add(*(by_own[i, s].xreplace(renamed) * adjoint[i] for i in own if (i, s) in by_own)),
                )
                for s in own
            }
        return direction

"""The flow, simultaneous and alternating gradient steps."""

from dataclasses import dataclass, replace

from gan_bifurcation.game import Game
from gan_bifurcation.rules.program import First, Program, check_order, turns
from gan_bifurcation.rules.update import Update

__all__ = ["Alternating", "Flow", "Simultaneous"]


@dataclass(frozen=True)
class Flow:
    """The continuous limit: the discriminator's states move with eta_d v_d, the generator's with eta_g v_g.

    Both rates are 1 by default. With eta_d = 1, time is counted in units of the discriminator's rate and eta_g is the
    ratio of the rates.
    """

    def assemble(self, game: Game) -> Update:
        return Program(game, step=1.0).flow()


@dataclass(frozen=True)
class Simultaneous:
    """Simultaneous gradient descent-ascent: both players step from the same point.

    Two time scales are two learning rates; ``gb.tie(system, eta_d="5*eta_g")`` keeps their ratio.
    """

    def assemble(self, game: Game) -> Update:
        program = Program(game)
        return program.finished("map", [program.stepped(state, program.here) for state in game.states])


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
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order("alternating", self.first, self.discriminator_steps)

    def assemble(self, game: Game) -> Update:
        update = Program(game).run(turns(game, "alternating", self.first, self.discriminator_steps))
        return replace(update, gradient_calls=(self.discriminator_steps, 1))

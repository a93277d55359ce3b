"""Rules that change the field by its own derivatives: consensus, symplectic adjustment, the modified flow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import sympy

from gan_bifurcation.expressions import symbol
from gan_bifurcation.game import Game
from gan_bifurcation.rules.program import Field, First, Order, Program, check_order, turns
from gan_bifurcation.rules.update import Update

__all__ = ["Consensus", "ModifiedFlow", "SymplecticAdjustment"]

_ORDERS = ("simultaneous", "alternating", "flow")


class _Derived:
    """A field under construction from a game's field v and its Jacobian J, each entry under a symbol of its own."""

    def __init__(self, program: Program) -> None:
        self.states = program.game.states
        self.assignments: list[tuple[sympy.Symbol, sympy.Expr]] = []
        field = program.game.vector_field()
        self.v = {state: self.named(f"{state}__field", field[state]) for state in self.states}
        # Entries by their numbers, for names of states may be joined in more than one way.
        number = {state: k for k, state in enumerate(self.states)}
        self.jacobian = {
            (i, j): self.named(f"{i}__by{number[j]}", value)
            for (i, j), value in program.jacobian(self.states, self.states).items()
        }

    def named(self, name: str, value: sympy.Expr) -> sympy.Expr:
        if value.is_Atom:
            return value
        self.assignments.append((symbol(name), value))
        return symbol(name)

    def times(self, vector: Mapping[str, sympy.Expr], tag: str, transposed: bool = False) -> dict[str, sympy.Expr]:
        """J w, or its transpose with w."""
        terms: dict[str, list[sympy.Expr]] = {state: [] for state in self.states}
        for (i, j), value in self.jacobian.items():
            if transposed:
                terms[j].append(value * vector[i])
            else:
                terms[i].append(value * vector[j])
        return {state: self.named(f"{state}__{tag}", sympy.Add(*parts)) for state, parts in terms.items()}

    def field(self, directions: Mapping[str, sympy.Expr]) -> Field:
        return Field(tuple(self.assignments), dict(directions))


def _moved(program: Program, order: str, first: str, steps: int) -> Update:
    return program.flow() if order == "flow" else program.run(turns(program.game, order, first, steps))


@dataclass(frozen=True)
class Consensus:
    """Consensus optimisation: both players also descend half the squared norm of the whole field.

    Parameters
    ----------
    order : "simultaneous", "alternating" or "flow"
    discriminator_steps : int
    first : "discriminator" or "generator"

    Notes
    -----
    The field v becomes v - consensus * grad |v|**2 / 2 = v - consensus * J^T v; the strength is the parameter
    ``consensus`` (1.0), the gamma of the paper. The derivative is exact: the code published with the paper has a factor
    1/2 at one of its terms, which changes no multiplier at the equilibrium, but where orbits run away.

    References
    ----------
    Mescheder, Nowozin, Geiger: The Numerics of GANs (2017).
    """

    order: Literal["simultaneous", "alternating", "flow"] = "simultaneous"
    discriminator_steps: int = 1
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order(self.order, self.first, self.discriminator_steps, _ORDERS)

    def assemble(self, game: Game) -> Update:
        program = Program(game, {"consensus": 1.0}, step=1.0 if self.order == "flow" else 0.1)
        derived = _Derived(program)
        uphill = derived.times(derived.v, "uphill", transposed=True)
        strength = program.parameter("consensus")
        program.field = derived.field({s: derived.v[s] - strength * uphill[s] for s in game.states})
        update = _moved(program, self.order, self.first, self.discriminator_steps)
        return replace(update, gradient_calls=(2 * self.discriminator_steps, 2), strength=strength.name)


@dataclass(frozen=True)
class SymplecticAdjustment:
    """Symplectic gradient adjustment: the field turned by the antisymmetric part of its Jacobian.

    Parameters
    ----------
    alignment : bool
        Choose the sign of the adjustment by where the field and the gradient of its norm point. That sign jumps: the
        rule is then not smooth.
    order : "simultaneous", "alternating" or "flow"
    discriminator_steps : int
    first : "discriminator" or "generator"

    Notes
    -----
    The field v becomes v + adjustment * (J - J^T)/2 v; ``adjustment`` (1.0) is the lambda of the paper. With alignment
    its sign is that of 0.1 - <v, J^T v> <(J^T - J) v/2, J^T v>/n, for n states, as in the authors' code.

    References
    ----------
    Balduzzi et al. 2018.
    """

    alignment: bool = False
    order: Literal["simultaneous", "alternating", "flow"] = "simultaneous"
    discriminator_steps: int = 1
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order(self.order, self.first, self.discriminator_steps, _ORDERS)

    def assemble(self, game: Game) -> Update:
        program = Program(game, {"adjustment": 1.0}, step=1.0 if self.order == "flow" else 0.1)
        derived = _Derived(program)
        v = derived.v
        along, transposed = derived.times(v, "along"), derived.times(v, "across", transposed=True)
        turned = {
            s: derived.named(f"{s}__turned", (transposed[s] - along[s]) / 2) for s in game.states
        }  # A^T xi for the gradient xi = -v
        name = program.parameter("adjustment").name
        strength: sympy.Expr = symbol(name)
        if self.alignment:
            first = derived.named(f"{game.states[0]}__align1", -sympy.Add(*(v[s] * transposed[s] for s in game.states)))
            second = derived.named(
                f"{game.states[0]}__align2", sympy.Add(*(turned[s] * transposed[s] for s in game.states))
            )
            sign = sympy.Piecewise((1, first * second / len(game.states) + sympy.Rational(1, 10) >= 0), (-1, True))
            strength = derived.named(f"{game.states[0]}__strength", sign * sympy.Abs(strength))
        program.field = derived.field({s: v[s] - strength * turned[s] for s in game.states})
        update = _moved(program, self.order, self.first, self.discriminator_steps)
        return replace(update, gradient_calls=(3 * self.discriminator_steps, 3), strength=name)


@dataclass(frozen=True)
class ModifiedFlow:
    """The flow that gradient steps follow to second order in their size: what is left of them in continuous time.

    Parameters
    ----------
    order : "simultaneous" or "alternating"
        Of the steps that are modelled.
    discriminator_steps : int
    first : "discriminator" or "generator"

    Notes
    -----
    Time is counted in steps. With w the field times the learning rates and w_k the part of it that moves in turn k, the
    flow is ``z' = sum_k w_k + sum_(i<j) J_j w_i - J w/2``: for simultaneous steps w - J w/2. On the bilinear game it
    grows with rate (eta * strength)**2 / 2 for simultaneous steps, and not at all for alternating ones.

    References
    ----------
    Hairer, Lubich, Wanner: Geometric Numerical Integration, IX.1.
    """

    order: Order = "simultaneous"
    discriminator_steps: int = 1
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order(self.order, self.first, self.discriminator_steps)

    def assemble(self, game: Game) -> Update:
        program = Program(game)
        derived = _Derived(program)
        order = turns(game, self.order, self.first, self.discriminator_steps)
        w = {state: program.rate[state] * derived.v[state] for state in game.states}
        moved = dict.fromkeys(game.states, 0)
        change: dict[str, list[sympy.Expr]] = {state: [] for state in game.states}
        count = {state: sum(state in turn for turn in order) for state in game.states}
        halves: dict[tuple[str, str], sympy.Expr] = {}
        for turn in order:
            for i in turn:
                for j in game.states:
                    if moved[j]:
                        halves[i, j] = halves.get((i, j), sympy.S.Zero) + moved[j]
            for i in turn:
                moved[i] += 1
        for (i, j), value in derived.jacobian.items():
            weight = halves.get((i, j), sympy.S.Zero) - sympy.Rational(count[i] * count[j], 2)
            if weight:
                change[i].append(weight * value * w[j])
        # The learning rate of the state itself is multiplied on where the program makes a flow of the field.
        program.field = derived.field({i: count[i] * derived.v[i] + sympy.Add(*change[i]) for i in game.states})
        return program.flow()

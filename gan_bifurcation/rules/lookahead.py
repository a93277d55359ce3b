"""Rules that evaluate the field at places they do not stay at: extragradient, and Runge and Kutta's methods."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.game import Game
from gan_bifurcation.rules.program import First, Order, Place, Program, check_order, turns
from gan_bifurcation.rules.update import Update

__all__ = ["ButcherTable", "Extragradient", "RungeKutta"]


@dataclass(frozen=True)
class Extragradient:
    """Step ahead to see where the field leads, then step from where one was along the field found there.

    Parameters
    ----------
    order : "simultaneous" or "alternating"
        Of the step itself. When alternating, the second player sees the first one's new state instead of the
        state ahead.
    lookahead : "simultaneous" or "alternating"
        Of the step ahead. When alternating, the second player looks ahead against the first one's state ahead.
    first : "discriminator" or "generator"
        Who begins where players alternate.

    Notes
    -----
    With the discriminator first, states d and g, and fields v, w of the two players::

        simultaneous lookahead   d_ = d + eta_d v(d, g)     g_ = g + eta_g w(d, g)
        alternating lookahead    d_ = d + eta_d v(d, g)     g_ = g + eta_g w(d_, g)
        simultaneous order       d' = d + eta_d v(d_, g_)   g' = g + eta_g w(d_, g_)
        alternating order        d' = d + eta_d v(d_, g_)   g' = g + eta_g w(d', g_)

    "Alternating extragradient" is used for more than one of these. On the bilinear game with A = eta * strength they
    converge for A < 1 if both or neither of the two alternate, and for A < 2/sqrt(3) if one of them does.

    References
    ----------
    Korpelevich 1976.
    """

    order: Order = "simultaneous"
    lookahead: Order = "simultaneous"
    first: First = "discriminator"

    def __post_init__(self) -> None:
        check_order(self.order, self.first, 1)
        check_order(self.lookahead, self.first, 1)

    def assemble(self, game: Game) -> Update:
        program = Program(game)
        here = program.here
        ahead: Place = here
        for turn in turns(game, self.lookahead, self.first):
            ahead = program.move(turn, ahead, "half")
        seen = dict(ahead)
        at = dict(here)
        for turn in turns(game, self.order, self.first):

            def step(state: str, _: Place, seen: Place = seen) -> sympy.Expr:
                direction = program.field_at(state, seen)
                return program.projected(state, here[state] + program.rate[state] * direction)

            at = program.move(turn, at, "1", step)
            seen = {**seen, **{state: at[state] for state in turn}}
        return program.finished("map", [at[state] for state in game.states], calls=(2, 2))


@dataclass(frozen=True)
class ButcherTable:
    """An explicit Runge-Kutta method; it checks its own order when it is made.

    Attributes
    ----------
    order : int
    a : tuple of rows of Fraction
        Row s holds the weights of the s earlier stages.
    b : tuple of Fraction
        Weights of the step.
    """

    order: int
    a: tuple[tuple[Fraction, ...], ...]
    b: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        s = range(len(self.b))
        if len(self.a) != len(self.b) or any(len(row) != k for k, row in enumerate(self.a)):
            raise MisuseError("A Butcher table needs one row for each stage, with one weight for each earlier stage.")
        a = [[row[j] if j < len(row) else Fraction(0) for j in s] for row in self.a]
        c = [sum(row, Fraction(0)) for row in a]
        # Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, table II.2.2: the trees to order 4.
        inner = [sum((a[i][j] * c[j] for j in s), Fraction(0)) for i in s]
        conditions = {
            1: [([Fraction(1) for _ in s], Fraction(1))],
            2: [(c, Fraction(1, 2))],
            3: [([x * x for x in c], Fraction(1, 3)), (inner, Fraction(1, 6))],
            4: [
                ([x**3 for x in c], Fraction(1, 4)),
                ([x * y for x, y in zip(c, inner, strict=True)], Fraction(1, 8)),
                ([sum((a[i][j] * c[j] ** 2 for j in s), Fraction(0)) for i in s], Fraction(1, 12)),
                ([sum((a[i][j] * inner[j] for j in s), Fraction(0)) for i in s], Fraction(1, 24)),
            ],
        }
        for order in range(1, self.order + 1):
            for values, expected in conditions[order]:
                got = sum((w * v for w, v in zip(self.b, values, strict=True)), Fraction(0))
                if got != expected:
                    raise MisuseError(
                        f"This Butcher table is not of order {self.order}: a condition of order {order} gives {got}, "
                        f"expected {expected}."
                    )


def _table(order: int, a: str, b: str) -> ButcherTable:
    rows = tuple(tuple(map(Fraction, row.split())) for row in a.split(";"))
    return ButcherTable(order, rows, tuple(map(Fraction, b.split())))


TABLES: Final = {
    2: _table(2, "; 1", "1/2 1/2"),  # Heun
    3: _table(3, "; 1/2; -1 2", "1/6 2/3 1/6"),  # Kutta
    4: _table(4, "; 1/2; 0 1/2; 0 0 1", "1/6 1/3 1/3 1/6"),  # the classical one
}


@dataclass(frozen=True)
class RungeKutta:
    """An explicit Runge-Kutta step of the flow, in which each player's time runs with its learning rate.

    Parameters
    ----------
    order : 2, 3 or 4
        Heun's, Kutta's and the classical method.

    Notes
    -----
    On the bilinear game order 2 converges for no step, order 3 for eta * strength < sqrt(3), order 4 below 2 sqrt(2).
    """

    order: int = 4

    def __post_init__(self) -> None:
        if self.order not in TABLES or isinstance(self.order, bool):
            raise unknown_name("order of a Runge-Kutta method", str(self.order), [str(k) for k in TABLES])

    def assemble(self, game: Game) -> Update:
        table = TABLES[self.order]
        program = Program(game)
        here = program.here
        slopes: list[dict[str, sympy.Expr]] = []

        def combined(state: str, weights: tuple[Fraction, ...]) -> sympy.Expr:
            terms = [sympy.Rational(w) * k[state] for w, k in zip(weights, slopes, strict=True) if w]
            return program.projected(state, here[state] + program.rate[state] * sympy.Add(*terms))

        for s, row in enumerate(table.a):
            at = dict(here)
            if s:
                at = program.move(
                    game.states,
                    here,
                    f"stage{s + 1}",
                    lambda state, _, row=row: combined(state, row),  # type: ignore[misc]
                )
            slopes.append(
                {state: program.named(f"{state}__slope{s + 1}", program.field_at(state, at)) for state in game.states}
            )
        stages = len(table.b)
        return program.finished("map", [combined(state, table.b) for state in game.states], calls=(stages, stages))

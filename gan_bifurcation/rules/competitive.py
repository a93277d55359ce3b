"""Rules that answer to the other player's answer: competitive gradient descent, implicit steps."""

from dataclasses import dataclass

import sympy

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import symbol
from gan_bifurcation.game import Game
from gan_bifurcation.roots import roots, solve_linear
from gan_bifurcation.rules.program import Program
from gan_bifurcation.rules.update import Update

__all__ = ["CompetitiveGradientDescent", "Implicit"]


@dataclass(frozen=True)
class CompetitiveGradientDescent:
    """Both players step to the equilibrium of the bilinear game that is next to where they are.

    Notes
    -----
    ``d' = d + eta_d (v + v_g (g' - g))`` and ``g' = g + eta_g (w + w_d (d' - d))`` for the fields v, w of discriminator
    and generator and their derivatives by the other player's states: linear equations, solved by elimination on the
    side with fewer states. On the bilinear game it is the implicit step.

    References
    ----------
    Schaefer and Anandkumar 2019.
    """

    def assemble(self, game: Game) -> Update:
        program = Program(game)
        here = program.here
        small, large = sorted((player.states for player in game.players), key=len)
        field = {s: program.named(f"{s}__field", program.field_at(s, here)) for s in game.states}
        rate = program.rate
        inward = {
            (i, j): program.named(f"{i}__by{large.index(j)}", rate[i] * value)
            for (i, j), value in program.jacobian(small, large).items()
        }
        outward = {
            (i, j): program.named(f"{i}__by{small.index(j)}", rate[i] * value)
            for (i, j), value in program.jacobian(large, small).items()
        }
        plain = {s: program.named(f"{s}__plain", rate[s] * field[s]) for s in game.states}
        matrix: dict[tuple[int, int], sympy.Expr] = {}
        for i, one in enumerate(small):
            for k, other in enumerate(small):
                terms = [
                    inward[one, s] * outward[s, other] for s in large if (one, s) in inward and (s, other) in outward
                ]
                entry = sympy.Integer(i == k) - sympy.Add(*terms)
                if entry != 0:
                    matrix[i, k] = program.named(f"{one}__matrix{k}", entry)
        right = [
            program.named(
                f"{i}__right", plain[i] + sympy.Add(*(inward[i, s] * plain[s] for s in large if (i, s) in inward))
            )
            for i in small
        ]

        def name(tag: str, value: sympy.Expr) -> sympy.Expr:
            return program.named(f"{small[0]}__solve_{tag}{len(program.assignments)}", value)

        change = dict(zip(small, solve_linear(matrix, right, name), strict=True))
        for s in large:
            answers = [outward[s, j] * change[j] for j in small if (s, j) in outward]
            change[s] = plain[s] + sympy.Add(*answers)
        rhs = [program.projected(s, here[s] + change[s]) for s in game.states]
        # By conjugate gradients: two products for each unknown of the smaller side.
        calls = 1 + len(small)
        return program.finished("map", rhs, calls=(calls, calls))


@dataclass(frozen=True)
class Implicit:
    """The implicit Euler step, also known as the proximal point method: the field is that at the next state.

    Notes
    -----
    ``z' = z + eta v(z')``, solved by Newton's method from z; where it does not converge the next state is not a number
    and the orbit ends there. All derivatives are exact. Its cost is counted as four evaluations of the field and its
    derivatives, what Newton's method usually takes.

    References
    ----------
    Rockafellar 1976.
    """

    def assemble(self, game: Game) -> Update:
        if game.projection:
            raise MisuseError(
                f"The implicit step of '{game.name}' has no derivative where {', '.join(game.projection)} is at a "
                "bound, which Newton's method needs: use an explicit rule for a game with a projection."
            )
        program = Program(game)
        here = program.here
        ahead = {state: symbol(f"{state}__next") for state in game.states}
        residuals = [ahead[s] - here[s] - program.rate[s] * program.field_at(s, ahead) for s in game.states]
        solution = roots([ahead[s] for s in game.states], residuals, [here[s] for s in game.states])
        return program.finished("map", list(solution), calls=(4, 4))

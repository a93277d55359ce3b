"""Update rules: frozen values that turn any game into a flow or a map.

For developers: how a rule is written
-------------------------------------
A rule is a frozen dataclass of plain values with ``assemble(game) -> Update``, and a line in ``tables.RULES``. It sees
a game only through its states, rates, bounds and `Game.vector_field`, and writes a straight-line program (`Program`):
intermediate values get symbols of their own, and the field is evaluated somewhere else by *renaming* its states
(`Program.field_at`), never by substituting expressions, so that no rule makes expressions swell and none is written for
one model. Names with a double underscore are free for intermediates, because no game may use them.

* Extragradient, Runge-Kutta: the field at states ahead, which are intermediate values.
* Optimistic, heavy ball, Adams-Bashforth, Adam: what is remembered is more states, listed in ``Update.memory`` with
  what they are at rest and how they transform.
* Consensus, symplectic adjustment, modified flow: another field, made once of the field and its Jacobian (`Field`), and
  renamed like the game's own.
* Unrolled: the adjoint of the unrolled steps, with the Jacobian's entries renamed to where each step was.
* Competitive: linear equations, solved by elimination in straight-line code.
* Implicit: roots of equations (`gan_bifurcation.roots`), an expression like any other.

Every step of a state goes through `Program.projected`, which puts it back between the game's bounds.
"""

from gan_bifurcation.rules.assembly import system
from gan_bifurcation.rules.basic import Alternating, Flow, Simultaneous
from gan_bifurcation.rules.competitive import CompetitiveGradientDescent, Implicit
from gan_bifurcation.rules.lookahead import ButcherTable, Extragradient, RungeKutta
from gan_bifurcation.rules.memory import Adam, AdamsBashforth2, Momentum, Optimistic
from gan_bifurcation.rules.second_order import Consensus, ModifiedFlow, SymplecticAdjustment
from gan_bifurcation.rules.tables import RULES, rule_from_table, rule_to_table
from gan_bifurcation.rules.unrolled import Unrolled
from gan_bifurcation.rules.update import Memory, Rule, Update

__all__ = [
    "RULES",
    "Adam",
    "AdamsBashforth2",
    "Alternating",
    "ButcherTable",
    "CompetitiveGradientDescent",
    "Consensus",
    "Extragradient",
    "Flow",
    "Implicit",
    "Memory",
    "ModifiedFlow",
    "Momentum",
    "Optimistic",
    "Rule",
    "RungeKutta",
    "Simultaneous",
    "SymplecticAdjustment",
    "Unrolled",
    "Update",
    "rule_from_table",
    "rule_to_table",
    "system",
]

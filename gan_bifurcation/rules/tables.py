"""Rules by their names, and as tables such as a study file holds."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from gan_bifurcation.errors import MisuseError, quoted, unknown_name
from gan_bifurcation.rules.basic import Alternating, Flow, Simultaneous
from gan_bifurcation.rules.competitive import CompetitiveGradientDescent, Implicit
from gan_bifurcation.rules.lookahead import Extragradient, RungeKutta
from gan_bifurcation.rules.memory import Adam, AdamsBashforth2, Momentum, Optimistic
from gan_bifurcation.rules.second_order import Consensus, ModifiedFlow, SymplecticAdjustment
from gan_bifurcation.rules.unrolled import Unrolled
from gan_bifurcation.rules.update import Rule

__all__ = ["RULES", "rule_from_table", "rule_to_table"]

RULES: Final[Mapping[str, type[Any]]] = {
    "flow": Flow,
    "simultaneous": Simultaneous,
    "alternating": Alternating,
    "extragradient": Extragradient,
    "optimistic": Optimistic,
    "momentum": Momentum,
    "consensus": Consensus,
    "symplectic_adjustment": SymplecticAdjustment,
    "competitive": CompetitiveGradientDescent,
    "implicit": Implicit,
    "unrolled": Unrolled,
    "adam": Adam,
    "runge_kutta": RungeKutta,
    "adams_bashforth_2": AdamsBashforth2,
    "modified_flow": ModifiedFlow,
}


def rule_from_table(table: str | Mapping[str, object]) -> Rule:
    """A rule from its name, or from a table such as a study file holds.

    >>> rule_from_table({"rule": "alternating", "discriminator_steps": 5})
    Alternating(discriminator_steps=5, first='discriminator')
    >>> rule_from_table("simultanous")
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.UnknownNameError: Unknown rule 'simultanous'. Did you mean 'simultaneous'?
    """
    settings = {"rule": table} if isinstance(table, str) else dict(table)
    name = settings.pop("rule", None)
    if not isinstance(name, str):
        raise MisuseError(
            f"A rule is named by the key 'rule', one of {', '.join(RULES)}, but got {quoted(repr(name))}."
        )
    if name not in RULES:
        raise unknown_name("rule", name, RULES)
    kind = RULES[name]
    known = [item.name for item in fields(kind)]
    for key in settings:
        if key not in known:
            raise unknown_name(f"setting of the rule '{name}'", str(key), known)
    rule: Rule = kind(**settings)
    return rule


def rule_to_table(rule: Rule) -> dict[str, object]:
    """The table that `rule_from_table` reads back.

    >>> rule_to_table(Alternating(5))
    {'rule': 'alternating', 'discriminator_steps': 5, 'first': 'discriminator'}
    """
    for name, kind in RULES.items():
        if type(rule) is kind:
            return {"rule": name, **asdict(rule)}  # type: ignore[call-overload]
    raise MisuseError(f"The rule {quoted(repr(rule))} is none of this package's, so it has no table.")

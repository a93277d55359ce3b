"""Which update rule works on which game, found by running them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gan_bifurcation.conformance import check_rule
from gan_bifurcation.errors import GanBifurcationError
from gan_bifurcation.game import Game
from gan_bifurcation.rules import RULES, Rule, rule_from_table, system

__all__ = ["Trial", "compatibility", "compatibility_page", "standard_rules"]

_VARIANTS: Final[Mapping[str, Mapping[str, object]]] = {
    **{name: {"rule": name} for name in RULES},
    "unrolled, no backpropagation": {"rule": "unrolled", "backpropagation": False},
    "symplectic adjustment, aligned": {"rule": "symplectic_adjustment", "alignment": True},
}


@dataclass(frozen=True)
class Trial:
    """A rule tried on a game.

    Attributes
    ----------
    game, rule : str
    states, operations : int
        Size of the system; 0 if there is none.
    smooth : bool
        False if derivatives jump somewhere, so that normal forms hold only between the kinks.
    reason : str
        Why it does not work; empty if it does.
    """

    game: str
    rule: str
    states: int
    operations: int
    smooth: bool
    reason: str = ""

    @property
    def works(self) -> bool:
        return not self.reason


def standard_rules() -> dict[str, Rule]:
    """Every rule with its default settings, and the variants that may work where these do not."""
    return {name.replace("_", " "): rule_from_table(table) for name, table in _VARIANTS.items()}


def compatibility(
    games: Mapping[str, Callable[[], Game]], rules: Mapping[str, Rule] | None = None, largest: int = 12
) -> list[Trial]:
    """Make every system and check it.

    Parameters
    ----------
    games : mapping of str to callable
        Makes a game each.
    rules : mapping of str to Rule, optional
        `standard_rules` by default.
    largest : int
        Systems with more states are made and evaluated at an equilibrium, but not checked against differences.

    Returns
    -------
    list of Trial
        By games, then by rules.
    """
    trials = []
    for name, make in games.items():
        try:
            game = make()
        except GanBifurcationError as error:
            trials += [Trial(name, rule, 0, 0, True, str(error)) for rule in rules or standard_rules()]
            continue
        trials += [_tried(name, game, title, rule, largest) for title, rule in (rules or standard_rules()).items()]
    return trials


def _tried(name: str, game: Game, title: str, rule: Rule, largest: int) -> Trial:
    try:
        made = system(game, rule)
        if made.n <= largest:
            check_rule(rule, game, scale=0.05)
        else:
            made.jacobian(made.state_vector([0.1] * made.n))
    except GanBifurcationError as error:
        return Trial(name, title, 0, 0, game.smooth, str(error))
    return Trial(name, title, made.n, made.tape.operations, made.smooth)


def compatibility_page(trials: Sequence[Trial]) -> str:
    """The trials as a page in Markdown: a table of games and rules, and the exceptions with their reasons."""
    rules = list(dict.fromkeys(trial.rule for trial in trials))
    games = list(dict.fromkeys(trial.game for trial in trials))
    found = {(trial.game, trial.rule): trial for trial in trials}
    lines = [
        "# Which rule works on which game",
        "",
        "Made by running every rule on every model with its default settings (`python docs/make_rules.py`): Jacobians "
        "are held against differences, known equilibria with the rule's memory at rest must stay, symmetries must "
        "hold, and both players must move along their own direction for small rates. Systems of more than 12 states "
        "are made and differentiated only.",
        "",
        "`+` works; `~` works, and has kinks where derivatives jump; a number names the exception below.",
        "",
    ]
    reasons: list[str] = []
    rows = []
    for rule in rules:
        cells = []
        for game in games:
            trial = found[game, rule]
            if trial.reason and trial.reason not in reasons:
                reasons.append(trial.reason)
            cells.append(f"[{reasons.index(trial.reason) + 1}]" if trial.reason else "+" if trial.smooth else "~")
        rows.append(f"| {rule} | " + " | ".join(cells) + " |")
    lines.append("| | " + " | ".join(games) + " |")
    lines.append("|---" * (len(games) + 1) + "|")
    lines += [*rows, "", "Exceptions:" if reasons else "There are no exceptions.", ""]
    lines += [f"{k + 1}. {reason}" for k, reason in enumerate(reasons)]
    return "\n".join(lines).rstrip() + "\n"

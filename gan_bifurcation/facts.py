"""What is known of a game: its symmetries, where it means something, and its equilibria."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sympy

from gan_bifurcation.errors import MisuseError, quoted, unknown_name
from gan_bifurcation.expressions import parse, symbol

__all__ = ["DomainBound", "Ending", "Equilibrium", "Field", "Symmetry", "as_expression", "checked_parameters"]

Field = Mapping[str, sympy.Expr]


@dataclass(frozen=True)
class Symmetry:
    """A signed permutation g of the states that the dynamics commutes with.

    Attributes
    ----------
    name : str
    action : mapping of state to (sign, state)
        ``(g z)[state] = sign * z[other]`` for ``action[state] = (sign, other)``; states that are left out stay.
    order : int
        The smallest power that is the identity.

    Examples
    --------
    >>> Symmetry("half turn", {"psi": (-1, "psi"), "theta": (-1, "theta")}).order
    2
    >>> Symmetry("quarter turn", {"x": (-1, "y"), "y": (1, "x")}).order
    4
    """

    name: str
    action: Mapping[str, tuple[int, str]]
    order: int = field(init=False)

    def __post_init__(self) -> None:
        action = {state: (int(sign), str(other)) for state, (sign, other) in self.action.items()}
        if {other for _, other in action.values()} != set(action) or {sign for sign, _ in action.values()} - {1, -1}:
            raise MisuseError(
                f"The symmetry '{self.name}' is no signed permutation: give each state that moves a sign 1 or -1 and "
                "a partner, every partner once."
            )
        object.__setattr__(self, "action", action)
        orders = []
        for state in action:
            sign, other, length = action[state][0], action[state][1], 1
            while other != state:
                sign, other, length = sign * action[other][0], action[other][1], length + 1
            orders.append(length if sign == 1 else 2 * length)
        object.__setattr__(self, "order", math.lcm(*orders))

    def applied(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The image of a state (or of anything that transforms like one)."""
        image = dict(state)
        for name, (sign, other) in self.action.items():
            image[name] = state[other] if sign == 1 else -state[other]
        return image


@dataclass(frozen=True)
class DomainBound:
    """A bound of where a game means something.

    Attributes
    ----------
    expression : str
        In states and parameters, not negative inside the domain.
    reason : str
        What it means to leave the domain there, for the verdict "diverges".
    """

    expression: str
    reason: str


_LONGEST_NAME: Final = 40


@dataclass(frozen=True)
class Ending:
    """What training may end in that is no success, such as mode collapse: a run that ends there stalls.

    Attributes
    ----------
    expression : str
        In states and parameters, positive there.
    name : str
        What it is called: the detail of the verdict.
    """

    expression: str
    name: str

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.strip() and len(self.name) <= _LONGEST_NAME):
            raise MisuseError(
                f"An ending has a name of at most {_LONGEST_NAME} letters, such as 'mode collapse', but got "
                f"{quoted(repr(self.name))}."
            )


@dataclass(frozen=True)
class Equilibrium:
    """A known equilibrium, as a function of the parameters.

    Attributes
    ----------
    name : str
    state : mapping of str to Expr
        Every state of the system, in parameters only.
    condition : str
        An expression in the parameters that is not negative where the equilibrium exists; empty if it always does.
    ties : mapping of Symbol to Expr
        Parameters that a derived system expresses by others, in the order in which they were tied.
    """

    name: str
    state: Field
    condition: str = ""
    ties: Mapping[sympy.Symbol, sympy.Expr] = field(default_factory=dict)

    def holds(self, parameters: Mapping[str, float]) -> bool:
        """Whether the equilibrium exists at these values.

        >>> Equilibrium("pair", {"x": symbol("p")}, "p - 1").holds({"p": 0.5})
        False
        """
        if not self.condition:
            return True
        names = {name: symbol(name) for name in (*parameters, *(tied.name for tied in self.ties))}
        expression = parse(self.condition, names)
        for tied, value in self.ties.items():
            expression = expression.xreplace({tied: value})
        return bool(expression.xreplace({symbol(name): sympy.Float(value) for name, value in parameters.items()}) >= 0)


def checked_parameters(parameters: Mapping[str, Any], owner: str) -> dict[str, float]:
    """Parameter values as floats, refused if one is not a finite number.

    >>> checked_parameters({"sigma": 1}, "the game 'g'")
    {'sigma': 1.0}
    """
    if not isinstance(parameters, Mapping):
        raise MisuseError(f"Parameters are a mapping such as {{'a': 0.1}}, got {type(parameters).__name__}.")
    values: dict[str, float] = {}
    for name, value in parameters.items():
        try:
            number = math.nan if isinstance(value, str | bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise MisuseError(
                f"The parameter '{name}' of {owner} needs a finite number, but got {quoted(repr(value))}."
            )
        values[name] = number
    return values


def as_number(name: str, value: Any) -> float:
    """A number that was given for a state or parameter.

    Raises
    ------
    MisuseError
    """
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise MisuseError(f"'{name}' needs a number, but got {quoted(str(value))}.") from None


def checked_periods(periods: Mapping[str, Any], states: Sequence[str], owner: str) -> dict[str, float]:
    """Lengths of a turn of states that are angles.

    >>> checked_periods({"theta": 6.283}, ("theta", "psi"), "the game 'g'")
    {'theta': 6.283}
    """
    for name in periods:
        if name not in states:
            raise unknown_name(f"state with a period in {owner}", name, states)
    values = checked_parameters(periods, owner)
    for name, value in values.items():
        if value <= 0.0:
            raise MisuseError(f"The period of the angle '{name}' in {owner} is positive, but got {value!r}.")
    return values


def as_expression(value: Any, what: str) -> sympy.Expr:
    """A number or SymPy expression as an expression; text is refused, because SymPy would run it.

    >>> as_expression(2, "The loss")
    2
    """
    try:
        expression = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        got = quoted(repr(value))
        raise MisuseError(f"{what} must be a SymPy expression, but got {got}: text goes through parse.") from None
    if not isinstance(expression, sympy.Expr):
        raise MisuseError(f"{what} must be a SymPy expression, but got a {type(value).__name__}.")
    return expression

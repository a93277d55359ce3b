"""Systems made of a system: with parameters tied to others, iterated, or on what a symmetry keeps."""

from dataclasses import replace
from typing import TYPE_CHECKING

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.system import System

if TYPE_CHECKING:
    from gan_bifurcation.facts import Symmetry


def tie(system: System, **ties: str) -> System:
    """Express parameters by others: ``tie(system, eta_g="eta_d")``, ``tie(system, eta_g="2*eta_d")``.

    Parameters
    ----------
    system : System
    **ties : str
        Parameter to remove = expression in the remaining parameters.

    Returns
    -------
    System

    Examples
    --------
    >>> s = System.from_equations("map", {"x": "a*x + b"}, parameters={"a": 0.5, "b": 1.0})
    >>> tie(s, b="2*a").rhs([1.0]).tolist()
    [1.5]
    """
    for name in ties:
        system.parameter_index(name)
    kept = {k: v for k, v in system.parameters.items() if k not in ties}
    names = {k: symbol(k) for k in kept}
    head = tuple((symbol(name), parse(str(text), names)) for name, text in ties.items())
    known = tuple(
        replace(k, state={s: e.xreplace(dict(head)) for s, e in k.state.items()}, ties={**k.ties, **dict(head)})
        for k in system.known_equilibria
    )
    return replace(system, parameters=kept, assignments=head + system.assignments, known_equilibria=known, _tape=None)


def iterate(system: System, times: int) -> System:
    """The k-th iterate of a map; its fixed points are the map's points of period dividing k.

    Examples
    --------
    >>> s = System.from_equations("map", {"x": "2*x"})
    >>> iterate(s, 3).rhs([1.0]).tolist()
    [8.0]
    """
    if system.kind != "map":
        raise MisuseError(
            f"Only a map can be iterated, got the flow '{system.name}'; use a Poincare map or a step rule."
        )
    if times < 1:
        raise MisuseError(f"A map is iterated at least once, got {times}.")
    return replace(system, iterations=system.iterations * int(times))


def restrict(system: System, symmetry: "Symmetry | str") -> System:
    """The system on the fixed-point subspace of a symmetry (a signed permutation of states), which the dynamics keeps.

    Parameters
    ----------
    system : System
    symmetry : Symmetry or str
        One of the system's own may be given by its name.

    Returns
    -------
    System
        Its states are one representative of every class of states that the symmetry ties together.
    """
    if isinstance(symmetry, str):
        own = {s.name: s for s in system.symmetries}
        if symmetry not in own:
            raise unknown_name(f"symmetry of '{system.name}'", symmetry, own)
        symmetry = own[symmetry]
    value: dict[str, tuple[int, str]] = {}
    for start in system.states:
        if start in value:
            continue
        sign, name, seen = 1, start, {}
        while name not in seen:
            seen[name] = sign
            step, name = symmetry.action.get(name, (1, name))
            sign *= step
        for other, s in seen.items():
            # A state that is carried to minus itself is zero on the subspace.
            value[other] = (0 if sign != seen[name] else s, start)
    kept = tuple(s for s in system.states if value[s][1] == s and value[s][0] != 0)
    if not kept:
        raise MisuseError(
            f"The symmetry '{symmetry.name}' fixes only the origin, so there is no subspace to restrict to."
        )
    image = {symbol(s): sign * symbol(rep) for s, (sign, rep) in value.items() if s not in kept}
    rhs = tuple(e for s, e in zip(system.states, system.rhs_expressions, strict=True) if s in kept)
    known = tuple(replace(k, state={s: e for s, e in k.state.items() if s in kept}) for k in system.known_equilibria)
    return replace(
        system, name=f"{system.name} ({symmetry.name})", states=kept,
        assignments=tuple(image.items()) + system.assignments,
        rhs_expressions=rhs, symmetries=(), known_equilibria=known, _tape=None,
    )  # fmt: skip

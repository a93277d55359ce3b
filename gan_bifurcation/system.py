"""Systems: a flow or a map with named states and parameters, given by a tape. Immutable.

A derived system is a system.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import sympy
from numpy.typing import NDArray

from gan_bifurcation import evaluation
from gan_bifurcation.errors import MisuseError, few, quoted, unknown_name
from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.facts import as_number, checked_parameters, checked_periods
from gan_bifurcation.linear_states import find_linear_states
from gan_bifurcation.lowering import Assignment, build
from gan_bifurcation.tape import Tape

if TYPE_CHECKING:
    from gan_bifurcation.game import Game, Symmetry
    from gan_bifurcation.poincare import Section
    from gan_bifurcation.rules import Memory, Rule, Update

FloatArray = NDArray[np.float64]
Kind = Literal["flow", "map"]


@dataclass(frozen=True, eq=False)
class System:
    """A dynamical system x' = f(x, p) (``kind="flow"``) or x -> f(x, p) (``kind="map"``).

    Make one with :func:`gan_bifurcation.system`, :meth:`from_equations`, :meth:`from_function` or
    :meth:`from_pydstool`.

    Attributes
    ----------
    kind : "flow" or "map"
    name : str
    states : tuple of str
    parameters : mapping of str to float
        Current values, in the order of the tape's inputs.
    assignments : tuple of (Symbol, Expr)
        Intermediate values of the right-hand side, evaluated in order.
    rhs_expressions : tuple of Expr
        One per state, in states, parameters and intermediates.
    iterations : int
        The map is iterated this often (1: the map itself).
    domain : tuple of (str, str)
        Inequalities ``expression >= 0`` that hold inside the domain, each with the reason why leaving it matters.
    symmetries, known_equilibria, game, rule, memory
        Provenance, where the system was made from a game; `memory` are the states that the rule adds.
    section : Section or None
        Of a return map made by :func:`gan_bifurcation.poincare`: the section and the flow.
    periods : mapping of str to float
        States that are angles, with the length of a turn: winding orbits oscillate, rather than diverge.
    endings : tuple of (str, str)
        Expressions that are positive where training has ended in something that is no success, each with its name,
        such as mode collapse: a run that ends there stalls, whatever else it does.
    """

    kind: Kind
    name: str
    states: tuple[str, ...]
    parameters: Mapping[str, float]
    assignments: tuple[Assignment, ...]
    rhs_expressions: tuple[sympy.Expr, ...]
    iterations: int = 1
    domain: tuple[tuple[str, str], ...] = ()
    symmetries: "tuple[Symmetry, ...]" = ()
    known_equilibria: tuple[Any, ...] = ()
    description: str = ""
    game: "Game | None" = None
    rule: "Rule | None" = None
    memory: "tuple[Memory, ...]" = ()
    section: "Section | None" = None
    periods: Mapping[str, float] = field(default_factory=dict)
    endings: tuple[tuple[str, str], ...] = ()
    _tape: Tape | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))
        object.__setattr__(self, "periods", checked_periods(self.periods, self.states, f"'{self.name}'"))
        if self.kind not in ("flow", "map"):
            raise MisuseError(f"A system's kind is 'flow' or 'map', got {self.kind!r}.")
        if not self.states:
            raise MisuseError("A system needs at least one state, got none; give its equations.")
        twice = set(self.states) & set(self.parameters)
        if twice or len(set(self.states)) < len(self.states):
            raise MisuseError(
                f"Names must be distinct, but these occur twice: {', '.join(sorted(twice)) or self.states}."
            )
        if len(self.rhs_expressions) != len(self.states):
            raise MisuseError(
                f"Got {len(self.rhs_expressions)} equations for {len(self.states)} states; give one for each state."
            )
        for name, number in self.parameters.items():
            if not np.isfinite(number):
                raise MisuseError(f"Parameter '{name}' is {number}, expected a finite number.")
        if self._tape is None:
            object.__setattr__(
                self,
                "_tape",
                build(self.assignments, self.rhs_expressions, (*self.states, *self.parameters), len(self.states)),
            )

    def __repr__(self) -> str:
        what = self.kind if self.iterations == 1 else f"{self.kind}, {self.iterations} times,"
        values = ", ".join(f"{k}={v:.6g}" for k, v in self.parameters.items())
        return f"<{what} '{self.name}' of {few(self.states)}{' at ' if values else ''}{values}>"

    # -- construction ---------------------------------------------------------------------------------------------

    @classmethod
    def from_equations(
        cls,
        kind: Kind,
        equations: Mapping[str, str],
        parameters: Mapping[str, float] | None = None,
        name: str = "system",
        domain: Sequence[tuple[str, str]] = (),
        periods: Mapping[str, float] | None = None,
    ) -> "System":
        """A system from equations as text, parsed safely (nothing is executed).

        Parameters
        ----------
        kind : "flow" or "map"
        equations : mapping of state to text
            Right-hand sides; the keys are the states.
        parameters : mapping of str to float
        name : str
        domain : sequence of (expression, reason)
            Inside the domain every expression is >= 0.
        periods : mapping of str to float, optional
            States that are angles, with the length of a turn.

        Returns
        -------
        System

        Raises
        ------
        MisuseError
            If the text is not an expression, or uses an unknown name or function.

        Examples
        --------
        >>> henon = System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
        >>> henon.rhs([1.0, 2.0]).tolist()
        [-0.3, 1.0]
        """
        if not isinstance(equations, Mapping):
            raise MisuseError(f"Equations are a mapping such as {{'x': 'a - x**2'}}, got {type(equations).__name__}.")
        parameters = checked_parameters(parameters or {}, f"'{name}'")
        names = {n: symbol(n) for n in (*equations, *parameters)}
        rhs = tuple(parse(text, names) for text in equations.values())
        return cls(kind, name, tuple(equations), parameters, (), rhs, domain=tuple(domain), periods=periods or {})

    @classmethod
    def from_residual(
        cls,
        equations: Mapping[str, str],
        parameters: Mapping[str, float] | None = None,
        name: str = "system",
        domain: Sequence[tuple[str, str]] = (),
    ) -> "System":
        """A map whose next state solves equations, by Newton's method from the present one.

        Parameters
        ----------
        equations : mapping of state to text
            For each state an expression that is zero at the next state; ``x_next`` is the next value of ``x``.
        parameters : mapping of str to float
        name : str
        domain : sequence of (expression, reason)
            As in :meth:`from_equations`.

        Returns
        -------
        System
            Its derivatives of every order are exact. Where Newton's method does not converge, the next state is not a
            number, and an orbit ends there with that reason.

        Examples
        --------
        >>> decay = System.from_residual({"x": "x_next - x + h*x_next"}, parameters={"h": 1.0})
        >>> decay.rhs([1.0]).tolist()
        [0.5]
        """
        from gan_bifurcation.roots import roots

        parameters = dict(parameters or {})
        unknowns = [symbol(f"{state}__next") for state in equations]
        names = {n: symbol(n) for n in (*equations, *parameters)}
        for state, unknown in zip(equations, unknowns, strict=True):
            if f"{state}_next" in names:
                raise MisuseError(f"The name '{state}_next' is the next value of '{state}'; rename the other one.")
            names[f"{state}_next"] = unknown
        residuals = [parse(text, names) for text in equations.values()]
        rhs = roots(unknowns, residuals, [symbol(state) for state in equations])
        return cls("map", name, tuple(equations), parameters, (), rhs, domain=tuple(domain))

    @classmethod
    def from_function(
        cls,
        function: Callable[[Any, Any], Sequence[Any]],
        jacobian: Callable[[Any, Any], Any] | None = None,
        *,
        states: Sequence[str],
        parameters: Mapping[str, float] | None = None,
        kind: Kind = "flow",
        name: str | None = None,
    ) -> "System":
        """A system from a Python function, traced once: its derivatives of every order are then exact.

        Parameters
        ----------
        function : callable
            ``function(x, p)`` returns one value per state; ``x`` is an array of the states, ``p`` has the parameters
            as attributes. Operators, NumPy's elementary functions and the functions of :mod:`gan_bifurcation.tracing`
            may be used; a branch on the value of a state cannot be traced.
        jacobian : callable, optional
            ``jacobian(x, p)``, array (n, n). It is not needed; where given, the traced derivative is checked against
            it.
        states : sequence of str
        parameters : mapping of str to float
        kind : "flow" or "map"
        name : str, optional

        Returns
        -------
        System

        Raises
        ------
        MisuseError
            If the function cannot be traced, or its derivative disagrees with `jacobian`.

        Examples
        --------
        >>> import numpy as np
        >>> def pendulum(x, p):
        ...     return [x[1], -np.sin(x[0]) - p.c * x[1]]
        >>> System.from_function(pendulum, states=["angle", "speed"], parameters={"c": 0.1}).rhs([0.0, 1.0]).tolist()
        [1.0, -0.1]
        """
        from gan_bifurcation.tracing import check_jacobian, trace_function

        parameters = dict(parameters or {})
        program, rhs = trace_function(function, tuple(states), tuple(parameters))
        title = name or str(getattr(function, "__name__", "system"))
        system = cls(kind, title, tuple(states), parameters, tuple(program), rhs)
        if jacobian is not None:
            check_jacobian(system, jacobian)
        return system

    @classmethod
    def from_pydstool(cls, generator: Any) -> "System":
        """A system from a PyDSTool Generator (its specifications are parsed, not run)."""
        from gan_bifurcation.interop.pydstool import from_pydstool

        return from_pydstool(generator)

    @classmethod
    def from_update(
        cls,
        update: "Update",
        *,
        parameters: Mapping[str, float],
        name: str,
        domain: Sequence[tuple[str, str]] = (),
        symmetries: "Sequence[Symmetry]" = (),
        known_equilibria: Sequence[Any] = (),
        game: "Game | None" = None,
        rule: "Rule | None" = None,
        description: str = "",
        periods: Mapping[str, float] | None = None,
        endings: Sequence[tuple[str, str]] = (),
    ) -> "System":
        """A system from what an update rule assembled of a game (see :mod:`gan_bifurcation.rules`)."""
        return cls(
            update.kind,
            name,
            tuple(update.states),
            parameters,
            tuple(update.assignments),
            tuple(update.rhs),
            domain=tuple(domain),
            symmetries=tuple(symmetries),
            known_equilibria=tuple(known_equilibria),
            game=game,
            rule=rule,
            memory=tuple(update.memory),
            description=description,
            periods=periods or {},
            endings=tuple(endings),
        )

    def __getstate__(self) -> dict[str, Any]:
        # A mapping proxy does not pickle; what is cached is made again.
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"parameters": dict(self.parameters)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        object.__setattr__(self, "parameters", MappingProxyType(state["parameters"]))

    # -- sizes and vectors ----------------------------------------------------------------------------------------

    @property
    def tape(self) -> Tape:
        """The compiled right-hand side; inputs are the states, then the parameters."""
        assert self._tape is not None
        return self._tape

    @property
    def n(self) -> int:
        """Number of states."""
        return len(self.states)

    @property
    def m(self) -> int:
        """Number of parameters."""
        return len(self.parameters)

    @property
    def smooth(self) -> bool:
        return self.tape.smooth

    @property
    def switching_functions(self) -> tuple[sympy.Expr, ...]:
        """What the right-hand side looks at the sign of (abs, sign, min, max, choices); it has kinks where one is zero.

        >>> System.from_equations("flow", {"x": "y - abs(x)", "y": "-min(x, 1)"}).switching_functions
        (x, x - 1)
        """
        from gan_bifurcation.switching import switching_functions

        return switching_functions(self)

    def parameter_vector(self, **changes: float) -> FloatArray:
        """Parameters in the tape's order, shape (m,)."""
        return np.array([float(changes.get(k, v)) for k, v in self.parameters.items()])

    def state_vector(self, state: Any) -> FloatArray:
        """A state as an array (n,), from a mapping of state names or a sequence.

        What an update rule remembers may be left out: it is then as at the start of training.

        Raises
        ------
        MisuseError
            If names or the length do not fit, or a value is not finite.
        """
        if isinstance(state, Mapping):
            for name in state:
                if name not in self.states:
                    raise unknown_name("state", name, self.states)
            state = self._with_memory(state)
            missing = [s for s in self.states if s not in state]
            if missing:
                raise MisuseError(
                    f"The state lacks a value for {', '.join(missing[:5])}; give all of {', '.join(self.states)}."
                )
            x = np.array([as_number(s, state[s]) for s in self.states])
        else:
            try:
                x = np.array(state, dtype=float).ravel()
            except (TypeError, ValueError, OverflowError):
                raise MisuseError(
                    f"A state is {self.n} numbers ({', '.join(self.states)}), but got {quoted(str(state))}."
                ) from None
        if x.shape != (self.n,):
            raise MisuseError(f"Got a state of {x.size} numbers, expected {self.n}: {', '.join(self.states)}.")
        if not np.all(np.isfinite(x)):
            raise MisuseError(f"The state {x.tolist()} is not finite; give finite numbers.")
        return x

    def _with_memory(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A state with the start of what it lacks of a rule's memory, as far as that is known."""
        full = dict(state)
        if not self.memory:
            return full
        given = {symbol(name): sympy.Float(float(value), 17) for name, value in state.items()}
        for item in self.memory:
            if item.name not in full and item.name in self.states:
                start = sympy.sympify(item.at_rest if item.start is None else item.start).xreplace(given)
                if start.is_number:
                    full[item.name] = float(start)
        return full

    def parameter_index(self, name: str) -> int:
        """Position of a parameter in the parameter vector."""
        names = tuple(self.parameters)
        if name not in names:
            raise unknown_name("parameter", name, names)
        return names.index(name)

    # -- evaluation -----------------------------------------------------------------------------------------------

    def _joint(self, x: Any, p: Any) -> FloatArray:
        return np.concatenate(
            [np.asarray(x, dtype=float), self.parameter_vector() if p is None else np.asarray(p, dtype=float)]
        )

    def rhs(self, x: Any, p: Any = None) -> FloatArray:
        """Right-hand side at a state (n,) and a parameter vector (m,) (default: the system's own)."""
        f = np.empty(self.n)
        evaluation.value(evaluation.make_evaluator(self.tape.data, self.iterations, self.n, 0), self._joint(x, p), f)
        return f

    def jacobian(self, x: Any, p: Any = None) -> FloatArray:
        """Derivative in states and parameters, shape (n, n + m)."""
        f, j = np.empty(self.n), np.empty((self.n, self.n + self.m))
        evaluation.jacobian(
            evaluation.make_evaluator(self.tape.data, self.iterations, self.n, 1), self._joint(x, p), f, j
        )
        return j

    def jet(self, inputs: Any) -> NDArray[Any]:
        """Taylor coefficients of the right-hand side along a curve in the joint space.

        Parameters
        ----------
        inputs : array (n + m, order + 1)
            Taylor coefficients of states and parameters; the first column is the (real) base point.

        Returns
        -------
        array (n, order + 1)
        """
        from gan_bifurcation.jets import jets_of

        real = not np.iscomplexobj(inputs)
        inputs = np.asarray(inputs, dtype=complex)
        data = self.tape.data
        # One compiled version, for complex numbers, serves both.
        slots = np.zeros((self.tape.slots, inputs.shape[1]), dtype=complex)
        slots[: data.n_inputs] = inputs
        slots[data.n_inputs : data.n_inputs + len(data.constants), 0] = data.constants
        for _ in range(self.iterations):
            jets_of(data, slots)
            result = slots[data.outputs].copy()
            slots[: self.n] = result
        return result.real if real else result

    # -- derived systems ------------------------------------------------------------------------------------------

    def with_parameters(self, **values: float) -> "System":
        """The same system at other parameter values.

        Examples
        --------
        >>> s = System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 2.0})
        >>> s.with_parameters(r=3.0).parameters["r"]
        3.0
        """
        for name in values:
            if name not in self.parameters:
                raise unknown_name("parameter", name, tuple(self.parameters))
        changed = {**self.parameters, **{k: as_number(k, v) for k, v in values.items()}}
        if type(self) is not System or not all(math.isfinite(changed[name]) for name in values):
            return replace(self, parameters=changed)
        # Regime maps ask for thousands of these: all else, what is cached included, does not depend on the values and
        # has been checked.
        made = object.__new__(System)
        made.__dict__.update(self.__dict__)
        object.__setattr__(made, "parameters", MappingProxyType(changed))
        return made

    @cached_property
    def linear_states(self) -> tuple[int, ...]:
        """Positions of states w with w+ = c w + b(other states), one c(p) for all.

        Empty where their elimination does not make the spectrum smaller.
        """
        return find_linear_states(self) if self.iterations == 1 else ()

    def equations(self) -> dict[str, sympy.Expr]:
        """Right-hand sides with all intermediates substituted (for printing; of the map itself, not of an iterate)."""
        known: dict[sympy.Basic, sympy.Expr] = {}
        for s, e in self.assignments:
            known[s] = e.xreplace(known)
        return {s: e.xreplace(known) for s, e in zip(self.states, self.rhs_expressions, strict=True)}

    def equilibrium_guess(self) -> FloatArray | None:
        """The first known equilibrium whose condition holds at the current parameters, shape (n,)."""
        values = {symbol(k): v for k, v in self.parameters.items()}
        for known in self.known_equilibria:
            if known.holds(self.parameters):
                expressions = [known.state.get(s, sympy.S.Zero) for s in self.states]
                numbers = {e: float(e.xreplace(values)) for e in set(expressions)}
                return np.array([numbers[e] for e in expressions])
        return None

"""Users' events.

Conditions on the spectrum or on states and parameters, located on branches and continued as curves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.march import Strip
from gan_bifurcation.continuation.problem import Condition, CurveProblem
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.observables import number, observable_tape
from gan_bifurcation.system import System
from gan_bifurcation.tape import Tape


@dataclass(frozen=True)
class Event:
    """A condition that a user wants located on branches, and may continue as a curve in two parameters.

    Make one with :meth:`rate`, :meth:`focus` or :meth:`function`.

    Attributes
    ----------
    name : str
        Becomes the label of the points.
    kind : "rate", "focus" or "function"
    expression : str
        The level (rate) or the function.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> shrink = gb.System.from_equations("map", {"x": "a*x"}, parameters={"a": 0.5})
    >>> slow = gb.Event.rate("0.99")
    >>> branch = gb.trace(gb.point(shrink, {"x": 0.0}), {"a": (0.5, 0.999)}, events=[slow])
    >>> round(branch[slow.name].parameters["a"], 12)
    0.99
    """

    name: str
    kind: Literal["rate", "focus", "function"]
    expression: str = ""
    tape: Tape | None = None

    @staticmethod
    def rate(level: str | float, name: str | None = None) -> "Event":
        """Largest modulus of the multipliers (maps) or largest real part (flows) equal to a level.

        A number or an expression in parameters. Where structural multipliers are at the level all along, as at
        ``"1 - eta_d*lam"`` in a kernel GAN, the event is where another one rises above it: the end of the range in
        which training is as fast as the discriminator forgets.
        """
        return Event(name or f"rate {level}", "rate", str(level))

    @staticmethod
    def focus(name: str = "focus") -> "Event":
        """Two real eigenvalues meet and become a complex pair, or back: a node turns into a focus."""
        return Event(name, "focus")

    @staticmethod
    def function(expression: str, name: str | None = None) -> "Event":
        """A scalar function of states and parameters vanishes, as ``"x1 - 0.5"``."""
        return Event(name or expression, "function", expression)

    def compile(self, system: System) -> "Event":
        """The event with its expression checked against a system and put on a tape.

        Raises
        ------
        MisuseError
            If the expression uses an unknown name, or a rate depends on a state.
        """
        if self.kind == "focus":
            return self
        names = {n: symbol(n) for n in (*system.states, *system.parameters)}
        expression = parse(self.expression, names)
        if self.kind == "rate":
            used = {s.name for s in expression.free_symbols} & set(system.states)
            if used:
                raise MisuseError(
                    f"The rate '{self.expression}' depends on the state '{min(used)}', expected numbers and "
                    "parameters only."
                )
        return replace(self, tape=observable_tape(system, [self.expression]))

    def values(self, problem: CurveProblem, strip: Strip) -> NDArray[np.float64]:
        """The expression at each point of a strip."""
        assert self.tape is not None
        x, q = problem.states(strip.u), problem.parameters(strip.u)
        fixed = problem.system.parameter_vector()
        columns = [problem.system.parameter_index(name) for name in problem.free]
        out = np.empty(len(strip))
        for i in range(len(strip)):
            p = fixed.copy()
            p[columns] = q[i]
            out[i] = number(self.tape, [*x[i], *p])
        return out

    def happened(self, problem: CurveProblem, strip: Strip) -> NDArray[np.int64]:
        """How many times the event happens between consecutive points of a strip, as far as their ends tell."""
        if self.kind == "focus":
            s = strip.spectra
            pairs = np.sum(s.imag > 1e-10 * (1.0 + np.abs(s)), axis=1)
            return np.asarray(np.abs(np.diff(pairs)), dtype=np.int64)
        value = self.along(problem, strip)
        finite = np.isfinite(value[:-1]) & np.isfinite(value[1:])
        return np.asarray(finite & ((value[:-1] > 0) != (value[1:] > 0)), dtype=np.int64)

    def along(self, problem: CurveProblem, strip: Strip) -> NDArray[np.float64]:
        """A function that changes sign where a rate or a function has its value, at each point of a strip."""
        if self.kind == "function":
            return self.values(problem, strip)
        s = strip.spectra
        largest = np.max(s.real if problem.system.kind == "flow" else np.abs(s), axis=1, initial=-np.inf)
        if problem.structural_multiplicity:
            c = strip.structural
            largest = np.maximum(largest, c if problem.system.kind == "flow" else np.abs(c))
        level = self.values(problem, strip)
        above = largest - level
        # A level that structural eigenvalues hold is left where another one rises above it, not at rounding's zeros.
        above[np.abs(above) < 1e-9 * (1.0 + np.abs(level))] = 0.0
        return np.asarray(above)

    def candidates(self, problem: CurveProblem, pair: Strip) -> Iterator[tuple[Condition, complex, str]]:
        """Conditions to try in an interval, most likely first: (condition, eigenvalue guess, level)."""
        is_map = problem.system.kind == "map"
        if self.kind == "function":
            yield "function", complex(np.nan), self.expression
        elif self.kind == "focus":
            for s in pair.spectra:
                for meeting in _closest_pairs(s):
                    yield "focus", complex(meeting), ""
        else:
            level = float(np.mean(self.values(problem, pair)))
            for s in pair.spectra:
                size = np.abs(s) if is_map else s.real
                for i in np.argsort(np.abs(size - level)):
                    z = complex(s[i])
                    if z.imag > 1e-9 * (1.0 + abs(z)):
                        yield "pair", z, self.expression
                    elif z.imag >= 0.0:
                        yield ("minus" if is_map and z.real < 0.0 else "real"), z, self.expression
            if problem.structural_multiplicity:
                yield (
                    ("structural minus" if is_map and pair.structural[0] < 0.0 else "structural"),
                    complex(pair.structural[0]),
                    self.expression,
                )


def _closest_pairs(s: NDArray[Any]) -> list[float]:
    """Means of the two real eigenvalues closest to each other, and real parts of the pair with the smallest imaginary
    part.
    """
    guesses: list[tuple[float, float]] = []
    real = np.sort(s[np.abs(s.imag) <= 1e-10 * (1.0 + np.abs(s))].real)
    guesses += [(float(b - a), float(0.5 * (a + b))) for a, b in pairwise(real)]
    guesses += [(2.0 * float(z.imag), float(z.real)) for z in s if z.imag > 1e-10 * (1.0 + abs(z))]
    return [value for _, value in sorted(guesses)][:3]

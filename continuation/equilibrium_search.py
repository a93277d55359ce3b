"""A search for equilibria: where its starts lie, and what came of them."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.defect import Defect
from gan_bifurcation.continuation.equilibria import (
    damped_newton,
    nullity,
    relative_size,
    settle_linear_states,
)
from gan_bifurcation.continuation.root_search import follow_homotopy, natural_newton, newton_step
from gan_bifurcation.errors import unknown_name
from gan_bifurcation.ranges import as_range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# Beyond this many states a homotopy takes longer than all starts.
_MOST_FOLLOWED: Final = 60
# Newton's method of least norm is slow where it does not converge: so many starts get it as a second try.
_SECOND_TRIES: Final = 6
# A zero where the derivative is larger than usual by this much is one of rounding: exp(80) (1 - u) with u next to 1.
_STEEPEST: Final = 1e12


class Search:
    """A search while it is made: what was found, and what came of the starts."""

    def __init__(self, system: System, box: Mapping[str, Any], seed: int) -> None:
        known = system.equilibrium_guess()
        self.system, self.known, self.rng = system, known, np.random.default_rng(seed)
        self.defect = Defect(system)
        self.centre = np.zeros(system.n) if known is None else known
        self.low, self.high = self.centre - 1.0, self.centre + 1.0
        self.bounded = np.zeros(system.n, dtype=bool)
        for name, pair in box.items():
            if name not in system.states:
                raise unknown_name("state", name, system.states)
            window = as_range(pair)
            i = system.states.index(name)
            self.low[i], self.high[i] = window.low, window.high
            self.bounded[i] = True
        self.found: list[FloatArray] = []
        self.guesses: list[FloatArray] = []
        self.stuck: list[FloatArray] = []
        self.manifolds = self.starts = self.outside = self.elsewhere = self.paths = self.second_tries = 0
        self.usual = np.inf
        self.least, self.largest = np.inf, 0.0
        self.unit = np.ones(system.n)
        self.sized: list[FloatArray] = []

    def keep(self, x: FloatArray) -> None:
        """Take up a zero that is new and inside the box."""
        if not relative_size(self.system, x) < 1e-11:
            return
        j = self.defect.derivative(x)
        if not np.max(np.abs(j)) < _STEEPEST * self.usual:
            return
        free = nullity(self.system, x)
        if not free:
            # Far out on a tail the residual is small and Newton's step is not.
            step = newton_step(self.defect, x)
            if step is None or not np.max(np.abs(step)) <= 1e-5 * max(1e-3, float(np.max(np.abs(x)))):
                return
        width = self.high - self.low
        if np.any(self.bounded & ((x < self.low - 1e-9 * width) | (x > self.high + 1e-9 * width))):
            self.outside += 1
            return
        if any(_alike(x, y) for y in self.found):
            return
        if free:
            self.manifolds += 1
            if self.manifolds > 3:
                return
        self.found.append(x)

    def start(self, guess: FloatArray) -> None:
        """Newton's method from a guess."""
        x = natural_newton(self.system, guess)
        if x is None or not relative_size(self.system, x) < 1e-11:
            self.second_tries += 1
            if self.second_tries > _SECOND_TRIES and not self.manifolds:
                self.stuck.append(guess)
                return
            # Singular directions (manifolds of equilibria) are left where they are by steps of least norm.
            x, _, converged = damped_newton(self.system, guess, iterations=25)
            if not converged:
                self.stuck.append(guess)
                return
        self.keep(x)

    def in_box(self, starts: int) -> None:
        # A Latin hypercube: each of `starts` layers of each state is met once. (scipy.stats takes a second to import.)
        layers = self.rng.permuted(np.tile(np.arange(starts), (self.system.n, 1)), axis=1).T
        places = (layers + self.rng.random((starts, self.system.n))) / starts
        width = self.high - self.low
        self.guesses = [settle_linear_states(self.system, self.low + width * place) for place in places]
        self.starts = len(self.guesses)
        with np.errstate(all="ignore"):
            slopes = [float(np.max(np.abs(self.defect.derivative(guess)))) for guess in self.guesses[:9]]
        slopes = [slope for slope in slopes if 0.0 < slope < np.inf]
        self.usual = float(np.median(slopes)) if slopes else np.inf
        for guess in ([] if self.known is None else [self.known]) + self.guesses:
            self.start(guess)

    def _elsewhere(self, centre: FloatArray, sizes: Any) -> FloatArray:
        self.least, self.largest = min(self.least, float(np.min(sizes))), max(self.largest, float(np.max(sizes)))
        guess = centre + self.rng.uniform(-1.0, 1.0, self.system.n) * sizes
        inside = self.low + (self.high - self.low) * self.rng.random(self.system.n)
        self.elsewhere += 1
        guess = settle_linear_states(self.system, np.where(self.bounded, inside, guess))
        self.start(guess)
        return guess

    def at_sizes_of_first_steps(self, starts: int) -> None:
        """The first steps of Newton's method from the centre tell the units of the states."""
        x, sizes = self.centre, np.zeros(self.system.n)
        with np.errstate(all="ignore"):
            for _ in range(4):
                step = newton_step(self.defect, x)
                if step is None:
                    break
                large = np.abs(step) > 1e-12 * np.max(np.abs(step))
                sizes = np.where((sizes == 0.0) & large, np.abs(step), sizes)
                x = x + step
        if np.max(sizes) > 0.0:
            sizes[sizes == 0.0] = np.exp(np.mean(np.log(sizes[sizes > 0.0])))
            before = len(self.stuck)
            for _ in range(starts):
                self._elsewhere(self.centre, 2.0 * sizes)
            # What is stuck here is the best begin of a homotopy.
            self.stuck = self.stuck[before:] + self.stuck[:before]

    def at_sizes_of_curvature(self, starts: int) -> None:
        """Where the derivative at the centre has changed as much as it was: the unit of each state alone."""
        sizes = np.ones(self.system.n)
        with np.errstate(all="ignore"):
            here = self.defect.derivative(self.centre)
            rows = np.max(np.abs(here), axis=1)
            rows[rows == 0.0] = 1.0
            for i in range(self.system.n):
                for size in 10.0 ** np.arange(-6.0, 6.5, 0.5):
                    there = self.centre.copy()
                    there[i] += size
                    change = np.abs(self.defect.derivative(there) - here) / rows[:, None]
                    if not np.max(change) < 0.3:
                        sizes[i] = size
                        break
        self.unit = sizes
        self.sized = [self._elsewhere(self.centre, 3.0 * sizes) for _ in range(starts)]

    def at_other_sizes(self, starts: int) -> None:
        """Of one size in all states, then of a size of its own in each."""
        for k in range(starts):
            exponents = self.rng.uniform(-4.0, 4.0, self.system.n if k % 2 else 1)
            self._elsewhere(self.centre, 10.0**exponents)

    def around_found(self, starts: int) -> None:
        """Where something was found, its size is that of the states."""
        sizes = np.max(np.abs(self.found), axis=0) if self.found else np.zeros(self.system.n)
        # Less than this is an equilibrium at zero, as Newton's method leaves it.
        if np.max(sizes) > 1e-9 and not self.manifolds:
            sizes = np.where(sizes > 1e-12 * np.max(sizes), sizes, np.max(sizes))
            for _ in range(starts):
                self._elsewhere(np.zeros(self.system.n), 10.0 ** self.rng.uniform(0.0, 1.0) * sizes)

    def deflated(self) -> None:
        if not self.found or self.manifolds:
            return
        sized = Defect(self.system, self.unit)
        for guess in (self.centre, 0.5 * (self.low + self.high), *self.guesses[:4], *self.sized[:4]):
            for _ in range(8):
                x, _, _ = damped_newton(self.system, guess, known=self.found, iterations=40, defect=sized)
                before = len(self.found)
                if np.isfinite(x).all():
                    x, _, converged = damped_newton(self.system, x)
                    if converged:
                        self.keep(x)
                if len(self.found) == before:
                    break

    def along_homotopies(self, paths: int) -> None:
        """From starts that were stuck first; not where every other solution is one of a manifold."""
        if self.manifolds or self.system.n > _MOST_FOLLOWED:
            return
        for guess in [*self.stuck[: paths - paths // 2], *self.guesses][:paths]:
            self.paths += 1
            for forward in (True, False):
                follow_homotopy(self.system, guess, self.keep, forward=forward)

    def result(self) -> tuple[list[FloatArray], str]:
        """What was found, sorted, and a sentence on what was tried."""
        self.found.sort(key=lambda x: [round(float(v), 9) for v in x])
        said = f"{self.starts} starts in the box"
        if self.elsewhere:
            said += f" and {self.elsewhere} of sizes from {self.least:.0e} to {self.largest:.0e}"
        said += f"; {len(self.stuck)} did not converge, {self.outside} led out of it"
        if self.paths:
            said += f"; {self.paths} homotopies"
        parts = [f"{said}; no proof of completeness"]
        if self.manifolds:
            parts.append("equilibria come in a manifold: only representatives are listed")
        return self.found, "; ".join(parts) + "."


def _alike(x: FloatArray, y: FloatArray) -> bool:
    size = max(1e-2, float(np.max(np.abs(x))), float(np.max(np.abs(y))))
    return bool(np.all(np.abs(x - y) <= 1e-6 * np.maximum(np.maximum(np.abs(x), np.abs(y)), min(size, 1.0))))

"""A homoclinic orbit to a hyperbolic saddle as a boundary-value problem on a finite time.

Unknowns are the orbit (orthogonal collocation), the saddle and two parameters. The orbit begins in the linear unstable
subspace of the saddle and ends in the stable one (projection boundary conditions), and an integral phase condition
fixes it in time. The subspaces move with the unknowns; their derivatives, which multiply the small distances of the
ends from the saddle, are left out of Newton's matrix, which costs a linear factor as small as these.

References
----------
Beyn: The numerical computation of connecting orbits in dynamical systems, IMA J. Numer. Anal. 10 (1990), 379-405.
Champneys, Kuznetsov, Sandstede: A numerical toolbox for homoclinic bifurcation analysis, Int. J. Bif. Chaos 6 (1996).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from gan_bifurcation.continuation._cycle_mesh import sample, shares_of
from gan_bifurcation.continuation.collocation import natural_sizes, nodes_of, tables
from gan_bifurcation.evaluation import jacobian, make_evaluator
from gan_bifurcation.profiles import Profile
from gan_bifurcation.ranges import Range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

TOLERANCE: Final = 1e-10
# How close the ends of the orbit are to the saddle, in sizes of the states; the time changes where it is `_SLACK` times
# more or less.
CLOSE: Final = 1e-5
_SLACK: Final = 10.0


@dataclass(frozen=True, eq=False)
class Ends:
    """Bases of the left stable and unstable subspaces of a saddle, and its eigenvalues."""

    stable: FloatArray
    unstable: FloatArray
    eigenvalues: ComplexArray

    @classmethod
    def of(cls, a: FloatArray) -> "Ends":
        _, left, stable = scipy.linalg.schur(a.T, output="real", sort="lhp")
        _, right, unstable = scipy.linalg.schur(a.T, output="real", sort="rhp")
        return cls(left[:, :stable], right[:, :unstable], np.linalg.eigvals(a).astype(complex))

    @property
    def counts(self) -> tuple[int, int]:
        return self.stable.shape[1], self.unstable.shape[1]

    @property
    def leading(self) -> tuple[complex, complex]:
        """The stable and the unstable eigenvalue next to the imaginary axis."""
        z = self.eigenvalues
        down, up = z[z.real < 0.0], z[z.real > 0.0]
        return complex(down[np.argmax(down.real)]), complex(up[np.argmin(up.real)])


class Equations:
    """The equations on a mesh, and the present solution as reference of the phase condition.

    Unknowns are u = (states at the nodes / scale, saddle / scale, parameters in their windows).
    """

    def __init__(
        self, system: System, free: dict[str, Range], profile: Profile, saddle: FloatArray, values: dict[str, float]
    ) -> None:
        self.system, self.free, self.mesh, self.degree = system, free, np.array(profile.mesh), profile.degree
        self.duration, self.n, self.intervals = float(profile.period), system.n, len(profile.mesh) - 1
        self.scale = natural_sizes(profile.states)
        self.nodes = self.intervals * self.degree + 1
        self.size = self.nodes * self.n + self.n + 2
        self.u = np.zeros(self.size)
        self.u[: self.nodes * self.n] = (profile.states / self.scale).ravel()
        self.u[self.nodes * self.n : -2] = saddle / self.scale
        self.u[-2:] = [r.to_unit(values[name]) for name, r in free.items()]
        self.weights = np.full(self.size, 1.0 / self.n)
        self.weights[: self.nodes * self.n] /= self.nodes
        self.weights[-2:] = 1.0
        self._places = [self.n + system.parameter_index(name) for name in free]
        self._evaluator: Any = make_evaluator(system.tape.data, system.iterations, system.n, 1)
        self.d, self.w, self.omega, self.top = tables(self.degree)
        self.counts = self.ends(self.u).counts
        self._pattern()

    def _pattern(self) -> None:
        """Where the entries of the matrix are, in the order in which `residual` and the last row give them."""
        n, m, number, p = self.n, self.degree, self.intervals, self.nodes * self.n
        stable, unstable = self.counts
        self.pieces = (np.arange(number) * m)[:, None] + np.arange(m + 1)
        i, g, r, k, c = np.meshgrid(
            np.arange(number), np.arange(m), np.arange(n), np.arange(m + 1), np.arange(n), indexing="ij"
        )
        first = number * m * n
        saddle, begin, end = np.arange(p, p + n), np.arange(n), np.arange(p - n, p)

        def full(rows: Any, columns: Any) -> tuple[Any, Any]:
            one, two = np.meshgrid(rows, columns, indexing="ij")
            return one.ravel(), two.ravel()

        parts = [
            (((i * m + g) * n + r).ravel(), ((i * m + k) * n + c).ravel()),
            full(np.arange(first), [self.size - 2, self.size - 1]),
            full(first + np.arange(n), saddle),
            full(first + np.arange(n), [self.size - 2, self.size - 1]),
            full([first + n], np.arange(p)),
            full(first + n + 1 + np.arange(stable), begin),
            full(first + n + 1 + np.arange(stable), saddle),
            full(first + n + 1 + stable + np.arange(unstable), end),
            full(first + n + 1 + stable + np.arange(unstable), saddle),
            full([self.size - 1], np.arange(self.size)),
        ]
        rows, columns = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        self.order = np.lexsort((rows, columns))
        self.indices = rows[self.order].astype(np.int32)
        self.indptr = np.searchsorted(columns[self.order], np.arange(self.size + 1)).astype(np.int32)

    # -- what an array of unknowns stands for -------------------------------------------------------------------------

    def values(self, u: FloatArray) -> dict[str, float]:
        return {name: float(r.from_unit(float(q))) for (name, r), q in zip(self.free.items(), u[-2:], strict=True)}

    def saddle(self, u: FloatArray) -> FloatArray:
        return np.asarray(u[self.nodes * self.n : -2] * self.scale)

    def states(self, u: FloatArray) -> FloatArray:
        return np.asarray(u[: self.nodes * self.n].reshape(self.nodes, self.n) * self.scale)

    def profile(self, u: FloatArray) -> Profile:
        return Profile(nodes_of(self.mesh, self.degree), self.states(u), self.duration, mesh=self.mesh)

    def at(self, u: FloatArray) -> System:
        return self.system.with_parameters(**self.values(u))

    def ends(self, u: FloatArray) -> Ends:
        return Ends.of(np.ascontiguousarray(self.at(u).jacobian(self.saddle(u))[:, : self.n]))

    def distances(self, u: FloatArray) -> tuple[float, float]:
        """How far the ends of the orbit are from the saddle, in sizes of the states."""
        x = u[: self.nodes * self.n].reshape(self.nodes, self.n)
        e = u[self.nodes * self.n : -2]
        return float(np.linalg.norm(x[0] - e)), float(np.linalg.norm(x[-1] - e))

    def norm(self, v: FloatArray) -> float:
        return float(np.sqrt(np.sum(self.weights * v * v)))

    # -- equations ----------------------------------------------------------------------------------------------------

    def residual(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Residual (size - 1,) and the entries of its derivative; a LinAlgError if the saddle is none any more."""
        n, m, number = self.n, self.degree, self.intervals
        units = np.array([self._unit(name, value) for name, value in self.values(u).items()])
        x = u[: self.nodes * n].reshape(self.nodes, n)
        pieces = x[self.pieces]
        h = np.diff(self.mesh) * self.duration
        z = np.concatenate([np.zeros(n), self.at(u).parameter_vector()])
        places = (np.einsum("gk,ikc->igc", self.w, pieces) * self.scale).reshape(-1, n)
        f, j = np.empty((len(places) + 1, n)), np.empty((len(places) + 1, n, len(z)))
        for q, place in enumerate([*places, self.saddle(u)]):
            z[:n] = place
            jacobian(self._evaluator, z, f[q], j[q])
        if not np.isfinite(j).all():
            raise np.linalg.LinAlgError("not a number")
        ends = Ends.of(np.ascontiguousarray(j[-1, :, :n]))
        if ends.counts != self.counts or sum(ends.counts) != n:
            raise np.linalg.LinAlgError("the saddle is none any more")
        f /= self.scale
        j /= self.scale[:, None]
        by_state, by_parameter = j[:, :, :n] * self.scale, j[:, :, self._places] * units
        rate = np.repeat(h, m)
        collocation = np.einsum("gk,ikc->igc", self.d, pieces).reshape(-1, n) - rate[:, None] * f[:-1]
        blocks = np.einsum("gk,rc->grkc", self.d, np.eye(n))[None] - np.einsum(
            "i,gk,igrc->igrkc", h, self.w, by_state[:-1].reshape(number, m, n, n)
        )
        e = u[self.nodes * n : -2]
        ws, wu = ends.stable.T * self.scale, ends.unstable.T * self.scale
        ws, wu = (w / np.linalg.norm(w, axis=1)[:, None] for w in (ws, wu))
        phase = self.phase @ (u - self.u)[: self.nodes * n]
        r = np.concatenate([collocation.ravel(), f[-1], [phase], ws @ (x[0] - e), wu @ (x[-1] - e)])
        entries = [blocks, -rate[:, None, None] * by_parameter[:-1], by_state[-1], by_parameter[-1], self.phase]
        return r, np.concatenate([part.ravel() for part in (*entries, ws, -ws, wu, -wu)])

    @property
    def phase(self) -> FloatArray:
        """The row of the phase condition: the orbit less the present one, times the present one's velocity."""
        reference = self.u[: self.nodes * self.n].reshape(self.nodes, self.n)
        velocity = np.einsum("gk,ikc->igc", self.d, reference[self.pieces])
        row = np.zeros((self.nodes, self.n))
        np.add.at(row, self.pieces, np.einsum("g,gk,igc->ikc", self.omega, self.w, velocity))
        return row.ravel()

    def _unit(self, name: str, value: float) -> float:
        r = self.free[name]
        return value * float(np.log(r.high / r.low)) if r.log else r.high - r.low

    def _solver(self, entries: FloatArray, row: FloatArray) -> Any:
        data = np.concatenate([entries, row])[self.order]
        matrix = scipy.sparse.csc_matrix((data, self.indices, self.indptr), shape=(self.size, self.size))
        try:
            # In the order of time the matrix is a band with borders.
            return scipy.sparse.linalg.splu(matrix, permc_spec="NATURAL")
        except RuntimeError as error:
            raise np.linalg.LinAlgError(str(error)) from error

    def newton(self, u: FloatArray, row: FloatArray, target: float, most: int = 14) -> FloatArray | None:
        """Newton's method with one more equation, row . u = target; None where it does not converge.

        Factors serve as long as the corrections fall fast with them.
        """
        before, solver = np.inf, None
        try:
            for _ in range(most):
                r, entries = self.residual(u)
                if solver is None:
                    solver = self._solver(entries, row)
                step = solver.solve(np.append(r, row @ u - target))
                u = u - step
                size = self.norm(step)
                if not size < 10.0:
                    return None
                if size < TOLERANCE or (size < 1e3 * TOLERANCE and size > 0.3 * before):
                    return u
                if size > 0.1 * before:
                    solver = None
                before = size
        except np.linalg.LinAlgError:
            return None
        return None

    def tangent(self, u: FloatArray, row: FloatArray) -> FloatArray:
        """The unit tangent at a solution, on the side of a row."""
        right = np.zeros(self.size)
        right[-1] = 1.0
        t = self._solver(self.residual(u)[1], row).solve(right)
        return np.asarray(t / self.norm(t))

    # -- the time and the mesh ----------------------------------------------------------------------------------------

    def adapted(self, t: FloatArray | None = None) -> "tuple[Equations, FloatArray] | None":
        """The same orbit with other ends or mesh where these serve no more, with a tangent; None if they serve."""
        before, after = self.distances(self.u)
        shares = np.zeros(self.intervals)
        x = np.ascontiguousarray(self.u[: self.nodes * self.n].reshape(self.nodes, self.n))
        uneven = float(shares_of(np.diff(self.mesh), x, self.top, shares))
        fit = all(CLOSE / _SLACK <= d <= CLOSE * _SLACK for d in (before, after))
        if fit and uneven < 2.0:
            return None
        ends = self.ends(self.u)
        down, up = (abs(z.real) for z in ends.leading)
        earlier, later = np.log(max(before, 1e-14) / CLOSE) / up, np.log(max(after, 1e-14) / CLOSE) / down
        if fit:
            earlier = later = 0.0
        keep = 0.2 * self.duration
        earlier, later = max(earlier, -keep), max(later, -keep)
        duration = self.duration + earlier + later
        mesh = self._spread(shares, -earlier, self.duration + later)
        # Times of the new nodes on the clock of the old orbit, whose ends go on along the linear flow.
        fresh = self._retimed(mesh, duration, earlier)
        again = Equations(
            self.system, self.free, Profile(nodes_of(mesh, self.degree), fresh(self.u), duration, mesh=mesh),
            self.saddle(self.u), self.values(self.u),
        )  # fmt: skip
        if t is None:
            return again, np.zeros(again.size)
        moved = np.concatenate([(fresh(t, True) / again.scale).ravel(), self.saddle(t) / again.scale, t[-2:]])
        return again, moved / again.norm(moved)

    def _spread(self, shares: FloatArray, first: float, last: float) -> FloatArray:
        """A mesh between two times of the present clock with an equal part of the error in each interval."""
        times, total = self.mesh * self.duration, np.append(0.0, np.cumsum(shares))
        slopes = shares[[0, -1]] / np.diff(times)[[0, -1]]
        if first < 0.0:
            times, total = np.append(first, times), np.append(slopes[0] * first, total)
        if last > times[-1]:
            total = np.append(total, total[-1] + slopes[1] * (last - times[-1]))
            times = np.append(times, last)
        begin, end = np.interp([first, last], times, total)
        mesh = np.interp(np.linspace(begin, end, self.intervals + 1), total, times)
        mesh = (mesh - first) / (last - first)
        mesh[0], mesh[-1] = 0.0, 1.0
        return np.asarray(mesh)

    def _retimed(self, mesh: FloatArray, duration: float, earlier: float) -> Any:
        times = nodes_of(mesh, self.degree) * duration - earlier
        inside = np.clip(times / self.duration, 0.0, 1.0)
        down, up = (abs(z.real) for z in self.ends(self.u).leading)
        fade = np.exp(np.minimum(times, 0.0) * up) * np.exp(-np.maximum(times - self.duration, 0.0) * down)

        def states(u: FloatArray, _tangent: bool = False) -> FloatArray:
            x = np.ascontiguousarray(u[: self.nodes * self.n].reshape(self.nodes, self.n))
            out = np.zeros((len(times), self.n))
            sample(self.mesh, x, inside, out)
            e = u[self.nodes * self.n : -2]
            return np.asarray((e + (out - e) * fade[:, None]) * self.scale)

        return states

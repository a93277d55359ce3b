"""Invariant circles of a kernel GAN: ``python benchmarks/circles.py``, CPU time per step of the branch.

Simultaneous steps of 26 states (25 Fourier features and one point) at a circle that is given 65 modes (195 nodes).
Beside our step are the same step by a dense Newton iteration on all states and modes (the reference), by the frames
alone (what serves where no states are linear), and what a simulation takes for the rotation number and as many Fourier
modes, which gives stable circles only and neither multipliers nor a tangent. One thread, best of repeats; only ratios
of one run mean anything. Nothing here is a test.
"""

import os
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import gan_bifurcation as gb
from gan_bifurcation.continuation import circle_linear
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem, Direction, Plane
from gan_bifurcation.continuation.circle_orbits import reduced
from gan_bifurcation.continuation.circle_waves import derivative, resampled, shifted
from gan_bifurcation.rotation import spectrum_at

NODES = 195
FEWEST = 131
STEP = 0.005
WINDOW = {"eta_g": gb.Range(0.01, 4.0)}


def best(step: Callable[[], object], repeats: int) -> float:
    """CPU seconds."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        step()
        times.append(time.process_time() - begin)
    return min(times)


def dense(problem: CircleProblem, guess: Circle, plane: Plane) -> np.ndarray:
    """States and scalars of the circle in a plane: Newton's method on all unknowns at once."""
    u, rho, q = resampled(guess.u, FEWEST), guess.rho, guess.q
    size, n = u.shape
    across = None if plane.u is None else resampled(plane.u, size)
    phase = derivative(u)
    for _ in range(9):
        f, a, by_q = problem.evaluate(u, q)
        matrix = np.zeros((size * n + 2, size * n + 2))
        matrix[:-2, :-2] = -np.kron(shifted(np.eye(size), rho), np.eye(n))
        for k in range(size):
            matrix[k * n : k * n + n, k * n : k * n + n] += a[k]
        matrix[:-2, -2], matrix[:-2, -1] = -shifted(derivative(u), rho).ravel(), by_q[:, :, 0].ravel()
        matrix[-2, :-2] = phase.ravel() / size
        matrix[-1, -2:] = plane.s
        here = float(plane.s @ [rho, q[0]])
        if across is not None:
            matrix[-1, :-2] = across.ravel() / size
            here += float(np.sum(across * u)) / size
        step = np.linalg.solve(matrix, np.append((shifted(u, rho) - f).ravel(), [0.0, plane.target - here]))
        u, rho, q = u + step[:-2].reshape(size, n), rho + step[-2], q + step[-1]
        if np.max(np.abs(step)) < 1e-10:
            return np.append(resampled(u, NODES).ravel(), [rho, q[0]])
    raise ArithmeticError


def main() -> None:
    """Print the table."""
    system = gb.system(gb.models.kernel_gan(sigma=0.5), "simultaneous", eta_d=0.5, eta_g=0.1)
    born = gb.trace(gb.point(system), {"eta_g": (0.01, 4)})["NS1"]
    branch = gb.trace(gb.neimark_sacker_to_circles(born), {"eta_g": (0.01, 1.8)}, at=[1.6])
    at = branch["UZ1"]
    assert at.profile is not None
    problem = CircleProblem(at.system, WINDOW, np.ones(26))
    profile = gb.Profile(
        np.arange(NODES) / NODES, resampled(np.array(at.profile.states), NODES), rotation_number=at.rotation_number
    )
    guess = reduced(problem, profile, np.array([WINDOW["eta_g"].to_unit(1.6)]))
    here = problem.newton(guess, Plane(None, np.array([0.0, 1.0]), float(guess.q[0])))
    assert here is not None
    here = problem.settled(here)
    ahead = problem.tangent(here, Direction(np.zeros_like(here.u), np.array([0.0, 1.0])))

    before = problem.newton(*problem.across(here, ahead, -STEP))
    assert before is not None
    before = problem.settled(before)

    def step() -> Circle:
        predicted, plane = problem.across(here, ahead, STEP)
        found = problem.newton(problem.foreseen(before, here, predicted), plane)
        assert found is not None
        found = problem.settled(found)
        problem.multipliers(found)
        problem.tangent(found, ahead)
        return found

    def simulated() -> object:
        orbit = gb.simulate(at.system, at.x, steps=20_000)
        rho = gb.rotation_number(orbit).value
        return spectrum_at(orbit.states, rho, NODES // 3)

    found = step()
    ours = best(step, 12)
    limit = circle_linear._DIRECT
    circle_linear._DIRECT = 0
    by_frames = best(step, 6)
    circle_linear._DIRECT = limit
    begin = time.process_time()
    reference = dense(problem, *problem.across(here, ahead, STEP))
    whole = time.process_time() - begin
    error = np.max(np.abs(np.append(found.u.ravel(), [found.rho, found.q[0]]) - reference))
    runs = best(simulated, 3)
    print(f"a step of 26 states and {NODES // 3} modes: {1e3 * ours:.1f} ms; aim 100 ms")
    for name, value in (("frames alone", by_frames), ("dense Newton", whole), ("simulation", runs)):
        print(f"  {name:<14}{1e3 * value:>9.1f} ms  {value / ours:>7.2f} times as long")
    print(f"  largest difference from the dense solution: {error:.1e}")


if __name__ == "__main__":
    main()

"""Invariant circles: closed forms, an independent dense solver, simulation, resonances, tongues."""

import itertools
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gan_bifurcation as gb
from gan_bifurcation.continuation.circle_leaps import hindrance
from gan_bifurcation.continuation.circle_waves import resampled, shifted
from gan_bifurcation.continuation.farey import between, farey, noble

# In polar coordinates r' = r (1 + a - r^2), phi' = phi + w + b r^2: a circle of radius sqrt(a), on which phi turns by
# w + b a, with the normal multiplier 1 - 2 a. A third state contracts by c and is driven by the square of the radius.
TURN = "w + b*(x**2 + y**2)"
RADIAL = {
    "x": f"(1 + a - x**2 - y**2)*(x*cos({TURN}) - y*sin({TURN}))",
    "y": f"(1 + a - x**2 - y**2)*(x*sin({TURN}) + y*cos({TURN}))",
    "z": "c*z + (x**2 + y**2)/10",
}
HARVEST = {"x": "r*x*(1 - y) + e", "y": "x"}


def radial(**parameters: float) -> gb.System:
    return gb.System.from_equations("map", RADIAL, {"a": -0.1, "b": 0.4, "c": 0.5, "w": 1.3, **parameters})


@pytest.fixture(scope="module")
def circles() -> gb.Branch:
    fixed = gb.trace(gb.point(radial(), [0, 0, 0]), {"a": (-0.2, 0.3)})
    return gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"a": (-0.2, 0.3)}, at=[0.05, 0.2])


def test_a_prescribed_circle(circles: gb.Branch) -> None:
    a = circles.column("a")
    assert circles.outcome[1].code == "window"
    assert a[-1] == pytest.approx(0.3, abs=1e-12)
    assert np.abs(circles.column("rotation_number") - (1.3 + 0.4 * a) / (2 * np.pi)).max() < 1e-12
    assert np.abs(circles.column("max_x") - np.sqrt(a)).max() < 1e-8
    # Extremes by a parabola through three of eight points per node.
    assert np.abs(circles.column("min_y") + np.sqrt(a)).max() < 1e-8
    # z rests at (a/10)/(1 - c).
    assert np.abs(circles.column("max_z") - 0.2 * a).max() < 1e-9
    expected = np.sort(np.column_stack([1 - 2 * a, np.full_like(a, 0.5)]), axis=1)
    assert np.abs(np.sort(circles.spectrum[:, 1:].real, axis=1) - expected).max() < 1e-10
    assert np.all(circles.unstable == 0)
    assert circles.point(3).kind == "circle"
    assert circles.point(3).stable


def test_circles_at_given_values(circles: gb.Branch) -> None:
    wanted = [p for p in circles.special_points if p.label == "UZ"]
    assert [p.parameters["a"] for p in wanted] == pytest.approx([0.05, 0.2], abs=1e-13)
    assert wanted[0].rotation_number == pytest.approx((1.3 + 0.4 * 0.05) / (2 * np.pi), abs=1e-12)


def test_circles_on_disk(circles: gb.Branch, tmp_path: Path) -> None:
    circles.save(tmp_path / "circles")
    again = gb.Branch.load(tmp_path / "circles")
    assert again.curve == "circles"
    for one, two in zip(circles.profiles, again.profiles, strict=True):
        assert np.array_equal(one.states, two.states)
        assert one.rotation_number == two.rotation_number
    uz = [p for p in again.special_points if p.label == "UZ"]
    assert all(p.profile is not None for p in uz)
    # A circle that was read starts a trace.
    more = gb.trace(again.point(len(again) // 2), {"a": (0.0, 0.3)}, max_points=4)
    assert np.abs(more.column("max_x") - np.sqrt(more.column("a"))).max() < 1e-8


def test_two_parameters_at_fixed_rotation_number(circles: gb.Branch) -> None:
    start = circles.point(len(circles) - 4)
    curve = gb.trace(start, {"a": (0.05, 0.3), "w": (1.2, 1.5)})
    # w + b a does not change along it.
    turn = curve.column("w") + 0.4 * curve.column("a")
    assert np.ptp(turn) < 1e-11
    assert np.ptp(curve.column("a")) > 0.2
    assert np.abs(curve.column("max_x") - np.sqrt(curve.column("a"))).max() < 1e-8


def _dense(system: gb.System, u: np.ndarray, rho: float, steps: int = 12) -> tuple[np.ndarray, float]:
    """The circle at fixed parameters by a dense Newton iteration on all nodes: an independent solver."""
    size, n = u.shape
    for _ in range(steps):
        f = np.array([system.rhs(x) for x in u])
        a = np.array([system.jacobian(x)[:, :n] for x in u])
        shift = shifted(np.eye(size), rho)
        along = (shifted(u, 1e-6) - shifted(u, -1e-6)) / 2e-6
        matrix = np.zeros((size * n + 1, size * n + 1))
        for k in range(size):
            matrix[k * n : k * n + n, k * n : k * n + n] = a[k]
        matrix[:-1, :-1] -= np.kron(shift, np.eye(n))
        matrix[:-1, -1] = -shifted(along, rho).ravel()
        matrix[-1, :-1] = along.ravel()
        delta = np.linalg.solve(matrix, np.append((shifted(u, rho) - f).ravel(), 0.0))
        u = u + delta[:-1].reshape(size, n)
        rho += delta[-1]
        if np.abs(delta).max() < 1e-12:
            return u, rho
    raise AssertionError


@pytest.fixture(scope="module")
def harvested() -> gb.Branch:
    system = gb.System.from_equations("map", HARVEST, {"r": 1.9, "e": 0.02})
    fixed = gb.trace(gb.point(system, [0.5, 0.5]), {"r": (1.5, 2.2)})
    return gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"r": (1.5, 2.12)})


def test_against_a_dense_solver(harvested: gb.Branch) -> None:
    for k in (4, len(harvested) // 2):
        point = harvested.point(k)
        assert point.profile is not None
        size = 151
        u, rho = _dense(point.system, resampled(np.array(point.profile.states), size), point.rotation_number)
        assert rho == pytest.approx(point.rotation_number, abs=1e-10)
        assert np.abs(u - resampled(np.array(point.profile.states), size)).max() < 1e-8


def test_error_falls_exponentially_with_the_number_of_modes(harvested: gb.Branch) -> None:
    point = harvested.point(len(harvested) // 2)
    assert point.profile is not None
    modes = np.abs(np.fft.rfft(np.array(point.profile.states), axis=0)).max(axis=1)
    kept = modes[1 : len(modes) // 2]
    slope = np.polyfit(np.arange(1, 1 + len(kept)), np.log(kept), 1)[0]
    assert slope < -0.2
    # What is left out decides the residual between the nodes.
    assert harvested.column("defect").max() < 1e-7


def test_against_simulation(harvested: gb.Branch) -> None:
    k = len(harvested) // 2
    point = harvested.point(k)
    orbit = gb.simulate(point.system, point.x, steps=30_000)
    rotation = gb.rotation_number(orbit)
    assert rotation.value == pytest.approx(point.rotation_number, abs=1e-10)
    # The largest of 30 000 points on a curve lies below its maximum by the square of their distance.
    assert orbit["x"].max() == pytest.approx(harvested.column("max_x")[k], abs=1e-6)


def test_a_tongue_is_a_gap_with_two_fold_edges(harvested: gb.Branch) -> None:
    gap = harvested["1:6"]
    form = gap.normal_form
    assert form["order"] == 6
    # Edges by an independent computation: the periodic point inside the tongue, traced to its folds.
    sixth = gb.iterate(gap.system, 6)
    inside = sixth.with_parameters(r=0.5 * (form["low"] + form["high"]))
    branch = gb.trace(gb.point(inside, gap.x), {"r": (1.95, 2.05)}, coefficients=False)
    folds = sorted(p.parameters["r"] for p in branch.special_points if p.label == "LP")
    assert form["low"] == pytest.approx(folds[0], abs=1e-9)
    assert form["high"] == pytest.approx(folds[-1], abs=1e-9)
    # Circles on both sides of it.
    rho = harvested.column("rotation_number")
    assert rho.max() > 1 / 6 > rho.min()


def test_tongues_begin_on_the_neimark_sacker_curve() -> None:
    system = gb.System.from_equations("map", HARVEST, {"r": 1.9, "e": 0.02})
    window = {"r": (1.2, 2.6), "e": (-0.5, 0.5)}
    fixed = gb.trace(gb.point(system, [0.5, 0.5]), {"r": window["r"]})
    curve = gb.trace(fixed["NS1"], window, coefficients=False)
    tongues = gb.arnold_tongues(curve, window)
    assert [t.rotation for t in tongues] == [Fraction(1, 5), Fraction(1, 6), Fraction(1, 7)]
    for tongue in tongues:
        # Fixed point x = y: r x = 1 (determinant), r (1 - x) = 2 cos theta (trace), x = r x (1 - x) + e.
        trace = 2 * np.cos(2 * np.pi * float(tongue.rotation))
        assert tongue.tip.parameters["r"] == pytest.approx(1 + trace, abs=1e-10)
        assert tongue.tip.parameters["e"] == pytest.approx(1 / (1 + trace) - trace / (1 + trace), abs=1e-10)
        assert len(tongue.edges) == 2
        ends = [edge.parameters[i] for edge in tongue.edges for i in (0, -1)]
        tip = [tongue.tip.parameters["r"], tongue.tip.parameters["e"]]
        # Both edges come to the tip, which is where they stop.
        assert sorted(np.abs(np.array(ends) - tip).max(axis=1))[1] < 1e-3
        # One edge of 1/6 leaves its tip with r as good as fixed.
        assert [sum(o.code == "tip" for o in edge.outcome) for edge in tongue.edges] == [1, 1]
        assert all(o.converged for edge in tongue.edges for o in edge.outcome)


# -- what becomes of circles ------------------------------------------------------------------------------------------

# Across the circle of radius sqrt(a), on which phi turns by w + b a, two more states with prescribed multipliers.
HALF = "(w + b*(x**2 + y**2))/2"
MOEBIUS = {
    # Half a turn in one turn of the circle, stretched by 0.6 + 0.8 r and 0.6 - 0.8 r: the first is 1 at a = 1/4.
    # At the distance s along the first the rest of the stretch is s^2.
    "z": f"(0.6 - z**2 - v**2)*(cos({HALF})*z - sin({HALF})*v)"
    f" + 0.8*((x*cos({HALF}) - y*sin({HALF}))*z + (x*sin({HALF}) + y*cos({HALF}))*v)",
    "v": f"(0.6 - z**2 - v**2)*(sin({HALF})*z + cos({HALF})*v)"
    f" + 0.8*((x*sin({HALF}) + y*cos({HALF}))*z - (x*cos({HALF}) - y*sin({HALF}))*v)",
}


@pytest.mark.parametrize(
    ("across", "a", "label", "words", "multiplier"),
    [
        ({"z": "(0.9 + a)*z - z**3", "v": "v/2"}, 0.1, "BP", "branch off", 1.0),
        ({"z": "-(0.9 + a)*z + z**3", "v": "v/2"}, 0.1, "PD", "mapped to each other", -1.0),
        (MOEBIUS, 0.25, "PD", "twice the length", 1.0),
        ({"z": "(0.9 + a)*(0.8*z - 0.6*v)", "v": "(0.9 + a)*(0.6*z + 0.8*v)"}, 0.1, "NS", "torus", 0.8 + 0.6j),
    ],
)
def test_how_a_circle_loses_stability(
    across: dict[str, str], a: float, label: str, words: str, multiplier: complex
) -> None:
    system = gb.System.from_equations(
        "map", {"x": RADIAL["x"], "y": RADIAL["y"], **across}, {"a": -0.1, "b": 0.4, "w": 1.3}
    )
    fixed = gb.trace(gb.point(system, [0, 0, 0, 0]), {"a": (-0.1, 0.02)})
    born = next(p for p in fixed.special_points if abs(p.critical.imag) > 0.9)  # e^{1.3 i}
    circles = gb.trace(gb.neimark_sacker_to_circles(born), {"a": (-0.1, 0.35)})
    assert [p.label for p in circles.special_points if ":" not in p.label] == [label]
    lost = circles[f"{label}1"]
    assert lost.parameters["a"] == pytest.approx(a, abs=1e-6)
    assert abs(lost.critical - multiplier) < 1e-6 or abs(lost.critical - np.conj(multiplier)) < 1e-6
    assert words in lost.note
    assert circles.unstable.tolist() == sorted(circles.unstable.tolist())
    assert circles.unstable[-1] == (2 if label == "NS" else 1)
    if label == "PD":
        two = gb.trace(gb.flip_to_period_two(lost), {"a": (-0.1, 0.35)})
        here = two.column("a")
        away = np.array([np.linalg.norm(p.states[:, 2:], axis=1).max() for p in two.profiles])
        rho = (1.3 + 0.4 * here) / (2 * np.pi)
        assert here[-1] == pytest.approx(0.35, abs=1e-12)
        assert np.all(two.unstable == 0)
        if "length" in words:
            # One circle: s = s (0.6 + 0.8 r - s^2), and half the angle in each step.
            assert two.system.iterations == 1
            assert np.abs(away - np.sqrt(0.8 * np.sqrt(here) - 0.4)).max() < 1e-10
            assert np.abs(two.column("rotation_number") - rho / 2).max() < 1e-12
        else:
            # Two: -z = -(0.9 + a) z + z^3, and of the second iterate twice the angle.
            assert two.system.iterations == 2
            assert np.abs(away - np.sqrt(here - 0.1)).max() < 1e-10
            assert np.abs(two.column("rotation_number") - 2 * rho).max() < 1e-12
    elif label == "NS":
        with pytest.raises(gb.MisuseError, match="takes a point labelled PD"):
            gb.flip_to_period_two(lost)
        with pytest.raises(gb.MisuseError, match="tori are not followed"):
            gb.neimark_sacker_to_circles(lost)


def test_where_two_circles_meet() -> None:
    # r' = r (1 + a + s - s^2) with s = r^2: unstable circles are born at a = 0 and turn at a = -1/4, s = 1/2.
    grow = "(1 + a + x**2 + y**2 - (x**2 + y**2)**2)"
    field = {"x": f"{grow}*(x*cos({TURN}) - y*sin({TURN}))", "y": f"{grow}*(x*sin({TURN}) + y*cos({TURN}))"}
    system = gb.System.from_equations("map", field, {"a": -0.1, "b": 0.4, "w": 1.3})
    fixed = gb.trace(gb.point(system, [0, 0]), {"a": (-0.3, 0.2)})
    circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"a": (-0.4, 0.2)})
    fold = circles["LP1"]
    assert fold.parameters["a"] == pytest.approx(-0.25, abs=1e-10)
    assert fold.rotation_number == pytest.approx((1.3 + 0.4 / 2) / (2 * np.pi), abs=1e-7)
    assert abs(fold.critical - 1) < 1e-6
    assert [p.label for p in circles.special_points if ":" not in p.label] == ["LP", "PD"]
    # The multiplier across is 1 + 2 s - 4 s^2 there: -1 at s = 1, a = 0.
    assert circles["PD1"].parameters["a"] == pytest.approx(0.0, abs=1e-8)
    assert [k for k, _ in itertools.groupby(circles.unstable.tolist())] == [1, 0, 1]
    assert circles.column("a").max() == pytest.approx(0.2, abs=1e-12)


@pytest.mark.parametrize(("x", "y"), [(1.0, 1e6), (1e-6, 1e-6)])
def test_states_of_any_size(x: float, y: float) -> None:
    # The radial map for x and y in units of these sizes.
    swap = {"x": f"(x/{x!r})", "y": f"(y/{y!r})"}
    field = {
        k: f"{size!r}*({re.sub(r'[xy](?![a-z(])', lambda m: swap[m[0]], RADIAL[k])})"
        for k, size in (("x", x), ("y", y))
    }
    system = gb.System.from_equations("map", field, {"a": -0.1, "b": 0.4, "w": 1.3})
    fixed = gb.trace(gb.point(system, [0, 0]), {"a": (-0.2, 0.3)})
    circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"a": (-0.2, 0.3)})
    assert circles.outcome[1].code == "window"
    assert len(circles) < 60
    # Of radius sqrt(a) in those units.
    assert np.abs(circles.column("max_x") / x - np.sqrt(circles.column("a"))).max() < 1e-7
    assert np.abs(circles.column("max_y") / y - np.sqrt(circles.column("a"))).max() < 1e-7


# -- the kernel GAN ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kernel() -> gb.Branch:
    system = gb.system(gb.models.kernel_gan(sigma=0.5), "simultaneous", eta_d=0.5, eta_g=0.1)
    fixed = gb.trace(gb.point(system), {"eta_g": (0.01, 3.0)})
    return gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"eta_g": (0.01, 3.0)}, stop="PD")


def test_kernel_gan_circles_against_simulation(kernel: gb.Branch) -> None:
    for k in (4, 10):
        point = kernel.point(k)
        orbit = gb.simulate(point.system, point.x, steps=20_000)
        assert gb.rotation_number(orbit).value == pytest.approx(point.rotation_number, abs=1e-9)
        assert orbit["x1"].max() == pytest.approx(kernel.column("max_x1")[k], abs=1e-6)


def test_beyond_the_doubling_two_circles_are_mapped_to_each_other(kernel: gb.Branch) -> None:
    two = gb.trace(gb.flip_to_period_two(kernel["PD1"]), {"eta_g": (2.43, 2.445)}, at=[2.44])
    assert two.column("eta_g").min() > kernel["PD1"].parameters["eta_g"]
    assert np.all(two.unstable == 0)
    point = two["UZ1"]
    assert point.profile is not None
    # A run of the map itself that begins beside one of them: its even steps lie on one, its odd steps on the other.
    single = kernel.system.with_parameters(eta_g=2.44)
    orbit = gb.simulate(single, point.x * (1 + 1e-4), steps=40_000)["x1"][20_000:]
    largest = point.profile.at(np.linspace(0, 1, 20_001))[:, -1]
    found = sorted([orbit[::2].max(), orbit[1::2].max()])
    assert abs(found[0] - found[1]) > 0.01
    assert min(abs(largest.max() - value) for value in found) < 1e-6
    # x -> -x maps the two to each other.
    assert sorted([largest.max(), -largest.min()]) == pytest.approx(found, abs=1e-6)
    rotation = gb.rotation_number(gb.simulate(point.system, point.x, steps=20_000)).value
    assert rotation == pytest.approx(min(point.rotation_number, 1 - point.rotation_number), abs=1e-9)


def test_kernel_gan_circles_lose_stability(kernel: gb.Branch) -> None:
    lost = kernel["PD1"]
    assert abs(lost.critical + 1) < 1e-6
    assert kernel.unstable.tolist() == [0] * (len(kernel) - 1) + [1]
    # Simulations on both sides: below, a small disturbance dies out; above, it grows until the orbit runs away.
    before, after = kernel.point(len(kernel) - 2), kernel.point(len(kernel) - 1)
    orbit = gb.simulate(before.system, before.x * (1 + 1e-6), steps=20_000)
    assert orbit["x1"][10_000:].max() == pytest.approx(kernel.column("max_x1")[-2], abs=1e-6)
    orbit = gb.simulate(after.system, after.x * (1 + 1e-6), steps=20_000)
    assert not orbit.outcome.converged or orbit["x1"][10_000:].max() > 1.01 * kernel.column("max_x1")[-1]


def _agrees_with_a_run(circles: gb.Branch) -> None:
    """Rotation number and amplitude at the point asked for, against 20 000 steps."""
    point = circles["UZ1"]
    assert point.profile is not None
    orbit = gb.simulate(point.system, point.x, steps=20_000)
    assert gb.rotation_number(orbit).value == pytest.approx(point.rotation_number, abs=1e-9)
    largest = point.profile.at(np.linspace(0, 1, 20_001))[:, -1].max()
    assert orbit["x1"].max() == pytest.approx(largest, abs=1e-6)


def test_kernel_gan_circles_over_tied_rates_end_at_a_tongue() -> None:
    game = gb.models.kernel_gan(sigma=0.5)
    system = gb.tie(gb.system(game, "simultaneous", eta_d=0.5), eta_g="eta_d")
    fixed = gb.trace(gb.point(system), {"eta_d": (0.2, 2.0)}, coefficients=False)
    circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"eta_d": (0.2, 2.0)}, at=[0.7])
    _agrees_with_a_run(circles)
    assert circles.outcome[1].code == "tongue"
    found = re.search(r"the tongue of 1/4 begins at eta_d = (0\.\d+)", circles.outcome[1].message)
    assert found is not None
    # The fold of the cycle of four that a run inside the tongue settles on, as a branch of the fourth iterate.
    inside = system.with_parameters(eta_d=0.775)
    four = gb.iterate(inside, 4)
    settled = gb.simulate(inside, circles.states[-1], steps=20_000).states[-1]
    locked = gb.trace(gb.point(four, settled), {"eta_d": (0.765, 0.79)}, coefficients=False)
    folds = [p.parameters["eta_d"] for p in locked.special_points if p.label == "LP"]
    assert float(found[1]) == pytest.approx(min(folds), abs=1e-7)


def test_kernel_gan_circles_over_the_bandwidth_double() -> None:
    # Equal masses: the border is sigma^2 = eta_g q (K2 sigma^2)/lam, whatever eta_d.
    game = gb.models.kernel_gan(sigma=0.7, q=1.0)
    for eta_d in (0.5, 0.2):
        system = gb.system(game, "simultaneous", eta_d=eta_d, eta_g=0.3)
        fixed = gb.trace(gb.point(system), {"sigma": (0.28, 1.2)}, coefficients=False)
        assert fixed["NS1"].parameters["sigma"] == pytest.approx(np.sqrt(0.3 / 0.5), abs=1e-6)
    system = gb.system(game, "simultaneous", eta_d=0.5, eta_g=0.3)
    fixed = gb.trace(gb.point(system), {"sigma": (0.28, 1.2)}, coefficients=False)
    circles = gb.trace(gb.neimark_sacker_to_circles(fixed["NS1"]), {"sigma": (0.28, 1.2)}, at=[0.5], stop="PD")
    _agrees_with_a_run(circles)
    assert "-1" in circles.outcome[0].message
    assert circles["PD1"].parameters["sigma"] == pytest.approx(0.3241, abs=1e-4)
    # Beyond it the even and the odd steps of a run lie on two circles, before it on one.
    for sigma, apart in ((0.326, False), (0.322, True)):
        orbit = gb.simulate(system.with_parameters(sigma=sigma), circles["UZ1"].x, steps=40_000)["x1"][20_000:]
        assert (abs(orbit[::2].max() - orbit[1::2].max()) > 0.03) == apart


def test_odd_tongues_of_a_symmetric_map_are_of_doubled_order(kernel: gb.Branch) -> None:
    # x -> -x: the circle has u(t + 1/2) = -u(t), and the width of p/q with odd q is of order 2q.
    third, quarter = kernel["1:3"], kernel["1:4"]
    assert "symmetry" in third.note
    assert quarter.note == ""
    assert quarter.normal_form["width"] > 0.01


@pytest.mark.parametrize(("even", "order"), [("", 10), (" + 0.5*x**2", 5)])
def test_the_order_of_a_tongue_in_a_symmetric_map(even: str, order: int) -> None:
    # An odd map: of the normal form of 1/5 the term w*^4 is even and drops out, w*^9 is left.
    field = {"x": "y", "y": f"-(1 + mu)*x + t*y - y**3 + 0.4*x**3{even}"}
    system = gb.System.from_equations("map", field, {"mu": -0.1, "t": 0.7})
    window = {"mu": (-0.3, 0.3), "t": (0.2, 1.2)}
    fixed = gb.trace(gb.point(system, [0, 0]), {"mu": window["mu"]}, coefficients=False)
    tongue = gb.arnold_tongue(gb.trace(fixed["NS1"], window, coefficients=False), "1/5", window, max_points=30)
    assert tongue.order == order
    assert len(tongue.edges) == 2
    # On the curve of determinant 1 the trace is 2 cos(2 pi/5).
    assert tongue.tip.parameters["t"] == pytest.approx(2 * np.cos(2 * np.pi / 5), abs=1e-10)


# -- rotation numbers and fractions -----------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.floats(0.0, 0.45), st.floats(1e-4, 0.05))
def test_noble_numbers_are_far_from_rational(low: float, width: float) -> None:
    value = noble(low, low + width)
    assert low <= value <= low + width
    # |value - p/q| > c/q^2, with the constant of the interval's own simplest fractions.
    q = np.arange(1, 2000)
    assert np.min(q**2 * np.abs(value - np.round(value * q) / q)) > min(0.1, 0.05 * width)


def test_farey_fractions() -> None:
    assert len(farey(7)) == 19  # 1 + sum of Euler's phi up to 7
    assert [str(f) for f in between(0.15, 0.21, 7)] == ["1/5", "1/6"]


def test_rotation_number_of_a_rotation() -> None:
    turn = gb.System.from_equations("map", {"x": "c*x - s*y", "y": "s*x + c*y"}, {"c": np.cos(0.7), "s": np.sin(0.7)})
    found = gb.rotation_number(gb.simulate(turn, [1.0, 0.2], steps=6000))
    assert found.value == pytest.approx(0.7 / (2 * np.pi), abs=1e-13)
    assert found.error < 1e-12
    with pytest.raises(gb.MisuseError, match=r"line|wind"):
        gb.rotation_number(gb.simulate(gb.iterate(turn.with_parameters(c=-1.0, s=0.0), 1), [1.0, 0.2], steps=100))


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_starts_that_are_none() -> None:
    henon = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, {"a": 0.1, "b": 0.3})
    flip = gb.trace(gb.point(henon, [0.1, 0.1]), {"a": (0, 1)})["PD1"]
    with pytest.raises(gb.MisuseError, match="takes an NS point"):
        gb.neimark_sacker_to_circles(flip)
    linear = gb.System.from_equations(
        "map", {"x": "(1 + a)*(x*cos(w) - y*sin(w))", "y": "(1 + a)*(x*sin(w) + y*cos(w))"}, {"a": -0.1, "w": 1.3}
    )
    centre = gb.trace(gb.point(linear, [0, 0]), {"a": (-0.2, 0.2)})["NS1"]
    with pytest.raises(gb.MisuseError, match="vanishes"):
        gb.neimark_sacker_to_circles(centre)
    born = gb.trace(gb.point(radial(), [0, 0, 0]), {"a": (-0.2, 0.3)})["NS1"]
    for amplitude in (0.0, -1.0, np.nan, True):
        with pytest.raises(gb.MisuseError, match="is a positive number"):
            gb.neimark_sacker_to_circles(born, amplitude=amplitude)
    with pytest.raises(gb.MisuseError, match="gives a branch of one free parameter"):
        gb.trace(gb.neimark_sacker_to_circles(born), {"a": (-0.2, 0.3), "w": (1.2, 1.4)})
    strong = gb.trace(gb.point(radial(w=np.pi / 2), [0, 0, 0]), {"a": (-0.2, 0.3)})["NS1"]
    with pytest.raises(gb.MisuseError, match="strong resonance 1:4"):
        gb.neimark_sacker_to_circles(strong)
    curve = gb.trace(born, {"a": (-0.2, 0.3), "w": (1.2, 1.6)}, max_points=4, coefficients=False)
    for rotation, words in (("1/4", "strong resonance"), ("1/0", "a fraction such as"), ("one", "a fraction such as")):
        with pytest.raises(gb.MisuseError, match=words):
            gb.arnold_tongue(curve, rotation, {"a": (-0.2, 0.3), "w": (1.2, 1.6)})
    # Henon's map that keeps areas: every circle has neighbours.
    turn = {"x": "x*cos(w) - (y - x**2)*sin(w)", "y": "x*sin(w) + (y - x**2)*cos(w)"}
    keeping = gb.System.from_equations("map", turn, {"w": 1.3})
    circle = gb.orbit_to_circle(gb.simulate(keeping, [0.2, 0.1], steps=20_000))
    with pytest.raises(gb.MisuseError, match="keeps areas"):
        gb.trace(circle, {"w": (1.2, 1.4)})


def test_what_is_no_tongue_is_not_taken_for_one() -> None:
    # Beside a circle of radius sqrt(a) a state that forgets one part in 1e12 in a step.
    grow = "(1 + a - x**2 - y**2)"
    turn = {"x": f"{grow}*(x*cos(1.3) - y*sin(1.3))", "y": f"{grow}*(x*sin(1.3) + y*cos(1.3))"}
    slow = gb.System.from_equations("map", {**turn, "z": "z + 1e-12*x**2 - 1e-12*z"}, {"a": -0.1})
    born = gb.trace(gb.point(slow, [0, 0, 0]), {"a": (-0.1, 0.1)})["NS1"]
    circles = gb.trace(gb.neimark_sacker_to_circles(born), {"a": (-0.1, 0.5)}, coefficients=False)
    assert "a multiplier across the circle is 1 but for 1e-12" in circles.outcome[1].message
    kinked = gb.System.from_equations("map", {**turn, "z": "abs(x)/2"}, {"a": -0.1})
    assert "the map has kinks" in hindrance(kinked, np.array([0.5 + 0j]))


def test_orbits_to_circles(harvested: gb.Branch) -> None:
    point = harvested.point(len(harvested) // 2)
    orbit = gb.simulate(point.system, [0.6, 0.5], steps=20_000)
    branch = gb.trace(gb.orbit_to_circle(orbit), {"r": (1.5, 2.2)}, max_points=3)
    k = int(np.argmin(np.abs(branch.column("r") - point.parameters["r"])))
    assert branch.column("rotation_number")[k] == pytest.approx(point.rotation_number, abs=1e-9)
    assert branch.spectrum[k, 1].real == pytest.approx(point.spectrum[1].real, abs=1e-7)
    settled = gb.simulate(point.system.with_parameters(r=1.8), [0.6, 0.5], steps=20_000)
    with pytest.raises(gb.MisuseError, match="fixed point"):
        gb.orbit_to_circle(settled)
    with pytest.raises(gb.MisuseError, match="takes an orbit such as"):
        gb.orbit_to_circle(settled.states)
    with pytest.raises(gb.MisuseError, match="from 0 to below 1"):
        gb.orbit_to_circle(orbit, discard=1.0)

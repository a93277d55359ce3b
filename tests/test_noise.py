"""Training on minibatches: simulation, linear theory against closed forms and simulation, the border under noise."""

import json
import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.cli import main
from gan_bifurcation.regimes.noise_draws import sampled_program
from gan_bifurcation.regimes.noise_theory import discrete_lyapunov


def ar_game(nodes: Any = (-1.0, 1.0), weights: Any = (0.5, 0.5)) -> gb.Game:
    """psi' = (1 - eta_d) psi + eta_d scale z with a minibatch's mean z; theta' = (1 - eta_g) theta."""
    psi, theta, z, scale = (gb.symbol(name) for name in ("psi", "theta", "z", "scale"))
    table = gb.NodeTable("z", (z,), np.array(nodes), np.array(weights))
    return gb.Game(
        "ar",
        gb.Player(("psi",), gb.Mean((psi - scale * z) ** 2 / 2, table), "eta_d"),
        gb.Player(("theta",), theta**2 / 2 + 0 * psi, "eta_g"),
        {"scale": 1.0},
        equilibria=(gb.Equilibrium("origin", {"psi": 0, "theta": 0}),),
    )


def dirac(rule: Any = None, eta: float = 0.5, **settings: float) -> gb.System:
    game = gb.models.dirac_gan(**{"gamma": 1.0, "sigma": 0.5, "quadrature_order": 5} | settings)
    return gb.system(game, rule or gb.Simultaneous(), eta_d=eta, eta_g=eta)


def dirac_variances(gamma: float, sigma: float, eta: float, batch: int) -> tuple[float, float]:
    """Stationary variances of psi and theta under simultaneous steps, with independent noise on both points.

    By hand: the noise enters psi only, with variance q = eta**2 * 2 * (sigma/2)**2 / batch, since f'(0) = 1/2; with
    a = eta (gamma + sigma**2/2) and b = eta/2 the linearisation is psi' = (1 - a) psi + b theta and
    theta' = theta - b psi, and the three equations of the second moments are solved from the bottom up.
    """
    q, a, b = eta**2 * sigma**2 / (2 * batch), eta * (gamma + sigma**2 / 2), eta / 2
    t = 1 - a / 2 + b**2 / 2
    s = q / (1 - (1 - a) ** 2 - (1 - a) * b**2 - b**2 * t)
    return s, s * t


def test_spread_of_a_first_order_process() -> None:
    spread = gb.stationary_spread(gb.system(ar_game(), gb.Simultaneous(), eta_d=0.5, eta_g=0.5), 4)
    # sigma**2/(1 - a**2) with a = 1/2 and the variance eta_d**2/4 = 1/16 of what a step adds: 1/12.
    assert spread.variances == pytest.approx([1 / 12, 0.0], rel=1e-14)
    assert spread.noise[0, 0] == pytest.approx(1 / 16, rel=1e-14)
    assert spread.radius() == spread.radius("psi") == pytest.approx(12**-0.5)
    assert spread.radius("theta") == 0.0
    assert spread.dominant_direction == {"psi": 1.0, "theta": 0.0}
    # 0 and 1 with probabilities 3/4 and 1/4 have the variance 3/16; weights that sum to 2 count twice.
    uneven = gb.system(ar_game((0.0, 1.0), (0.75, 0.25)), gb.Simultaneous(), eta_d=0.5, eta_g=0.5)
    assert gb.stationary_spread(gb.point(uneven, [0.25, 0]), 4).variances[0] == pytest.approx(3 / 16 / 12, rel=1e-13)
    # With alternating steps and with a generator's rate of its own nothing changes for psi.
    other = gb.system(ar_game(), gb.Alternating(), eta_d=0.5, eta_g=0.1)
    assert gb.stationary_spread(other, 4).variances[0] == pytest.approx(1 / 12, rel=1e-14)


def test_simulation_of_a_first_order_process() -> None:
    system = gb.system(ar_game(), gb.Simultaneous(), eta_d=0.5, eta_g=0.5)
    runs = gb.simulate_noisy(system, {"psi": 3.0, "theta": 1.0}, 40, batch=4, runs=4000, samples=3)
    assert runs.times.tolist() == [0, 20, 40]
    assert runs.finished.all()
    final = runs.final_states[:, 0]
    # Mean 3/2**40 and variance 1/12; a variance of n numbers is known to sqrt(2/n), a mean to sqrt(variance/n).
    assert abs(final.mean()) < 4 * math.sqrt(1 / 12 / 4000)
    assert final.var() == pytest.approx(1 / 12, rel=4 * math.sqrt(2 / 4000))
    # theta sees no noise: halved in each step.
    assert runs.final_states[:, 1] == pytest.approx(np.full(4000, 0.5**40))
    # Nothing is left of one draw in the next: the lag of one step has the correlation a = 1/2 of the process.
    states = gb.simulate_noisy(system, [0.0, 0.0], 4000, batch=4, runs=4).states[:, 20:, 0]
    correlation = np.corrcoef(states[:, :-1].ravel(), states[:, 1:].ravel())[0, 1]
    assert correlation == pytest.approx(0.5, abs=4 * math.sqrt(0.75 / 16000))


def test_rows_are_drawn_with_their_weights() -> None:
    system = gb.system(ar_game((0.0, 1.0, 5.0), (0.7, 0.1, 0.2)), gb.Simultaneous(), eta_d=1.0, eta_g=0.5)
    # With eta_d = 1 and one row psi' is the row that was drawn.
    drawn = gb.simulate_noisy(system, [0.0, 0.0], 1, batch=1, runs=5000).final_states[:, 0]
    for value, weight in ((0.0, 0.7), (1.0, 0.1), (5.0, 0.2)):
        # A share of n draws has the standard error sqrt(w (1 - w)/n).
        assert np.mean(drawn == value) == pytest.approx(weight, abs=4 * math.sqrt(weight * (1 - weight) / 5000))


def test_seeds_and_workers() -> None:
    system = dirac(gb.Alternating())
    one = gb.simulate_noisy(system, [0.0, 1.0], 50, batch=3, runs=4, seed=7, workers=1)
    # The same numbers to the last digit: each run has a seed of its own.
    assert np.array_equal(
        one.states, gb.simulate_noisy(system, [0.0, 1.0], 50, batch=3, runs=4, seed=7, workers=3).states
    )
    assert np.array_equal(one.states[:2], gb.simulate_noisy(system, [0.0, 1.0], 50, batch=3, runs=2, seed=7).states)
    assert not np.array_equal(one.states[0], one.states[1])
    assert not np.array_equal(one.states, gb.simulate_noisy(system, [0.0, 1.0], 50, batch=3, runs=4, seed=8).states)
    # A table of one row leaves nothing to draw: the exact orbit, as simulate has it.
    certain = gb.system(ar_game((2.0,), (1.0,)), gb.Alternating(), eta_d=0.3, eta_g=0.2)
    noisy = gb.simulate_noisy(certain, [0.0, 1.0], 20, batch=5)
    assert noisy.states[0] == pytest.approx(gb.simulate(certain, [0.0, 1.0], steps=20).states, rel=1e-13)


def test_dirac_gan_closed_form() -> None:
    for gamma, sigma, eta in ((1.0, 0.5, 0.1), (0.3, 1.0, 0.5), (2.0, 0.2, 0.9)):
        spread = gb.stationary_spread(dirac(gamma=gamma, sigma=sigma, eta=eta), 16)
        # The moments' equations by hand, in the docstring above.
        assert spread.variances == pytest.approx(dirac_variances(gamma, sigma, eta, 16), rel=1e-12)
    flow = gb.system(gb.models.dirac_gan(gamma=1.0, sigma=0.5), gb.Flow())
    # psi' = -g psi + theta/2 + noise, theta' = -psi/2: both variances are q/(2 g), uncorrelated; q = sigma**2/2/batch
    # times the duration of a minibatch, g = gamma + sigma**2/2.
    expected = 0.01 * 0.125 / 8 / (2 * 1.125)
    spread = gb.stationary_spread(flow, 8, step=0.01)
    assert spread.covariance == pytest.approx(np.diag([expected, expected]), rel=1e-12, abs=1e-20)
    # The limit of small steps of the map.
    assert dirac_variances(1.0, 0.5, 1e-5, 8)[0] == pytest.approx(expected * 1e-3, rel=1e-4)


def test_what_is_drawn_together() -> None:
    system = dirac()
    # True and generated point in the discriminator's loss, the generated one in the generator's; one table in all.
    assert [len(sampled_program(system, draws).drawn) for draws in ("terms", "losses", "steps")] == [3, 2, 1]
    # Steps one after the other evaluate at two places.
    assert len(sampled_program(dirac(gb.Alternating()), "steps").drawn) == 2
    assert len(sampled_program(dirac(gb.Extragradient())).drawn) == 6
    # The same noise on both points cancels at the equilibrium: theta + epsilon - epsilon.
    assert not gb.stationary_spread(system, 4, draws="losses").covariance.any()


@pytest.mark.parametrize(
    "rule",
    [gb.Alternating(2), gb.Extragradient(), gb.Consensus(), gb.Momentum(), gb.Unrolled()],
    ids=lambda r: type(r).__name__,
)
def test_rules_against_simulation(rule: Any) -> None:
    system = dirac(rule, eta=0.4)
    found = gb.measured_spread(system, 100, runs=8, steps=800)
    assert found.left == 0.0
    for error, sampling in found.relative_errors.values():
        # Simulation, to its sampling error; linear theory neglects what is of the order of 1/batch.
        assert abs(error) < 4 * sampling + 1 / 100


def test_iterates_have_the_same_spread() -> None:
    system = dirac(gb.Alternating())
    once, thrice = (gb.stationary_spread(s, 8) for s in (system, gb.iterate(system, 3)))
    # A process that is stationary is so at every third step.
    assert thrice.covariance == pytest.approx(once.covariance, rel=1e-12)
    assert thrice.margin == pytest.approx(1 - (1 - once.margin) ** 3)


def test_functional_gan_against_simulation() -> None:
    game = gb.models.functional_gan(loss="wgan", modes=2, gamma=1.0, constant=False)
    found = gb.measured_spread(gb.system(game, gb.Alternating(), eta_d=0.2, eta_g=0.2), 200, runs=8, steps=800)
    for error, sampling in found.relative_errors.values():
        # Simulation; the functions grow like squares, so what linear theory neglects is some times 1/batch.
        assert abs(error) < 4 * sampling + 5 / 200


@pytest.fixture(scope="module")
def kernel() -> gb.System:
    plain = gb.models.kernel_gan(
        points=2, q=(0.5, 0.5), p=(0.5, 0.5), true_points=(-0.5, 0.5), sigma=1.0, lam=1.0, length=2.0, modes=4
    )
    game = gb.sampled_masses(plain, {"true": ("p1", "p2"), "made": ("q1", "q2")})
    system, exact = (gb.system(g, gb.Alternating(), eta_d=0.5, eta_g=0.5) for g in (game, plain))
    x = np.random.default_rng(0).normal(size=system.n)
    p = system.parameter_vector(p1=0.3, q2=0.9)
    # Drawing terms of a finite sum changes no expectation, whatever the masses are.
    assert system.rhs(x, p) == pytest.approx(exact.rhs(x, p), rel=1e-12, abs=1e-13)
    return system


def test_kernel_gan_noise_in_closed_form(kernel: gb.System) -> None:
    spread = gb.stationary_spread(kernel, 32)
    k = kernel.states.index("s1")
    # With f = 0 and only the true point -1/2 left a step moves the weight by eta_d phi(-1/2).
    x = np.array([spread.point.state[s] for s in kernel.states])
    feature = kernel.rhs(x, kernel.parameter_vector(p1=1.0, p2=0.0, q1=0.0, q2=0.0))[k] / 0.5
    # phi is +-feature with equal probability, for the true and for the generated point: variance 2 feature**2.
    assert spread.noise[k, k] == pytest.approx(0.25 * 2 * feature**2 / 32, rel=1e-12)
    # Cosines have one value at both points, so nothing is random in them.
    assert spread.standard_deviations["c1"] == 0.0
    # Points at +-1/2 under the mirror symmetry of the problem.
    assert spread.standard_deviations["x1"] == pytest.approx(spread.standard_deviations["x2"], rel=1e-9)


def test_kernel_gan_against_simulation(kernel: gb.System) -> None:
    found = gb.measured_spread(kernel, 100, runs=8, steps=800)
    for name in ("x1", "x2", "s1"):
        error, sampling = found.relative_errors[name]
        # Simulation, as above.
        assert abs(error) < 4 * sampling + 5 / 100


def test_growth_towards_the_border() -> None:
    # The flip of the closed form's linearisation: 1 + trace + determinant = 0, by hand 4 - 2 a + b**2 = 0.
    border = (2.25 - math.sqrt(2.25**2 - 4)) / 0.5
    near = 10.0 ** np.linspace(-7, -4, 4)
    spreads = [gb.stationary_spread(dirac(eta=border * (1 - d)), 8) for d in near]
    slope = np.polyfit(np.log(near), np.log([s.radius() for s in spreads]), 1)[0]
    assert slope == pytest.approx(-spreads[0].blow_up_exponent, abs=1e-4)
    assert spreads[0].blow_up_exponent == 0.5
    # Here theta is about to lose stability at eta_g = 2, and the noise does not reach it.
    still = gb.stationary_spread(gb.system(ar_game(), gb.Simultaneous(), eta_d=0.5, eta_g=1.999), 4)
    assert still.blow_up_exponent == 0.0
    # Doubling is exact close to a multiplier -1: q/(1 - a**2) with 1 - a**2 = 2e-9 - 1e-18.
    s = discrete_lyapunov(np.array([[-1 + 1e-9]]), np.array([[1.0]]))
    assert s is not None
    assert s[0, 0] == pytest.approx(1 / (2e-9 - 1e-18), rel=1e-7)


@pytest.fixture(scope="module")
def border() -> gb.NoisyBorder:
    system = gb.system(ar_game(), gb.Simultaneous(), eta_d=0.5, eta_g=0.5)
    return gb.noisy_border(system, {"scale": (0.2, 2.0), "eta_d": (0.1, 2.5)}, batch=4, radius=0.5, cells=12)


def test_border_in_closed_form(border: gb.NoisyBorder) -> None:
    (line,), (exact,) = border.lines, border.exact
    # eta scale**2/(batch (2 - eta)) = radius**2 with batch * radius**2 = 1: eta = 2/(1 + scale**2).
    assert line[:, 1] == pytest.approx(2 / (1 + line[:, 0] ** 2), rel=1e-11)
    assert exact[:, 1] == pytest.approx(2.0, rel=1e-11)
    found = border.crossings(scale=1.0)
    assert found["noisy"] == pytest.approx([1.0], rel=1e-11)
    assert found["exact"] == pytest.approx([2.0])
    assert border.crossings(eta_d=1.0)["noisy"] == pytest.approx([1.0], rel=1e-11)
    # The integral of 2/(1 + s**2) - 0.1 over the window, up to scale 2, over its area.
    within = (2 * (math.atan(2.0) - math.atan(0.2)) - 0.1 * 1.8) / (1.8 * 2.4)
    assert border.shares["within"] == pytest.approx(within, abs=1e-4)
    assert border.shares["unstable"] == pytest.approx(0.5 / 2.4, rel=1e-9)
    # In units of the window, straight up: the exact border is level.
    assert border.distances == pytest.approx((2 - line[:, 1]) / 2.4, rel=1e-9)
    assert border.to_table().numbers["smallest_distance"] == pytest.approx(border.distances.min())


def test_border_against_simulation(border: gb.NoisyBorder) -> None:
    table = border.check(2, runs=8, steps=2000, beyond=2.0)
    for row in table.rows:
        # Simulation; the process is linear, so theory is exact.
        assert abs(float(row["ratio"]) - 1) < 4 * float(row["sampling_error"])
        # Beyond two standard deviations is where 2000 steps lead sooner or later.
        assert row["exits"] > 0.5


def test_border_approaches_the_exact_one() -> None:
    system = gb.tie(dirac(), eta_g="eta_d")
    window = {"gamma": (0.9, 2.0), "eta_d": (0.5, 2.5)}
    gaps = []
    for batch in (10**5, 10**6):
        found = gb.noisy_border(system, window, batch=batch, radius=0.05, cells=6, tolerance=0.01).crossings(gamma=1.0)
        # The flip at 4 - 2 a + b**2 = 0, as above.
        assert found["exact"] == pytest.approx([(2.25 - math.sqrt(2.25**2 - 4)) / 0.5], rel=1e-10)
        gaps.append(found["exact"][0] - found["noisy"][0])
    # A variance like 1/distance makes a distance like 1/batch.
    assert gaps[0] / gaps[1] == pytest.approx(10.0, rel=0.02)


@pytest.fixture(scope="module")
def noisy() -> gb.NoiseMap:
    system = gb.system(ar_game(), gb.Simultaneous(), eta_d=0.5, eta_g=0.5)
    window = {"scale": (0.2, 2.0), "eta_d": (0.1, 2.5)}
    return gb.noise_map(
        system, window, batch=4, radius=0.5, cells=12, at={"scale": 1.0, "eta_d": 0.5}, batches=(1, 16), points=2,
        runs=8, steps=1000, seed=3,
    )  # fmt: skip


def test_noise_map(noisy: gb.NoiseMap) -> None:
    numbers = noisy.numbers
    # sigma**2/(1 - a**2) as above, and eta = 2/(1 + scale**2) of the border.
    assert noisy.spreads.columns["batch"].tolist() == [1, 4, 16]
    assert noisy.spreads.columns["predicted"] == pytest.approx([(1 / 3 / b) ** 0.5 for b in (1, 4, 16)], rel=1e-12)
    assert numbers["noisy_eta_d"] == pytest.approx(1.0, rel=1e-11)
    assert numbers["noisy_scale"] == pytest.approx(3**0.5, rel=1e-11)
    assert numbers["exact_eta_d"] == pytest.approx(2.0, rel=1e-10)
    assert numbers["slope"] == pytest.approx(-0.5, abs=0.06)
    for row in noisy.spreads.rows:
        # A linear process: theory is exact, and what differs is chance.
        assert abs(float(row["relative_error"])) < 4 * float(row["sampling_error"])
    assert sorted(zip(noisy.parts.columns["kind"], noisy.parts.columns["confirmed"], strict=True)) == [
        ("beyond", "yes"), ("unstable", "yes"), ("within", "yes")
    ]  # fmt: skip
    assert (numbers["parts"], numbers["confirmed"], numbers["refuted"]) == (3, 3, 0)
    assert numbers["check_worst"] < 4 * numbers["check_error"]
    said = " ".join(noisy.sentences)
    assert "With scale = 1 the border lies at eta_d = 1 under noise, and at 2 without." in said
    assert "within 0.5 of the fixed point" in said


def _received(sent: bytes) -> Any:
    function, arguments = pickle.loads(sent)  # noqa: S301 -- our own bytes
    return pickle.loads(pickle.dumps(function(*arguments)))  # noqa: S301 -- our own bytes


class _AsProcesses(ThreadPoolExecutor):
    """Threads that get their work, and give their answers, as processes do: pickled."""

    def submit(self, function: Any, /, *arguments: Any) -> Any:
        return super().submit(_received, pickle.dumps((function, arguments)))


def test_a_noise_map_is_the_same_however_it_is_made(noisy: gb.NoiseMap, tmp_path: Path) -> None:
    # What is on disk is what was made, without the branch of fixed points behind it.
    noisy.save(tmp_path / "one")
    again = gb.NoiseMap.load(tmp_path / "one")
    assert (again.sentences, again.numbers) == (noisy.sentences, noisy.numbers)
    assert all(np.array_equal(a, b) for a, b in zip(again.border.lines, noisy.border.lines, strict=True))
    assert (tmp_path / "one" / "parts.csv").read_text().startswith("kind,share,scale,eta_d,predicted,measured")
    with pytest.raises(gb.MisuseError, match="read from a file"):
        again.border.predicted({"scale": 1.0, "eta_d": 0.5}, 4)
    (tmp_path / "one" / "noise.json").write_text("{}")
    with pytest.raises(gb.ResultsError, match=r"is damaged; make it again\.$"):
        gb.NoiseMap.load(tmp_path / "one")
    # Places with random numbers of their own: any executor, and a run that was killed half way, give the same.
    options: dict[str, Any] = {
        "batch": 4, "radius": 0.5, "cells": 12, "at": noisy.at, "batches": (1, 16), "points": 2, "runs": 8,
        "steps": 1000, "seed": 3,
    }  # fmt: skip
    work, window = tmp_path / "work", noisy.border.window.ranges
    asked: list[int] = []

    def killed(done: int, total: int, text: str) -> bool:
        asked.append(total)
        if done == 4:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        gb.noise_map(noisy.border.system, window, work=work, progress=killed, **options)
    # Three parts, three sizes, two places on the border.
    assert asked == [8] * 5
    kept = {path: path.stat().st_mtime_ns for path in work.iterdir()}
    assert len(kept) == 4
    next(iter(kept)).write_text("{damaged")
    with _AsProcesses(2) as executor:
        found = gb.noise_map(noisy.border.system, window, work=work, executor=executor, **options)
    assert found.numbers == noisy.numbers
    assert sum(path.stat().st_mtime_ns == before for path, before in kept.items()) == 3


def test_noise_of_a_flow_is_theory_alone() -> None:
    flow = gb.system(gb.models.dirac_gan(gamma=1.0, sigma=0.5), gb.Flow())
    found = gb.noise_map(flow, {"gamma": (0.1, 2.0), "sigma": (0.1, 1.0)}, batch=16, radius=0.1, step=0.2, cells=4)
    assert set(found.parts.columns["confirmed"]) == {"not measured"}
    assert "measured" not in found.numbers
    at = {name: found.at[name] for name in ("gamma", "sigma")}
    # As in the closed form of the flow above: both variances are q/(2 g).
    g, q = at["gamma"] + at["sigma"] ** 2 / 2, 0.2 * at["sigma"] ** 2 / 2 / 16
    assert found.numbers["predicted"] == pytest.approx(math.sqrt(q / g), rel=1e-9)


STUDY = """
title = "Noise"
[system]
model = "dirac_gan"
settings = {gamma = 1.0, sigma = 0.5, quadrature_order = 5}
rule = "simultaneous"
tie = {eta_g = "eta_d"}
[[noise]]
name = "window"
free = {gamma = [0.9, 2.0], eta_d = [0.05, 2.5]}
batch = 100
radius = 0.05
cells = 6
at = {gamma = 1.0, eta_d = 0.5}
batches = [50]
runs = 4
steps = 500
points = 1
seed = 5
[[figure]]
name = "window"
kind = "noise_map"
of = ["window"]
[[figure]]
name = "spreads"
kind = "noise_spreads"
of = ["window"]
[[claim]]
text = "The flip"
noise = "window"
value = "exact_eta_d"
expected = "4*(gamma + sigma**2/2 - sqrt((gamma + sigma**2/2)**2 - 1))"
[[claim]]
text = "Confirmed"
noise = "window"
value = "refuted"
expected = 0
"""


def test_noise_in_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "noise.toml").write_text(STUDY)
    results = gb.run_study(tmp_path / "noise.toml", tmp_path / "out")
    # 1 + trace + determinant = 0 as above, in the parameters.
    assert [claim.agrees for claim in results.claims] == [True, True]
    found = results.noise["window"]
    variances = dirac_variances(1.0, 0.5, 0.5, 100)
    assert found.numbers["predicted"] == pytest.approx(math.sqrt(sum(variances)), rel=1e-12)
    page = gb.write_report(results).read_text()
    assert '<section id="noise">' in page
    assert found.sentences[0] in page
    # The same by the command line: seeds alone decide.
    words = (
        "noise dirac_gan --setting gamma=1.0 --setting sigma=0.5 --setting quadrature_order=5 --tie eta_g=eta_d "
        "--free gamma=0.9:2 --free eta_d=0.05:2.5 --batch 100 --radius 0.05 --cells 6 --at gamma=1 --at eta_d=0.5 "
        "--batches 50 --runs 4 --steps 500 --points 1 --seed 5 --json --out"
    )
    with pytest.raises(SystemExit) as stop:
        main([*words.split(), str(tmp_path / "folder")])
    assert not stop.value.code
    assert json.loads(capsys.readouterr().out)["numbers"] == found.numbers
    assert {p.name for p in (tmp_path / "folder").iterdir()} >= {"noise.json", "window.svg", "request.json"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch = 100", "batch = 0", "In 'noise[1].batch': input should be greater than or equal to 1, got '0'."),
        ("radius = 0.05", "radius = -1", "In 'noise[1].radius': input should be greater than 0, got '-1'."),
        ("seed = 5", "seed = 0.5", "In 'noise[1].seed': input should be a valid integer"),
        ("gamma = 1.0, sigma = 0.5, quadrature_order = 5", "gamma = 1.0", "has no sampled form"),
        ("free = {gamma = [0.9, 2.0]", "free = {gama = [0.9, 2.0]", "Did you mean 'gamma'"),
        ("eta_d = [0.05, 2.5]", "eta_d = [-2.5, -1.0]", "The window of the learning rate 'eta_d' ends at -1"),
        ("at = {gamma = 1.0", "at = {gamma = 3.0", "gamma = 3 lies outside the map's window"),
        ('noise = "window"\nvalue = "refuted"', 'map = "window"\nat = {}\nverdict = "x"', "'window' is a part of kind"),
    ],
)  # fmt: skip
def test_bad_noise_in_a_study(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in STUDY
    (tmp_path / "noise.toml").write_text(STUDY.replace(old, new))
    with pytest.raises(gb.MisuseError, match=re.escape(said)):
        gb.run_study(tmp_path / "noise.toml", tmp_path / "out")
    # Before any work starts.
    assert not (tmp_path / "out" / "noise").exists()


def test_adam_runs_on_minibatches() -> None:
    system = dirac(gb.Adam(), eta=0.01)
    runs = gb.simulate_noisy(system, {"psi": 0.0, "theta": 1.0}, 100, batch=8, runs=2)
    assert runs.finished.all()
    with pytest.raises(gb.MisuseError, match="Adam divides by the root of a mean square"):
        gb.stationary_spread(system, 8)


def test_a_run_that_leaves_the_domain_says_so() -> None:
    game = gb.models.functional_gan(loss="wgan", modes=1, gamma=0.0, constant=False)
    runs = gb.simulate_noisy(gb.system(game, gb.Simultaneous(), eta_d=2.0, eta_g=2.0), [1.0, 1.0], 200, batch=4, runs=2)
    assert not runs.finished.any()
    assert "left the domain" in runs.outcomes[0].message
    assert np.isnan(runs.states[0, -1]).all()


def test_bad_input() -> None:
    system, misuse = dirac(), gb.MisuseError
    with pytest.raises(misuse, match="no sampled form: its losses contain no expectation"):
        gb.simulate_noisy(gb.system(gb.models.mixture_gan(), gb.Simultaneous()), np.zeros(6), 10, batch=4)
    with pytest.raises(misuse, match="rows from 1 on, but got batch=0"):
        gb.simulate_noisy(system, [0, 1], 10, batch=0)
    with pytest.raises(misuse, match=r"batch=2\.5"):
        gb.stationary_spread(system, 2.5)  # type: ignore[arg-type]
    with pytest.raises(misuse, match="does not attract: the largest multiplier has modulus"):
        gb.stationary_spread(dirac(eta=3.0), 4)
    with pytest.raises(misuse, match="largest real part is 0"):
        gb.stationary_spread(gb.system(gb.models.dirac_gan(gamma=-0.125, sigma=0.5), gb.Flow()), 4)
    window = {"gamma": (0.5, 2.0), "eta_d": (0.1, 1.0)}
    for radius in (0.0, -1.0, math.nan):
        with pytest.raises(misuse, match="a number above 0"):
            gb.noisy_border(system, window, batch=4, radius=radius)
    with pytest.raises(misuse, match="window of two parameters, but got 1"):
        gb.noisy_border(system, {"gamma": (0.5, 2.0)}, batch=4, radius=0.1)
    with pytest.raises(misuse, match="attracts nowhere in the window"):
        gb.noisy_border(gb.tie(system, eta_g="eta_d"), {"gamma": (3.0, 4.0), "eta_d": (3.0, 4.0)}, batch=4, radius=0.1)
    with pytest.raises(misuse, match="Did you mean 'psi'"):
        gb.noisy_border(system, window, batch=4, radius=0.1, states=("psy",))
    with pytest.raises(misuse, match="Did you mean 'terms'"):
        gb.stationary_spread(system, 4, draws="term")  # type: ignore[arg-type]
    with pytest.raises(misuse, match="Optimistic uses the gradient of the step before once more"):
        gb.simulate_noisy(dirac(gb.Optimistic()), {"psi": 0, "theta": 1}, 10, batch=4)
    with pytest.raises(misuse, match="is a flow"):
        gb.simulate_noisy(gb.system(gb.models.dirac_gan(sigma=0.5), gb.Flow()), [0, 1], 10, batch=4)
    with pytest.raises(misuse, match="was not made from a game"):
        gb.simulate_noisy(gb.System.from_equations("map", {"x": "x/2"}), [1.0], 10, batch=4)
    with pytest.raises(misuse, match="negative weights"):
        gb.stationary_spread(gb.system(ar_game((-1.0, 0.0, 1.0), (1.0, -1.0, 1.0)), gb.Simultaneous()), 4)
    with pytest.raises(misuse, match="must be positive"):
        gb.sampled_masses(gb.models.dirac_gan(), {"points": ("gamma",)})
    with pytest.raises(misuse, match="has kinks"):
        gb.stationary_spread(gb.system(gb.models.dirac_gan(sigma=0.5, gamma=1.0, clip=0.1), gb.Simultaneous()), 4)
    with pytest.raises(misuse, match="too few for a stationary spread"):
        gb.measured_spread(system, 4, steps=10)


def test_figure(border: gb.NoisyBorder) -> None:
    from matplotlib.figure import Figure

    ax = gb.figures.noise_map(border, ax=Figure().subplots())
    legend = ax.get_legend()
    assert legend is not None
    # Three parts of the window and two borders, as the closed form has them.
    assert len(legend.get_texts()) == 5
    assert ax.get_xlim() == (0.2, 2.0)
    with pytest.raises(gb.MisuseError, match=r"what gb\.noise_map or gb\.noisy_border return"):
        gb.figures.noise_map([])  # type: ignore[arg-type]

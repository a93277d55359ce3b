"""Noise of minibatches in a study."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from gan_bifurcation.regimes.noise_draws import sampled_program
from gan_bifurcation.regimes.noise_map import NoiseMap, noise_map
from gan_bifurcation.regimes.noise_theory import NoiseModel
from gan_bifurcation.studies.schema import NoiseSpec
from gan_bifurcation.system import System


def make_noise(
    section: NoiseSpec, start: Any, seed: int, tell: Callable[..., Any] | None, executor: Executor | None, work: Path
) -> NoiseMap:
    """The noise map that a section asks for, about a fixed point or the known one of a system."""
    return noise_map(
        start, dict(section.free), batch=section.batch, radius=section.radius, states=section.states,
        draws=section.draws, step=section.step, cells=section.cells, at=section.at, batches=section.batches,
        points=section.points, runs=section.runs, steps=section.steps,
        seed=seed if section.seed is None else section.seed, executor=executor, workers=1, work=work, progress=tell,
    )  # fmt: skip


def check_noise(section: NoiseSpec, system: System) -> None:
    """Whether a system has a sampled form and a linear theory, before anything is computed.

    Raises
    ------
    MisuseError
    """
    NoiseModel.check(system)
    sampled_program(system, section.draws)
    if section.at is not None:
        from gan_bifurcation.continuation.set_window import Window

        Window.of(system, dict(section.free)).point(section.at)

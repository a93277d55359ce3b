"""The command that says how far training on minibatches stays from where it converges."""

from functools import partial
from typing import Any

import click

from gan_bifurcation.cli_arguments import FREE, Asked, about_system, assignments, numbers, put_json, ranges
from gan_bifurcation.cli_folders import Making, making
from gan_bifurcation.errors import MisuseError


@click.command()
@about_system
@click.option(
    "--masses",
    "masses",
    multiple=True,
    metavar="NAME=P1,P2,...",
    help="Losses that are finite sums: draw their terms with these parameters as probabilities.",
)
@click.option("--free", "free", multiple=True, required=True, metavar=FREE, help="Two free parameters.")
@click.option("--batch", type=int, required=True, help="Rows of each minibatch.")
@click.option("--radius", type=float, required=True, help="How far from the fixed point training may stay.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="States whose distances count; all by default.")
@click.option(
    "--draws", default="terms", show_default=True, help="What has minibatches of its own: terms, losses or steps."
)
@click.option("--at", "at", multiple=True, metavar="NAME=NUMBER", help="Where sizes of minibatches are compared.")
@click.option(
    "--batches", default="", metavar="SIZES", help="These sizes, such as 8,32,128; a quarter to four times by default."
)
@click.option("--points", default=3, show_default=True, help="Places on the border that are simulated.")
@click.option("--runs", default=16, show_default=True, help="Runs at each place.")
@click.option("--steps", type=int, default=None, help="Of each run; sixty time constants by default.")
@click.option("--step", default=1.0, show_default=True, help="Of a flow: for how long a minibatch is used.")
@click.option("--cells", default=24, show_default=True, help="Of the grid on which lines are connected.")
@click.option("--seed", type=int, default=0, show_default=True)
@making
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def noise(
    asked: Asked, making: Making, masses: tuple[str, ...], free: tuple[str, ...], batch: int, radius: float,
    states: tuple[str, ...], draws: str, at: tuple[str, ...], batches: str, points: int, runs: int, steps: int | None,
    step: float, cells: int, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Where training on minibatches stays within a radius of its fixed point, by linear theory and by simulation."""
    from gan_bifurcation.regimes.noise_map import NoiseMap, noise_map
    from gan_bifurcation.studies.computing import inside

    windows = ranges(free)
    made = inside(
        asked.system({name: text.split(",") for name, text in assignments(masses, "--masses").items()}), {}, windows
    )
    options: dict[str, Any] = {
        "batch": batch, "radius": radius, "states": states, "draws": draws, "at": numbers(at, "--at") or None,
        "batches": _sizes(batches), "points": points, "runs": runs, "steps": steps, "step": step, "cells": cells,
        "seed": seed,
    }  # fmt: skip
    found = making.result(
        "noise", made, {"free": windows, **options}, partial(noise_map, made, windows, **options), NoiseMap.load,
        "window", lambda figures, noisy: figures.noise_map(noisy, ax=figures.figure(aspect=0.85)[1]),
    )  # fmt: skip
    if as_json:
        tables = {name: getattr(found, name).rows for name in ("parts", "spreads", "check")}
        put_json({"at": found.at, "crossings": found.crossings, "numbers": found.numbers, **tables})
        return
    for text in found.sentences:
        click.echo(text)
    for row in found.spreads.rows:
        words = ", ".join(f"{name.replace('_', ' ')} {value:.5g}" for name, value in row.items())
        click.echo(f"  {words}")


def _sizes(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise MisuseError(f"--batches takes whole numbers, such as 8,32,128, but got '{text}'.") from None

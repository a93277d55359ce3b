"""The command that measures runs: how fast they turn, over a parameter too, and whether neighbouring runs part."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from gan_bifurcation.cli_arguments import FREE, Asked, about_system, numbers, put_json, ranges
from gan_bifurcation.errors import MisuseError


@click.command("measure")
@about_system
@click.option("--orbit", "initial", multiple=True, required=True, metavar="STATE=NUMBER", help="Where the run begins.")
@click.option("--length", type=float, default=None, help="Steps of the run (20000), of a flow its duration (1000).")
@click.option("--count", type=int, default=None, help="How many Lyapunov exponents, the largest first; all by default.")
@click.option("--free", "free", multiple=True, metavar=FREE, help="Rotation numbers over this parameter (a staircase).")
@click.option("--points", type=int, default=None, help="With --free: values of the parameter (400).")
@click.option(
    "--figure", type=click.Path(path_type=Path), default=None, help="With --free: write the staircase under this name."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def measure(
    asked: Asked,
    initial: tuple[str, ...], length: float | None, count: int | None, free: tuple[str, ...], points: int | None,
    figure: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure a run: rotation number, Lyapunov exponents, regular or chaotic; or rotation numbers over a parameter."""
    from gan_bifurcation.lyapunov import lyapunov_exponents
    from gan_bifurcation.rotation import rotation_number
    from gan_bifurcation.studies.computing import settle

    made = asked.system()
    if free:
        if count is not None:
            raise MisuseError("--count asks for Lyapunov exponents, which are those of one run; leave --free out.")
        _staircase(made, numbers(initial, "--orbit"), ranges(free), length, points, figure, as_json)
        return
    if points is not None or figure is not None:
        raise MisuseError("--points and --figure belong to --free, the parameter that rotation numbers are taken over.")
    orbit = settle(made, numbers(initial, "--orbit"), length)
    if not orbit.outcome.converged:
        raise MisuseError(f"The run has nothing to measure: {orbit.outcome.message}")
    long = {"steps": len(orbit.times) - 1} if made.kind == "map" else {"duration": float(orbit.times[-1])}
    found = lyapunov_exponents(orbit, count=count, **long)
    turns: Any = None
    if made.kind == "map":
        # A run that does not wind has none.
        with suppress(MisuseError):
            turns = rotation_number(orbit, discard=0.5)
    if as_json:
        put_json({
            "rotation_number": None if turns is None else turns.value,
            "rotation_number_error": None if turns is None else turns.error,
            "exponents": list(found.values), "errors": list(found.errors),
            "dimension": found.dimension if found.chaotic else None, "chaotic": found.chaotic,
            "digits": found.digits, "outcome": found.outcome.message,
        })  # fmt: skip
        return
    if turns is not None:
        click.echo(f"rotation number {turns.value:.14g}, uncertain by {turns.error:.1g}")
    for value, error in zip(found.values, found.errors, strict=True):
        click.echo(f"exponent {value:.6g}, standard error {error:.1g}")
    kind = f"chaotic, dimension {found.dimension:.4g}" if found.chaotic else "regular"
    click.echo(f"{kind}; averages of both halves agree to {found.digits:.1f} digits")


def _staircase(
    system: Any, initial: Mapping[str, float], free: Mapping[str, Any], length: float | None, points: int | None,
    figure: Path | None, as_json: bool,
) -> None:  # fmt: skip
    from gan_bifurcation.staircase import rotation_numbers
    from gan_bifurcation.studies.computing import guess, inside

    for name in free:
        system.parameter_index(name)
    system = inside(system, {}, free)
    options: dict[str, Any] = {} if points is None else {"points": points}
    if length is not None:
        if length != int(length):
            raise MisuseError(f"The length of a map's run is a whole number of steps, got {length:g}.")
        options["steps"] = int(length)
    found = rotation_numbers(system, free, guess(system, initial), **options)
    if figure is not None:
        from gan_bifurcation import figures

        drawn, ax = figures.figure()
        figures.staircase(found, ax=ax)
        figures.save(drawn, figure)
    if as_json:
        put_json({
            "parameter": found.parameter, "values": found.values, "rotation_number": found.rotation,
            "rotation_number_error": found.error, "locked_share": found.locked_share,
            "locked": [
                {"turns": s.turns, "iterations": s.iterations, "low": s.low, "high": s.high} for s in found.locked
            ],
        })  # fmt: skip
        return
    seen = [value for value in found.rotation.tolist() if value == value]
    click.echo(f"rotation numbers from {min(seen):.10g} to {max(seen):.10g} at {len(seen)} values of {found.parameter}")
    for step in found.locked:
        click.echo(f"  {step.turns}/{step.iterations:<4} {found.parameter} = {step.low:.10g} to {step.high:.10g}")
    click.echo(f"locked over {100.0 * found.locked_share:.4g} % of the range")

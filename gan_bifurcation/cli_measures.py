"""The command that measures a run: how fast it turns, and whether neighbouring runs part."""

from contextlib import suppress
from typing import Any

import click

from gan_bifurcation.cli_arguments import numbers, put_json, system_of, system_options
from gan_bifurcation.errors import MisuseError


@click.command("measure")
@click.argument("model")
@system_options
@click.option("--orbit", "initial", multiple=True, required=True, metavar="STATE=NUMBER", help="Where the run begins.")
@click.option("--length", type=float, default=None, help="Steps of the run (20000), of a flow its duration (1000).")
@click.option("--count", type=int, default=None, help="How many Lyapunov exponents, the largest first; all by default.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def measure(
    model: str, rule: str, settings: tuple[str, ...], values: tuple[str, ...], ties: tuple[str, ...],
    initial: tuple[str, ...], length: float | None, count: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure a run: rotation number, Lyapunov exponents, regular or chaotic."""
    from gan_bifurcation.lyapunov import lyapunov_exponents
    from gan_bifurcation.rotation import rotation_number
    from gan_bifurcation.studies.computing import settle

    made = system_of(model, rule, settings, values, ties)
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

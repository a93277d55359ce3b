"""The command that finds a whole bifurcation set."""

from pathlib import Path
from typing import Any

import click

from gan_bifurcation.cli_arguments import FREE, Asked, about_system, numbers, put_json, ranges, say, start_option
from gan_bifurcation.errors import MisuseError


@click.command("set")
@about_system
@click.option("--free", "free", multiple=True, required=True, metavar=FREE, help="Two free parameters.")
@start_option
@click.option("--depth", default=0, show_default=True, help="Switches in a row; from 1 on curves of cycles as well.")
@click.option("--box", "box", multiple=True, metavar="STATE=LOW:HIGH", help="Where equilibria are sought.")
@click.option("--seed", default=0, show_default=True)
@click.option("--certify", "proofs", is_flag=True, help="Prove what each point of codimension two is.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder to save the set in.")
@click.option("--figure", type=click.Path(path_type=Path), default=None, help="Write a figure under this name.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def set_command(
    asked: Asked, free: tuple[str, ...], start: tuple[str, ...], depth: int, box: tuple[str, ...], seed: int,
    proofs: bool, out: Path | None, figure: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Find all curves over two parameters, the points that organise them, and which knob moves each curve most."""
    from gan_bifurcation.continuation.bifurcation_set import bifurcation_set
    from gan_bifurcation.studies.computing import guess, inside

    made = asked.system()
    windows = ranges(free)
    for name in windows:
        made.parameter_index(name)
    made = inside(made, {}, windows)
    found = bifurcation_set(
        made, windows, start=guess(made, numbers(start, "--start") or None), depth=depth,
        box=ranges(box, "--box") or None, seed=seed,
    )  # fmt: skip
    badges = {p.name: _proved(p) for p in found.points} if proofs else {}
    knobs = {name: _knob(curve) for name, curve in zip(found.names, found.curves, strict=True)}
    if out is not None:
        found.save(out)
    if figure is not None:
        from gan_bifurcation import figures

        drawn, ax = figures.figure()
        figures.bifurcation_set(found, ax=ax)
        figures.save(drawn, figure)
    points = [
        {
            "name": p.name, "parameters": {name: p.parameters[name] for name in windows}, "state": p.state,
            "normal_form": p.normal_form, "starts": found.starts_of(p.name), "note": p.note,
            **({"certificate": badges[p.name]} if proofs else {}),
        }
        for p in found.points
    ]  # fmt: skip
    if as_json:
        curves = {
            name: {"points": len(c), "of": found.graph.nodes[name]["of"], "moved_by": knobs[name]}
            for name, c in zip(found.names, found.curves, strict=True)
        }
        put_json({"curves": curves, "points": points, "unexplored": found.unexplored})
        return
    click.echo(f"{len(found.curves)} curves over {', '.join(windows)}")
    for name, c in zip(found.names, found.curves, strict=True):
        click.echo(f"  {name:<6} {len(c)} points of {found.graph.nodes[name]['of']}. {knobs[name]}".rstrip())
    for p, entry in zip(found.points, points, strict=True):
        where = ", ".join(f"{name} = {p.parameters[name]:.10g}" for name in windows)
        click.echo(f"  {p.name:<6} {where}  ({', '.join([p.criticality or 'no coefficients', *entry['starts']])})")
        click.echo(f"         {p.normal_form.get('meaning') or p.note}")
        if proofs:
            click.echo(f"         {badges[p.name]['badge']}: {badges[p.name]['statement']}")
    for text in found.unexplored:
        say(text)


def _proved(point: Any) -> dict[str, str]:
    from gan_bifurcation.continuation.certificates import certify

    try:
        found = certify(point)
    except MisuseError as error:
        return {"badge": "not proved", "statement": str(error)}
    return {"badge": found.badge, "statement": found.statement}


def _knob(curve: Any) -> str:
    """What moves a curve most, from its middle; nothing where that is not defined."""
    from gan_bifurcation.continuation.sensitivity import sensitivity

    try:
        return sensitivity(curve.point(len(curve) // 2)).words
    except MisuseError:
        return ""

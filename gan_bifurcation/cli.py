"""The command line. Results go to standard output, everything else to standard error."""

import gc
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from gan_bifurcation import __version__
from gan_bifurcation.cli_arguments import (
    Asked,
    about_system,
    game_of,
    is_file,
    numbers,
    put_json,
    ranges,
    say,
    start_option,
)
from gan_bifurcation.cli_maps import ask, map_command
from gan_bifurcation.cli_measures import measure
from gan_bifurcation.cli_noise import noise
from gan_bifurcation.cli_sets import set_command
from gan_bifurcation.errors import GanBifurcationError, MisuseError, unknown_name

# Modules that take long to import are imported inside commands: `gan-bifurcation --help` answers at once.

_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_MISUSE: Final = 2
_INTERRUPTED: Final = 130
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Group(click.Group):
    """Commands by name, with the nearest name for one that is not there."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise unknown_name("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="gan-bifurcation")
def cli() -> None:
    """Numerical bifurcation analysis of GAN training: where it converges, oscillates or diverges."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command: faults are one sentence on standard error and exit code 2, an interrupt is exit code 130."""
    given = sys.argv[1:] if arguments is None else arguments
    code: Any
    # What compiles and draws makes many objects that live: looking through all of them again took 7 % of the time.
    gc.set_threshold(50_000, 20, 50)
    if arguments is None:
        # Matrices are small, and work is divided among processes: threads of the linear algebra would be in their way.
        for name in _THREADS:
            os.environ.setdefault(name, "1")
    try:
        try:
            code = cli.main(args=given, prog_name="gan-bifurcation", standalone_mode=False)
        finally:
            # All is written or given up: an interrupt from here on would end a whole run with a traceback. A caller
            # who gave arguments goes on after this and still wants to hear of it.
            if arguments is None:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        say(_how_to_go_on(given))
        code = _INTERRUPTED
    except GanBifurcationError as error:
        say(str(error))
        code = _MISUSE
    except click.ClickException as error:
        say(f"{error.format_message().rstrip('.')}. 'gan-bifurcation --help' lists commands and options.")
        code = _MISUSE
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; there is nobody left to tell.
        sys.stderr.close()
        code = 1
    # The interpreter would look through everything once more on its way out: a second after a study.
    gc.freeze()
    sys.exit(code if isinstance(code, int) else 0)


def _how_to_go_on(given: list[str]) -> str:
    kept = given[:1] == ["run"] or (given[:1] in (["map"], ["noise"]) and any(w.startswith("--out") for w in given))
    if kept:
        again = shlex.join(["gan-bifurcation", *given])
        return f"Interrupted; finished parts are kept, and the same command goes on: {again}"
    return "Interrupted; nothing was written."


cli.add_command(map_command)
cli.add_command(ask)
cli.add_command(measure)
cli.add_command(noise)
cli.add_command(set_command)

# -- commands -------------------------------------------------------------------------------------------------------


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def models(as_json: bool) -> None:
    """List the models, each with one sentence and the keys of its papers."""
    from gan_bifurcation import models as shipped
    from gan_bifurcation.reports.facts import first_sentence

    found = {}
    for name in shipped.names():
        try:
            function = shipped.get(name)
            paper = game_of(name).paper
        except GanBifurcationError as error:
            # One package of somebody else does not keep the others from being listed.
            say(str(error))
            continue
        found[name] = {
            "description": first_sentence(function),
            "paper": paper.partition("{")[2].partition(",")[0] or paper,
        }
    for problem in shipped.problems():
        say(problem)
    if as_json:
        put_json(found)
        return
    width = max(len(name) for name in found)
    for name, entry in found.items():
        click.echo(f"{name:<{width}}  {entry['description']}" + (f" [{entry['paper']}]" if entry["paper"] else ""))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def studies(as_json: bool) -> None:
    """List the studies that ship, each with its title; `gan-bifurcation run NAME` runs one."""
    from gan_bifurcation.studies.reading import read_study, shipped_studies

    titles = {name: read_study(name).study.title for name in shipped_studies()}
    if as_json:
        put_json(titles)
        return
    width = max(len(name) for name in titles)
    for name, title in titles.items():
        click.echo(f"{name:<{width}}  {title}")


@cli.command()
@about_system
@click.option("--latex", is_flag=True, help="Equations in LaTeX.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(asked: Asked, latex: bool, as_json: bool) -> None:
    """Show a model (or a game file): equations under an update rule, parameters, and what is known of it."""
    from gan_bifurcation.reports.facts import about, as_lines

    known = about(asked.system(), "" if is_file(asked.model) else asked.model, latex)
    if as_json:
        put_json(known)
        return
    for line in as_lines(known):
        click.echo(line)


@cli.command()
@click.argument("study")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder of the results; the study's name by default."
)
@click.option("--jobs", type=int, default=None, help="Processes; as many as there are processors by default.")
@click.option("--dask", default="", metavar="ADDRESS", help="Make the runs of regime maps on this Dask cluster.")
@click.option("--report/--no-report", "with_report", default=True, help="Whether to write report.html and report.md.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def run(study: str, out: Path | None, jobs: int | None, dask: str, with_report: bool, as_json: bool) -> None:
    """Run a study (a TOML file, or the name of a shipped one), or go on with it."""
    from gan_bifurcation.studies.pools import pool
    from gan_bifurcation.studies.running import run_study

    jobs = min(os.cpu_count() or 1, 8) if jobs is None else jobs
    with pool(1, dask) as executor, _bars() as report:
        results = run_study(study, out, jobs, report, executor)
    if with_report:
        from gan_bifurcation.reports.writing import write_report

        say("Writing the report.")
        write_report(results, results.folder, jobs)
    agree = sum(c.agrees for c in results.claims)
    say(f"Done: {len(results.summary['parts'])} parts, {agree} of {len(results.claims)} claims agree.")
    if as_json:
        put_json(_of_results(results))
    else:
        click.echo(str(results.folder / "report.html" if with_report else results.folder))


def _of_results(results: Any) -> dict[str, Any]:
    return {
        "folder": str(results.folder),
        "title": results.title,
        "parts": results.summary["parts"],
        "claims": results.summary["claims"],
        "special_points": {
            name: [_of_point(p) for p in branch.special_points]
            for name, branch in {**results.branches, **results.curves}.items()
        },
    }


def _of_point(point: Any) -> dict[str, Any]:
    return {
        "name": point.name,
        "label": point.label,
        "criticality": point.criticality,
        "parameters": {k: point.parameters[k] for k in point.free},
        **_turning(point),
    }


def _turning(point: Any) -> dict[str, float]:
    """The period of a cycle or the rotation number of a circle."""
    if point.profile is None:
        return {}
    return {"period": point.period} if point.kind == "cycle" else {"rotation_number": point.rotation_number}


@contextmanager
def _bars() -> Iterator[Callable[[Any], None]]:
    """A bar for the parts and one for the part at work, on standard error; lines where that is no terminal."""
    if not sys.stderr.isatty():

        def line(progress: Any) -> None:
            if progress.event == "done":
                say(f"[{progress.done}/{progress.total}] {progress.part}")
            elif progress.event == "note":
                say(progress.text)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # No thread of its own: a process with threads is not forked.
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bars:
        whole = bars.add_task("study", total=None)
        inner = bars.add_task("", total=100, visible=False)

        def show_bar(progress: Any) -> None:
            if progress.event == "note":
                bars.console.print(progress.text)
            bars.update(whole, completed=progress.done, total=progress.total, description=progress.part or "study")
            bars.update(
                inner, completed=100 * progress.fraction, visible=progress.event == "within", description=progress.text
            )
            bars.refresh()

        yield show_bar


@cli.command()
@about_system
@click.option(
    "--free",
    "free",
    multiple=True,
    required=True,
    metavar="NAME=LOW:HIGH[:log]",
    help="One free parameter, or two with --from.",
)
@start_option
@click.option(
    "--from",
    "begin",
    default="",
    metavar="LABEL",
    help="Two free parameters: the special point of the first one's branch.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="LABEL",
    help="Go on to what begins at this special point: cycles at H1, circles at NS1, ...; again for a point of those.",
)
@click.option(
    "--orbit",
    "initial",
    multiple=True,
    metavar="STATE=NUMBER",
    help="Begin at the cycle or circle that a run from this state settles on.",
)
@click.option(
    "--length",
    type=float,
    default=None,
    help="With --orbit: steps of the run (20000), of a flow its duration (1000).",
)
@click.option(
    "--figure", type=click.Path(path_type=Path), default=None, help="Write a figure (SVG and PNG) under this name."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def trace(
    asked: Asked, free: tuple[str, ...], start: tuple[str, ...], begin: str, switches: tuple[str, ...],
    initial: tuple[str, ...], length: float | None, figure: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Trace the model's equilibrium over a parameter, what begins at its special points, or their curve over two."""
    from gan_bifurcation.continuation.equilibria import point
    from gan_bifurcation.continuation.trace import trace as follow
    from gan_bifurcation.studies.beginnings import begin_at, begin_on
    from gan_bifurcation.studies.computing import guess, inside, settle

    windows = ranges(free)
    if len(windows) > 2 or (len(windows) == 2) != bool(begin):
        raise MisuseError(
            "Give one --free for a branch; for a curve give two, and --from with the label where it begins: --from NS1."
        )
    made = asked.system()
    for name in windows:
        made.parameter_index(name)
    made = inside(made, {}, windows)
    first = dict([next(iter(windows.items()))])
    if initial:
        branches = [follow(begin_on(settle(made, numbers(initial, "--orbit"), length)), first)]
    elif length is not None:
        raise MisuseError("--length belongs to --orbit, the state that a run begins at; give both or neither.")
    else:
        branches = [follow(point(made, guess(made, numbers(start, "--start") or None)), first)]
    for label in switches:
        branches.append(follow(begin_at(branches[-1][label]), first))
    found = follow(branches[-1][begin], windows) if begin else branches[-1]
    if figure is not None:
        from gan_bifurcation import figures

        drawn, ax = figures.figure()
        if (switches or initial) and not begin:
            figures.bifurcation_diagram(branches, ax=ax)
        else:
            (figures.bifurcation_set if begin else figures.spectral_radius)(found, ax=ax)
        figures.save(drawn, figure)
    if as_json:
        columns = {name: found.column(name) for name in (*found.free, *(found.measures if found.profiles else ()))}
        put_json({
            "curve": found.curve, "points": columns, "unstable": found.unstable,
            "special_points": [_of_point(p) for p in found.special_points],
            "outcome": [o.message for o in found.outcome],
        })  # fmt: skip
        return
    click.echo(f"{len(found)} points of {found.curve} over {', '.join(found.free)}")
    for p in found.special_points:
        where = ", ".join(f"{k} = {p.parameters[k]:.10g}" for k in found.free)
        more = [f"{k.replace('_', ' ')} {v:.10g}" for k, v in _turning(p).items()]
        words = ", ".join([*more, *([p.criticality] if p.criticality else [])])
        click.echo(f"  {p.name:<6} {where}" + (f"  ({words})" if words else ""))
    for outcome in found.outcome:
        click.echo(f"  {outcome.message}")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--columns", default="", metavar="NAMES", help="Names of columns, separated by commas; all by default.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def judge(file: Path, columns: str, as_json: bool) -> None:
    """Judge a recorded training run (a CSV file of losses or parameters): converging, rotating, diverging, ..."""
    from gan_bifurcation.regimes.judged_records import judge as judged

    found = judged(file, [name.strip() for name in columns.split(",") if name.strip()] or None)
    if as_json:
        put_json(found.to_dict())
    else:
        click.echo(f"{found.message} Confidence {found.confidence:.2f}, from {found.samples} samples.")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write report.html and report.md of a folder of results again."""
    from gan_bifurcation.reports.writing import write_report
    from gan_bifurcation.studies.results import load

    click.echo(str(write_report(load(folder), folder)))


@cli.command()
@click.argument("model")
def cite(model: str) -> None:
    """Print the BibTeX entries of a model's papers."""
    from gan_bifurcation import models as shipped

    keys = game_of(model).paper
    if not keys:
        raise MisuseError(f"The model '{model}' is of no paper.")
    click.echo(shipped.citation(keys))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check that what is installed works: versions, compiled kernels, a small branch against its closed form."""
    from gan_bifurcation.studies.checkup import checkup

    checks = checkup()
    if as_json:
        put_json([{"check": c.name, "ok": c.ok, "text": c.text} for c in checks])
    else:
        for c in checks:
            click.echo(f"{'ok ' if c.ok else 'BAD'} {c.name}: {c.text}")
    if not all(c.ok for c in checks):
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()

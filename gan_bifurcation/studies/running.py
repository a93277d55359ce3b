"""Running a study: part by part, each written when it is done, taken up again where it stopped."""

import hashlib
import json
import logging
import platform
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gan_bifurcation
from gan_bifurcation.errors import GanBifurcationError, MisuseError, ResultsError, StudyFileError
from gan_bifurcation.records import remember, write_atomically
from gan_bifurcation.studies import rehearsal
from gan_bifurcation.studies.plan import FORMAT, Part, plan
from gan_bifurcation.studies.pools import beside, can_fork
from gan_bifurcation.studies.reading import StudyFile, read_study
from gan_bifurcation.studies.results import Claim, Results, load, part_base, read_json, text_hash
from gan_bifurcation.studies.systems import all_systems, game_files
from gan_bifurcation.system import System

if TYPE_CHECKING:
    from gan_bifurcation.studies.computing import Workshop

# Modules that compute and draw are imported inside functions: for as long as that takes, another process derives the
# systems.

_logger = logging.getLogger(__name__)

_PACKAGES: Final = ("numpy", "scipy", "numba", "sympy", "shapely", "networkx", "matplotlib", "PyDSTool")
_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {"figure": (".svg", ".png")}


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    done, total : int
        Parts.
    part : str
        The one that this is about.
    event : str
        "begins", "done", "kept" (from an earlier run), "within" (some way through it) or "note".
    text : str
        For people.
    fraction : float
        Of this part.
    """

    done: int
    total: int
    part: str
    event: str
    text: str = ""
    fraction: float = 0.0


Report = Callable[[Progress], Any]


def run_study(
    source: str | Path,
    out: str | Path | None = None,
    jobs: int = 1,
    progress: Report | None = None,
    executor: Executor | None = None,
) -> Results:
    """Run a study, or go on with it where an earlier run stopped.

    Parameters
    ----------
    source : path or str
        A TOML file, or the name of a shipped study.
    out : path, optional
        The folder of the results; the name of the study by default. What it holds already of this study is kept.
    jobs : int
        How many processes compute parts.
    progress : callable, optional
        Called with a `Progress`.
    executor : concurrent.futures.Executor, optional
        Where the runs of regime maps are made, one part after the other; `jobs` counts for nothing then.

    Returns
    -------
    Results

    Raises
    ------
    StudyFileError
        If the study cannot be run as it stands.
    ResultsError
        If the folder cannot be written.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= 256:
        raise MisuseError(f"The number of jobs is a whole number from 1 to 256, but got {jobs!r}.")
    file = read_study(source)
    folder = Path(out) if out is not None else Path(file.name)
    several = jobs > 1 and executor is None
    derive = partial(_derived, file)
    with beside(derive) if several else nullcontext(derive) as derived:
        if several and can_fork():
            rehearsal.load({kind for kind, _ in file.study.sections()})
        systems, parts = derived()
    remember(systems.values())
    report = progress or (lambda _: None)
    _keep_study(folder, file, report, len(parts))
    finished = {p.identifier for p in parts if _is_done(folder, p)}
    from gan_bifurcation.studies.computing import Workshop

    workshop = Workshop(systems, folder, file.study.seed, executor)
    for p in parts:
        if p.identifier in finished:
            report(Progress(len(finished), len(parts), p.identifier, "kept", "from an earlier run"))
    left = [p for p in parts if p.identifier not in finished]
    claims: list[Claim] | None = None
    counter = _Counter(report, len(parts), len(finished))
    if not several or len(left) < 2:
        for part in left:
            counter.begins(part)
            _make(workshop, parts, part, counter.within(part))
            counter.done(part)
    else:
        claims = _make_in_processes(file, systems, parts, left, folder, jobs, counter)
    if claims is None:
        from gan_bifurcation.studies.claims import check_claims

        claims = check_claims(file.study, systems, _getter(workshop, parts))
    _summarise(folder, file, systems, parts, [asdict(c) for c in claims])
    loaded = load(folder)
    # What is in memory need not be read again.
    return Results(loaded.folder, loaded.file, loaded.summary, systems, workshop.known(parts))


def _derived(file: StudyFile) -> tuple[dict[str, System], tuple[Part, ...]]:
    systems = all_systems(file.study, file.folder)
    return systems, plan(file.study, systems, file.folder)


class _Counter:
    """Counts finished parts and tells about them."""

    def __init__(self, report: Report, total: int, finished: int) -> None:
        self.report, self.total, self.finished = report, total, finished

    def begins(self, part: Part) -> None:
        self.report(Progress(self.finished, self.total, part.identifier, "begins"))

    def within(self, part: Part) -> Callable[[int, int, str], bool]:
        def tell(done: int, total: int, text: str) -> bool:
            share = done / total if total else 0.0
            self.report(Progress(self.finished, self.total, part.identifier, "within", text, share))
            return True

        return tell

    def done(self, part: Part) -> None:
        self.finished += 1
        self.report(Progress(self.finished, self.total, part.identifier, "done"))


class _Named:
    """Errors inside name the part that they are about."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, GanBifurcationError) and not isinstance(error, ResultsError):
            raise StudyFileError(f"In {self.part.kind} '{self.part.name}': {error}") from error


def _getter(workshop: "Workshop", parts: Sequence[Part]) -> Callable[[str], Any]:
    by_name = {p.name: p for p in parts if p.kind != "figure"}

    def get(name: str) -> Any:
        return workshop.get(by_name[name].identifier, by_name[name].system)

    return get


def _make(
    workshop: "Workshop", parts: Sequence[Part], part: Part, tell: Callable[[int, int, str], bool] | None
) -> None:
    """Compute or draw a part, and mark it as finished."""
    began = time.perf_counter()
    with _Named(part):
        if part.kind == "figure":
            from gan_bifurcation.studies.drawing import Drawer

            system_of = {p.name: workshop.systems[p.system] for p in parts if p.system in workshop.systems}
            Drawer(_getter(workshop, parts), system_of.__getitem__, workshop.folder).draw(part.section)
        else:
            workshop.compute(part, tell)
    _mark_done(workshop.folder, part, time.perf_counter() - began)


def _make_in_processes(
    file: StudyFile,
    systems: Mapping[str, System],
    parts: tuple[Part, ...],
    left: Sequence[Part],
    folder: Path,
    jobs: int,
    counter: _Counter,
) -> list[Claim]:
    """Parts in other processes, each as soon as what it needs is there, those that take longest first; and the claims.

    These are checked while figures are drawn.
    """
    waiting = {p.identifier: p for p in sorted(left, key=_haste)}
    ready = {p.identifier for p in parts} - set(waiting)
    running: dict[Future[Any], Part | None] = {}
    claims: Future[list[Claim]] | None = None
    # Starting a process from nothing takes as long as many parts.
    forked = can_fork()
    begin = (file, str(folder), (dict(systems), parts) if forked else None)
    compiles = rehearsal.is_needed()
    context = get_context("fork" if forked else "spawn")
    with warnings.catch_warnings(), ProcessPoolExecutor(jobs, context, _prepare, begin) as pool:
        # Python also counts the idle threads of the linear algebra, which do not mind.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        try:
            if compiles and any(p.kind != "figure" for p in left):
                running[pool.submit(rehearsal.rehearse)] = None
            while waiting or running or claims is None:
                # No more than can be worked on: what becomes ready later may be more urgent.
                able = [p for p in waiting.values() if set(p.needs) <= ready]
                if claims is None and all(p.kind == "figure" for p in [*waiting.values(), *running.values()] if p):
                    claims = pool.submit(_check_there)
                    running[claims] = None
                for part in able[: jobs - len(running)]:
                    del waiting[part.identifier]
                    counter.begins(part)
                    running[pool.submit(_make_there, part.identifier)] = part
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    made = running.pop(future)
                    if future is claims:
                        # A claim that cannot be checked is said when all figures are there.
                        continue
                    future.result()
                    if made is not None:
                        ready.add(made.identifier)
                        counter.done(made)
            assert claims is not None
            return claims.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_HASTE: Final[Mapping[str, int]] = {
    "branch": 0, "map": 1, "set": 1, "tongues": 1, "basins": 1, "noise": 1, "staircase": 2, "table": 2, "curve": 3,
}  # fmt: skip


def _haste(part: Part) -> int:
    """Smaller for what others wait for and for what takes long."""
    if part.kind == "figure":
        return 4 if part.section.kind == "heat_map" else 5
    return _HASTE.get(part.kind, 4)


# What a process that computes parts keeps between them.
_there: dict[str, Any] = {}


def _prepare(file: StudyFile, folder: str, known: tuple[dict[str, System], tuple[Part, ...]] | None) -> None:
    """In another process, once: the systems and the plan, which a forked process has."""
    # An interrupt reaches every process of the terminal; only the first one answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from gan_bifurcation.studies.computing import Workshop

    systems, _there["parts"] = known or _derived(file)
    remember(systems.values())
    _there["study"] = file.study
    _there["workshop"] = Workshop(systems, Path(folder), file.study.seed)


def _make_there(identifier: str) -> None:
    """In another process: one part of the study."""
    parts = _there["parts"]
    _make(_there["workshop"], parts, next(p for p in parts if p.identifier == identifier), None)


def _check_there() -> list[Claim]:
    """In another process: the claims."""
    from gan_bifurcation.studies.claims import check_claims

    workshop: Workshop = _there["workshop"]
    return check_claims(_there["study"], workshop.systems, _getter(workshop, _there["parts"]))


# -- what is on disk ------------------------------------------------------------------------------------------------


def _keep_study(folder: Path, file: StudyFile, report: Report, total: int) -> None:
    """Store the study as run, and notice one that has changed."""
    stored = folder / "study.toml"
    try:
        if folder.exists() and not folder.is_dir():
            raise ResultsError(f"'{folder}' is a file, but results need a folder; choose another one with --out.")
        # One that is damaged has changed: each part has a key of all that it was computed from.
        before = stored.read_text(encoding="utf-8", errors="replace") if stored.exists() else None
    except OSError as error:
        raise ResultsError(f"Cannot read '{stored}' ({type(error).__name__}); choose another folder.") from error
    results = (folder / "results.json").exists() and (folder / "parts").is_dir()
    strange = folder.is_dir() and any(p for p in folder.iterdir() if not p.name.startswith("."))
    if before is None and strange and not results:
        raise ResultsError(
            f"'{folder}' holds other files and no study; choose an empty folder or one of an earlier run."
        )
    if before is not None and before != file.text:
        text = "The study has changed since the folder was written: parts that it concerns are computed again."
        _logger.info(text)
        report(Progress(0, total, "", "note", text))
    for name, data in game_files(file.study, file.folder).items():
        # Results are whole without the folder that the study came from.
        write_atomically(folder / name, data)
    if before != file.text:
        write_atomically(stored, file.text.encode())


def _marker(folder: Path, part: Part) -> Path:
    return folder / "parts" / f"{part.identifier}.json"


def _is_done(folder: Path, part: Part) -> bool:
    """Whether a part was finished, by this version of the study, and its files are there."""
    try:
        record = read_json(_marker(folder, part))
    except ResultsError:
        return False
    return record.get("key") == part.key and record.get("files") == _sums(folder, part)


def _sums(folder: Path, part: Part) -> dict[str, str]:
    """Checksums of the files of a part: what is damaged or missing is computed again."""
    base = part_base(folder, part.kind, part.name)
    paths = [base.with_name(base.name + s) for s in _SUFFIXES.get(part.kind, (".npz", ".json"))]
    if part.kind in ("map", "set", "tongues", "noise"):
        paths = sorted(p for p in base.glob("*") if p.is_file() and not p.name.startswith("."))
    elif (written := base.with_name(base.name + ".csv")).exists():
        paths.append(written)
    try:
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in paths}
    except OSError:
        return {}


def _mark_done(folder: Path, part: Part, seconds: float) -> None:
    record = {
        "key": part.key, "kind": part.kind, "name": part.name, "seconds": round(seconds, 3),
        "files": _sums(folder, part),
    }  # fmt: skip
    write_atomically(_marker(folder, part), json.dumps(record).encode())


def _summarise(folder: Path, file: StudyFile, systems: Mapping[str, Any], parts: tuple[Part, ...], claims: Any) -> None:
    """results.json: everything that a report says besides the data of the parts; the graph of the first map."""
    records = [read_json(_marker(folder, p)) for p in parts]
    summary = {
        "format": FORMAT,
        "study": file.name,
        "study_hash": text_hash(file.text),
        "title": file.study.title,
        "parts": [{k: r[k] for k in ("kind", "name", "seconds")} for r in records],
        "systems": {name: _system_summary(system) for name, system in systems.items()},
        "claims": claims,
        "provenance": provenance(file),
    }
    for part in parts:
        if part.kind == "map":
            for name in ("graph.json", "graph.graphml"):
                source = part_base(folder, part.kind, part.name) / name
                if source.exists():
                    write_atomically(folder / name, source.read_bytes())
            break
    write_atomically(folder / "results.json", json.dumps(summary, indent=1).encode())


def _system_summary(system: Any) -> dict[str, Any]:
    return {
        "name": system.name, "kind": system.kind, "description": system.description, "states": list(system.states),
        "parameters": dict(system.parameters), "paper": system.game.paper if system.game else "",
        "rule": repr(system.rule) if system.rule is not None else "", "domain": [list(d) for d in system.domain],
        "game": system.game.name if system.game else "",
    }  # fmt: skip


def provenance(file: StudyFile) -> dict[str, Any]:
    """Versions, seeds, tolerances and the command that makes the same results."""
    found = {"gan_bifurcation": gan_bifurcation.__version__, "python": platform.python_version()}
    found |= dict(_versions())
    return {
        "versions": found,
        "seed": file.study.seed,
        "tolerances": {
            "located points": "relative residual below 1e-12",
            "regime maps": {m.name: m.tolerance for m in file.study.map},
        },
        "command": f"gan-bifurcation run {file.name}",
    }


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue

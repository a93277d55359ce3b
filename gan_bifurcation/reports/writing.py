"""Writing report.html, self-contained, and report.md."""

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gan_bifurcation.errors import ResultsError
from gan_bifurcation.records import write_atomically
from gan_bifurcation.reports.content import content
from gan_bifurcation.reports.drawings import slim
from gan_bifurcation.reports.linked import Group, drawings, groups
from gan_bifurcation.studies.pools import beside
from gan_bifurcation.studies.results import Figure, Results

# Larger drawings are shown as pixels, and so are those that come after this much.
_MOST_BYTES: Final = 1 << 20
_MOST_OF_ALL: Final = 12 << 20


def write_report(results: Results, folder: str | Path | None = None, jobs: int = 1) -> Path:
    """Write ``report.html`` and ``report.md`` of a study's results.

    Parameters
    ----------
    results : Results
        Of :func:`gan_bifurcation.run_study` or :func:`gan_bifurcation.load`.
    folder : path, optional
        That of the results by default.
    jobs : int
        With more than one, what is drawn for the page is drawn in a second process, where processes can be forked.

    Returns
    -------
    Path
        Of ``report.html``. It holds its figures and needs no network; without scripts it shows all the same.

    Raises
    ------
    ResultsError
        If the folder cannot be written, or a figure is missing.
    """
    where = Path(folder) if folder is not None else results.folder
    draw = partial(drawings, results)
    with beside(draw) if jobs > 1 and results.maps else nullcontext(draw) as drawn:
        said = content(results)
        linked = groups(results, drawn)
    html = _environment(escape=True).get_template("report.html.jinja")
    markdown = _environment(escape=False).get_template("report.md.jinja")
    placed = {key: d.identifier for g in linked.values() for d in g.drawings for key in d.about.get("figure", ())}
    images: dict[str, str] = {}
    for figure in said["figures"]:
        if figure.name not in placed:
            images[figure.name] = _data_uri(figure, _MOST_OF_ALL - sum(map(len, images.values())))
    said["noise_beside"] = _beside(results, where, "noise")
    said["tables_beside"] = _beside(results, where, "tables")
    page = html.render(**said, **_live(linked, results), images=images, placed=placed)
    write_atomically(where / "report.html", page.encode())
    write_atomically(where / "report.md", markdown.render(**said, beside=_beside(results, where, "figures")).encode())
    return where / "report.html"


def _live(linked: Mapping[str, Group], results: Results) -> dict[str, Any]:
    """What the page needs to link its drawings: their markup, the data of its script, the script and its checksum."""
    script = resources.files(__package__).joinpath("templates", "page.js").read_text(encoding="utf-8")
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    data = {"groups": [_record(group) for group in linked.values()]}
    return {
        "groups": linked,
        "placed_numbers": {name: number for number, name in enumerate(results.figures, 1)},
        "script": Markup(script),
        "script_hash": Markup(f"sha256-{checksum}"),
        # A word in it can neither end the element nor begin a comment.
        "page_data": Markup(json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")),
    }


def _record(group: Group) -> dict[str, Any]:
    drawings = [
        {"id": d.identifier, "role": d.role, "about": dict(d.about), **d.drawing.record()} for d in group.drawings
    ]
    return {**group.about, "drawings": drawings}


def _environment(*, escape: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("gan_bifurcation.reports"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["markup"] = Markup
    made.filters["cell"] = _cell
    made.filters["image"] = _as_uri
    return made


def _cell(value: Any) -> str:
    """Text for a cell of a Markdown table: one line, nothing that ends the cell or begins HTML."""
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _data_uri(figure: Figure, room: int) -> str:
    """A figure inside the page: as an image nothing in it can run, and as pixels where lines would take too much."""
    path = figure.path.with_name(figure.path.name + ".svg")
    try:
        data = slim(path.read_bytes())
        if len(data) > min(_MOST_BYTES, room):
            return "data:image/png;base64," + base64.b64encode(path.with_suffix(".png").read_bytes()).decode()
    except OSError as error:
        raise ResultsError(
            f"The figure '{figure.name}' is missing; run the study again with the same folder."
        ) from error
    return _as_uri(data)


def _as_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _beside(results: Results, where: Path, kind: str) -> str:
    """A folder of the results as seen from the report."""
    return kind if where.resolve() == results.folder.resolve() else (results.folder / kind).resolve().as_posix()

"""Writing report.html, self-contained, and report.md."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gan_bifurcation.errors import ResultsError
from gan_bifurcation.records import write_atomically
from gan_bifurcation.reports.content import content
from gan_bifurcation.studies.results import Figure, Results


def write_report(results: Results, folder: str | Path | None = None) -> Path:
    """Write ``report.html`` and ``report.md`` of a study's results.

    Parameters
    ----------
    results : Results
        Of :func:`gan_bifurcation.run_study` or :func:`gan_bifurcation.load`.
    folder : path, optional
        That of the results by default.

    Returns
    -------
    Path
        Of ``report.html``. It holds its figures and needs no network and no script.

    Raises
    ------
    ResultsError
        If the folder cannot be written, or a figure is missing.
    """
    where = Path(folder) if folder is not None else results.folder
    said = content(results)
    html = _environment(escape=True).get_template("report.html.jinja")
    markdown = _environment(escape=False).get_template("report.md.jinja")
    images = {figure.name: _data_uri(figure) for figure in said["figures"]}
    said["tables_beside"] = _beside(results, where, "tables")
    write_atomically(where / "report.html", html.render(**said, images=images).encode())
    write_atomically(where / "report.md", markdown.render(**said, beside=_beside(results, where, "figures")).encode())
    return where / "report.html"


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
    return made


def _cell(value: Any) -> str:
    """Text for a cell of a Markdown table: one line, nothing that ends the cell or begins HTML."""
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _data_uri(figure: Figure) -> str:
    """A figure inside the page: as an image nothing in it can run."""
    path = figure.path.with_name(figure.path.name + ".svg")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ResultsError(
            f"The figure '{figure.name}' is missing; run the study again with the same folder."
        ) from error
    return "data:image/svg+xml;base64," + base64.b64encode(data).decode()


def _beside(results: Results, where: Path, kind: str) -> str:
    """A folder of the results as seen from the report."""
    return kind if where.resolve() == results.folder.resolve() else (results.folder / kind).resolve().as_posix()

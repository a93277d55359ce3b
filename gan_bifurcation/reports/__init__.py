"""Reports: what a study found, as HTML in one file and as Markdown."""

from typing import Final

from gan_bifurcation.lazy import lazy_names

_HOMES: Final = {
    "answers": "gan_bifurcation.reports.answers",
    "write_report": "gan_bifurcation.reports.writing",
}
__all__ = sorted(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

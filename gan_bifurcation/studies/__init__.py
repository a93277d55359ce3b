"""Studies: TOML files that say what to compute, run part by part, resumed where they stopped."""

from typing import Final

from gan_bifurcation.lazy import lazy_names

_HOMES: Final = {
    name: f"gan_bifurcation.studies.{module}"
    for module, names in {
        "reading": ("read_study", "shipped_studies"),
        "results": ("Results", "load"),
        "running": ("Progress", "run_study"),
        "schema": ("Study",),
    }.items()
    for name in names
}
__all__ = sorted(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

"""Figures: one style, functions that take ``ax=None`` and return the Axes."""

from typing import Final

from gan_bifurcation.lazy import lazy_names

_HOMES: Final = {
    name: f"gan_bifurcation.figures.{module}"
    for module, names in {
        "basins": ("basins",),
        "branches": ("bifurcation_diagram",),
        "circles": ("tongues",),
        "cycles": ("profile", "profiles", "resolution"),
        "field_panels": ("field_panels", "mescheder_games", "mescheder_rules", "orbit_panels"),
        "fields": ("vector_field",),
        "graphs": ("regime_graph",),
        "lines": ("lines", "time_series"),
        "noise": ("noise_map", "noise_spreads"),
        "paths": ("path_angle",),
        "sets": ("bifurcation_set", "regime_map"),
        "slices": ("slices",),
        "spectra": ("spectral_radius", "spectrum_path"),
        "staircase": ("staircase",),
        "surfaces": ("heat_map", "landscape"),
        "style": ("figure",),
        "writing": ("save", "save_all"),
    }.items()
    for name in names
}
__all__ = sorted(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

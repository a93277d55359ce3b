"""Regimes: where training converges, oscillates, stalls or diverges, as faces of the plane and as a graph."""

from typing import Final

from gan_bifurcation.lazy import lazy_names

_HOMES: Final[dict[str, str]] = {
    name: f"gan_bifurcation.regimes.{module}"
    for module, names in {
        "comparison": ("Comparison", "compare"),
        "following": ("AttractorPath", "follow_attractors"),
        "graph": ("from_graphml", "from_json"),
        "judged_records": ("Judgement", "judge"),
        "regime": ("Border", "Regime", "RegimeMap"),
        "regime_map": ("regime_map",),
        "attractor_set": ("AttractorSet", "wilson"),
        "attractors": ("Attractor",),
        "basin_picture": ("BasinPicture", "basins"),
        "basins": ("attractors",),
        "noise": ("MeasuredSpread", "Spread", "measured_spread", "stationary_spread"),
        "noise_border": ("NoisyBorder", "noisy_border"),
        "noise_draws": ("sampled_masses",),
        "noise_map": ("NoiseMap", "noise_map"),
        "noise_runs": ("NoisyRuns", "simulate_noisy"),
        "stack": ("RegimeStack", "regime_stack"),
        "verdicts": ("LocalVerdict", "Verdict", "Verdicts", "classify", "classify_many", "local_verdict"),
    }.items()
    for name in names
}

__all__ = sorted(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

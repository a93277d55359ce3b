"""Continuation: curve problems, the tracer, starts and normal forms."""

from typing import Final

from gan_bifurcation.lazy import lazy_names

_HOMES: Final = {
    name: f"gan_bifurcation.continuation.{module}"
    for module, names in {
        "trace": ("trace",),
        "codimension_two_starts": ("curves_from",),
        "homoclinic_starts": ("cycle_to_homoclinic",),
        "circle_starts": ("neimark_sacker_to_circles", "orbit_to_circle"),
        "tongues": ("Tongue", "arnold_tongue", "arnold_tongues"),
        "march": ("StepControl",),
        "events": ("Event",),
        "equilibria": ("find_equilibria", "point"),
        "manifolds": ("transverse_spectrum",),
        "normal_forms": ("normal_form",),
        "bifurcation_set": ("BifurcationSet", "bifurcation_set"),
        "sensitivity": ("Sensitivity", "sensitivity"),
        "certificates": ("Certificate", "certify"),
        "starts": ("Start", "branch_point_to_branch", "flip_to_period_two"),
        "spectra": ("spectrum",),
        "collocation_starts": ("fixed_period", "hopf_to_cycles", "orbit_to_cycle"),
    }.items()
    for name in names
}
__all__ = sorted(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

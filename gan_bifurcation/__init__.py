"""Numerical bifurcation analysis of GAN training: where it converges, oscillates or diverges.

A game and an update rule make a system; a curve problem on a system is traced into a branch; branches and attractors
make the regime map, and its graph is the record of where training converges, oscillates or diverges.

>>> import gan_bifurcation as gb
>>> game = gb.models.dirac_gan(gamma=0.3)
>>> game.discriminator.states, game.generator.states
(('psi',), ('theta',))

Importing this package loads numpy at most: every public name is loaded when it is first used.
"""

from typing import Final

from gan_bifurcation.lazy import lazy_names

__version__ = "0.1.0"

# Where each public name lives.
_HOMES: Final[dict[str, str]] = {
    name: f"gan_bifurcation.{module}"
    for module, names in {
        "branch": ("Branch", "Point"),
        "continuation": (
            "BifurcationSet",
            "Certificate",
            "Event",
            "Sensitivity",
            "StepControl",
            "Tongue",
            "arnold_tongue",
            "arnold_tongues",
            "bifurcation_set",
            "branch_point_to_branch",
            "certify",
            "curves_from",
            "cycle_to_homoclinic",
            "find_equilibria",
            "fixed_period",
            "flip_to_period_two",
            "hopf_to_cycles",
            "neimark_sacker_to_circles",
            "normal_form",
            "orbit_to_circle",
            "orbit_to_cycle",
            "point",
            "sensitivity",
            "spectrum",
            "trace",
            "transverse_spectrum",
        ),
        "costs": ("TrainingCost", "training_cost"),
        "errors": (
            "GanBifurcationError",
            "MisuseError",
            "Outcome",
            "ResultsError",
            "StudyFileError",
            "UnknownNameError",
        ),
        "conformance": ("check_game", "check_rule"),
        "expressions": ("Mean", "NodeTable", "symbol"),
        "derived": ("iterate", "restrict", "tie"),
        "facts": ("DomainBound", "Ending", "Equilibrium", "Symmetry"),
        "game": ("Game", "Player"),
        "game_files": ("load_game",),
        "simulate": ("Orbit", "simulate"),
        "staircase": ("Staircase", "rotation_numbers"),
        "interop": ("register", "to_contclass", "to_pointset", "to_trajectory"),
        "lyapunov": ("LyapunovExponents", "lyapunov_exponents"),
        "paths": ("PathAngle", "path_angle"),
        "poincare": ("cycle_of", "poincare"),
        "ranges": ("Range", "log_range"),
        "regimes": (
            "AttractorPath",
            "AttractorSet",
            "BasinPicture",
            "Comparison",
            "Judgement",
            "MeasuredSpread",
            "NoiseMap",
            "NoisyBorder",
            "NoisyRuns",
            "RegimeStack",
            "Spread",
            "attractors",
            "basins",
            "compare",
            "follow_attractors",
            "judge",
            "measured_spread",
            "noise_map",
            "noisy_border",
            "regime_map",
            "regime_stack",
            "sampled_masses",
            "simulate_noisy",
            "stationary_spread",
        ),
        "reports": ("write_report",),
        "profiles": ("Profile",),
        "rotation": ("RotationNumber", "rotation_number"),
        "rules": (
            "Adam",
            "AdamsBashforth2",
            "Alternating",
            "CompetitiveGradientDescent",
            "Consensus",
            "Extragradient",
            "Flow",
            "Implicit",
            "ModifiedFlow",
            "Momentum",
            "Optimistic",
            "RungeKutta",
            "Simultaneous",
            "SymplecticAdjustment",
            "Unrolled",
            "Update",
            "system",
        ),
        "studies": ("load", "run_study"),
        "system": ("System",),
    }.items()
    for name in names
}
_SUBPACKAGES: Final = ("figures", "models")

__all__ = sorted([*_HOMES, *_SUBPACKAGES, "__version__"])

__getattr__, __dir__ = lazy_names(__name__, _HOMES, _SUBPACKAGES)

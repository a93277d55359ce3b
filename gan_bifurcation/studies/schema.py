"""What a study file may contain: sections, keys and their types. Nothing in it is ever run."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.ranges import Range, as_range, log_range

# Bounds of what a stranger's file can ask for.
MOST_PARTS = 500
MOST_STEPS = 10_000_000
MOST_CELLS = 1000

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,60}$")]
Text = Annotated[str, StringConstraints(max_length=4000)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
# A special point of a branch: "name of the branch:label".
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,60}:.{1,60}$")]
Setting = bool | int | float | str | list[float] | list[list[float]]


class Section(BaseModel):
    """A table of the file: keys that are not known are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def read_range(value: Any) -> Range:
    """``[low, high]`` or ``{log = [low, high]}``."""
    try:
        if isinstance(value, dict):
            if set(value) != {"log"}:
                raise MisuseError("A range is [low, high] or {log = [low, high]}.")
            bounds = as_range(value["log"])
            return log_range(bounds.low, bounds.high)
        return as_range(value)
    except MisuseError as error:
        raise ValueError(str(error).replace("gb.log_range(low, high)", "{log = [low, high]}")) from error


class _Free(Section):
    @field_validator("free", mode="before", check_fields=False)
    @classmethod
    def _ranges(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("expected a table of ranges, such as {eta_d = [0.1, 1.0]}")  # noqa: TRY004
        return {name: read_range(pair) for name, pair in value.items()}


class SystemSpec(Section):
    """A model under an update rule, or equations of one's own."""

    model: str = ""
    settings: dict[str, Setting] = Field(default_factory=dict)
    rule: str | dict[str, Setting] = ""
    kind: Literal["", "flow", "map"] = ""
    equations: dict[str, Expression] = Field(default_factory=dict, max_length=200)
    domain: dict[Expression, Text] = Field(default_factory=dict)
    parameters: dict[str, float] = Field(default_factory=dict)
    tie: dict[str, Expression] = Field(default_factory=dict)
    iterate: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.model) == bool(self.equations):
            raise ValueError("a system has either a 'model' or 'equations', and not both")
        if self.equations and not self.kind:
            raise ValueError('a system with \'equations\' needs kind = "flow" or "map"')
        if self.model and (self.kind or self.domain):
            raise ValueError("'kind' and 'domain' belong to a system with 'equations'; a model has a 'rule'")
        if self.equations and (self.rule or self.settings):
            raise ValueError("'rule' and 'settings' belong to a system with a 'model'")
        if self.model and not self.rule:
            raise ValueError("a system with a 'model' needs a 'rule', such as \"simultaneous\"")
        for name, value in self.settings.items():
            if isinstance(value, int) and abs(value) > 10_000:
                raise ValueError(f"the setting '{name}' is {value}, expected at most 10000")
        return self


class EventSpec(Section):
    """A condition to locate on a branch."""

    kind: Literal["rate", "focus", "function"]
    expression: str = ""
    name: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "focus") == bool(self.expression):
            raise ValueError("an event of kind 'rate' or 'function' needs an 'expression', and 'focus' takes none")
        return self


class BranchSpec(_Free):
    """A branch of equilibria or fixed points over one parameter."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    free: dict[str, Range] = Field(min_length=1, max_length=1)
    start: dict[str, float] | None = None
    begin: Reference | None = Field(default=None, alias="from")
    at: list[float] = Field(default_factory=list, max_length=1000)
    stop: list[str] = Field(default_factory=list, max_length=50)
    events: list[EventSpec] = Field(default_factory=list, max_length=20)
    most_points: int = Field(default=4000, ge=1, le=100_000)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.begin and (self.start or self.system or self.parameters):
            raise ValueError("a branch with 'from' takes all from there; leave 'start', 'system' and 'parameters' out")
        return self


class CurveSpec(_Free):
    """The curve of a special point over two parameters."""

    name: Name
    begin: Reference = Field(alias="from")
    free: dict[str, Range] = Field(min_length=2, max_length=2)
    stop: list[str] = Field(default_factory=list, max_length=50)
    most_points: int = Field(default=4000, ge=1, le=100_000)


class MapSpec(_Free):
    """A regime map over two parameters (or one)."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    free: dict[str, Range] = Field(min_length=1, max_length=2)
    initial: dict[str, float] | None = None
    steps: int = Field(default=2000, ge=10, le=MOST_STEPS)
    tolerance: float = Field(default=1e-4, gt=0, lt=1)
    seed: int | None = Field(default=None, ge=0)


class OrbitSpec(Section):
    """One run from an initial state; states that are left out start at the known equilibrium."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    initial: dict[str, float]
    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)
    duration: float | None = Field(default=None, gt=0, le=1e9)

    @model_validator(mode="after")
    def _length(self) -> Self:
        if (self.steps is None) == (self.duration is None):
            raise ValueError("an orbit needs 'steps' (a map) or 'duration' (a flow), one of them")
        return self


class HeatMapSpec(Section):
    """The kernel GAN's published heat map and those of the full systems, over (sigma, lam)."""

    name: Name
    sigma: tuple[float, float] = (0.01, 1.0)
    lam: tuple[float, float] = (0.01, 10.0)
    cells: int = Field(default=400, ge=2, le=MOST_CELLS)
    p: float = 1.0
    total: float = 0.8
    eta_d: float = 0.1
    eta_g: float | None = None
    steps: Literal["simultaneous", "alternating"] = "simultaneous"


class TrainingTableSpec(Section):
    """Training of one point against the exact kernel, for all combinations of rates, lam and sigma."""

    name: Name
    start: float = 0.1
    steps: int = Field(default=1000, ge=1, le=20_000)
    at: int = Field(default=990, ge=1, le=20_000)
    rates: list[tuple[float, float]] = Field(min_length=1, max_length=20)
    lam: list[float] = Field(min_length=1, max_length=20)
    sigma: list[float] = Field(min_length=1, max_length=20)
    p: float = 1.0
    q: float = 1.0
    order: Literal["alternating", "simultaneous"] = "alternating"
    # By rows: for each pair of rates and each lam, one entry for each sigma: a number, "escapes" or "< number".
    expected: list[list[float | str]] = Field(default_factory=list)
    relative_tolerance: float = Field(default=0.01, gt=0, lt=1)


FigureKind = Literal[
    "bifurcation_diagram", "spectral_radius", "spectrum_path", "bifurcation_set", "regime_map", "regime_graph",
    "vector_field", "heat_map", "training_runs",
]  # fmt: skip


class FigureSpec(Section):
    """A figure of parts of the study."""

    name: Name
    kind: FigureKind
    of: list[str] = Field(min_length=1, max_length=50)
    caption: Text = ""
    width: Literal["column", "page"] = "column"
    state: str | None = None
    states: tuple[str, str] | None = None
    amplitude: bool = False
    map: str = ""
    window: dict[str, tuple[float, float]] | None = None
    panels: dict[str, list[str]] = Field(default_factory=dict)


class ClaimSpec(Section):
    """A sentence of a paper, or of a theory, and the number that it is held against."""

    text: Text
    paper: str = ""
    point: Reference | None = None
    curve: str | None = None
    map: str | None = None
    table: str | None = None
    heat_map: str | None = None
    value: Expression | None = None
    expected: Expression | float | None = None
    tolerance: float = Field(default=1e-8, gt=0)
    zero: Expression | None = None
    criticality: str | None = None
    at: dict[str, float] | None = None
    verdict: str | None = None

    @model_validator(mode="after")
    def _shape(self) -> Self:
        targets = [k for k in ("point", "curve", "map", "table", "heat_map") if getattr(self, k) is not None]
        if len(targets) != 1:
            raise ValueError("a claim is about one of 'point', 'curve', 'map', 'table' or 'heat_map'")
        needs: dict[str, tuple[tuple[str, ...], ...]] = {
            "point": (("value", "expected"), ("criticality",)),
            "curve": (("zero",), ("criticality",)),
            "map": (("at", "verdict"),),
            "table": ((),),
            "heat_map": (("value", "expected"),),
        }
        possible = ("value", "expected", "zero", "criticality", "at", "verdict")
        given = {k for k in possible if getattr(self, k) is not None}
        if given not in [set(keys) for keys in needs[targets[0]]]:
            forms = (
                " or ".join(" and ".join(f"'{k}'" for k in keys) for keys in needs[targets[0]] if keys)
                or "nothing else"
            )
            raise ValueError(f"a claim about a {targets[0].replace('_', ' ')} needs {forms}")
        return self


class Study(Section):
    """A whole study file."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    question: Text = ""
    description: Text = ""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    system: SystemSpec | None = None
    systems: dict[Name, SystemSpec] = Field(default_factory=dict, max_length=100)
    define: dict[str, Expression] = Field(default_factory=dict, max_length=100)
    branch: list[BranchSpec] = Field(default_factory=list)
    curve: list[CurveSpec] = Field(default_factory=list)
    map: list[MapSpec] = Field(default_factory=list)
    orbit: list[OrbitSpec] = Field(default_factory=list)
    heat_map: list[HeatMapSpec] = Field(default_factory=list)
    training_table: list[TrainingTableSpec] = Field(default_factory=list)
    figure: list[FigureSpec] = Field(default_factory=list)
    claim: list[ClaimSpec] = Field(default_factory=list)

    @property
    def all_systems(self) -> dict[str, SystemSpec]:
        """The systems by name; that of ``[system]`` has the name ''."""
        return ({"": self.system} if self.system else {}) | dict(self.systems)

    def sections(self) -> list[tuple[str, Any]]:
        """All named sections, as (kind, section), in the order in which they can be computed."""
        kinds = ("branch", "curve", "map", "orbit", "heat_map", "training_table", "figure")
        return [(kind, section) for kind in kinds for section in getattr(self, kind)]

    @model_validator(mode="after")
    def _sizes_and_names(self) -> Self:
        named = self.sections()
        if len(named) + len(self.claim) > MOST_PARTS:
            raise ValueError(f"a study has at most {MOST_PARTS} parts, got {len(named) + len(self.claim)}")
        names = [section.name for kind, section in named if kind != "figure"]
        drawn = [section.name for kind, section in named if kind == "figure"]
        for group in (names, drawn):
            twice = sorted({name for name in group if group.count(name) > 1})
            if twice:
                raise ValueError(f"the name '{twice[0]}' is used twice; every part needs its own")
        if not named:
            raise ValueError(
                "the study computes nothing; add a [[branch]], [[curve]], [[map]], [[orbit]] or another part"
            )
        return self


def slug(text: str) -> str:
    """A name for a file, of letters, digits and hyphens.

    >>> slug("Kernel GAN: rates")
    'kernel-gan-rates'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "study"

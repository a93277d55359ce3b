"""What a study file may contain: sections, keys and their types. Nothing in it is ever run."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.ranges import Range, as_range, log_range

# Bounds of what a stranger's file can ask for.
MOST_PARTS = 500
MOST_STEPS = 10_000_000

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,60}$")]
Text = Annotated[str, StringConstraints(max_length=4000)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
# A special point of a branch: "name of the branch:label".
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,60}:.{1,60}$")]
Number = int | float
Setting = bool | Number | str | list[Number | str] | list[list[Number]]
TableSetting = bool | Number | str | list[Number | str] | list[list[Number | str]]


class Section(BaseModel):
    """A table of the file: keys that are not known and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False)


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
    @field_validator("free", "box", mode="before", check_fields=False)
    @classmethod
    def _ranges(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("expected a table of ranges, such as {eta_d = [0.1, 1.0]}")  # noqa: TRY004
        return {name: read_range(pair) for name, pair in value.items()}


class SystemSpec(Section):
    """A model or a game of one's own under an update rule, or equations of one's own."""

    model: str = ""
    # A game file, in the study's folder or below.
    game: Annotated[str, StringConstraints(max_length=200)] = ""
    settings: dict[str, Setting] = Field(default_factory=dict)
    rule: str | dict[str, Setting] = ""
    kind: Literal["", "flow", "map"] = ""
    equations: dict[str, Expression] = Field(default_factory=dict, max_length=200)
    domain: dict[Expression, Text] = Field(default_factory=dict)
    parameters: dict[str, float] = Field(default_factory=dict)
    tie: dict[str, Expression] = Field(default_factory=dict)
    iterate: int = Field(default=1, ge=1, le=64)
    # The sampled form of a game of finite sums: for each sample the parameters that are the masses of its terms.
    masses: dict[Name, list[str]] = Field(default_factory=dict, max_length=20)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.model) + bool(self.game) + bool(self.equations) != 1:
            raise ValueError("a system has one of 'model', 'game' and 'equations'")
        if self.equations and not self.kind:
            raise ValueError('a system with \'equations\' needs kind = "flow" or "map"')
        if not self.equations and (self.kind or self.domain):
            raise ValueError("'kind' and 'domain' belong to a system with 'equations'; a model has a 'rule'")
        if self.equations and (self.rule or self.settings):
            raise ValueError("'rule' and 'settings' belong to a system with a 'model'")
        if self.game and self.settings:
            raise ValueError("'settings' belong to a 'model'; the parameters of a 'game' go into 'parameters'")
        if self.masses and self.equations:
            raise ValueError("'masses' belong to a system with a 'model' or a 'game', whose terms are drawn")
        if not self.equations and not self.rule:
            raise ValueError("a system with a 'model' or a 'game' needs a 'rule', such as \"simultaneous\"")
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
    """A branch over one parameter: of equilibria or fixed points, or what begins at a special point of another branch.

    At BP that is the other branch, at PD the one of twice the period, at H cycles, at NS invariant circles. With
    'orbit', the cycles or invariant circles of what that run has settled on.
    """

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    free: dict[str, Range] = Field(min_length=1, max_length=1)
    start: dict[str, float] | None = None
    begin: Reference | None = Field(default=None, alias="from")
    orbit: Name | None = None
    at: list[float] = Field(default_factory=list, max_length=1000)
    stop: list[str] = Field(default_factory=list, max_length=50)
    events: list[EventSpec] = Field(default_factory=list, max_length=20)
    # Of the first circle at an NS; of the mesh of cycles at an H, or of an orbit.
    amplitude: float | None = Field(default=None, gt=0, le=10)
    intervals: int | None = Field(default=None, ge=4, le=2000)
    most_points: int = Field(default=4000, ge=1, le=100_000)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if not self.begin and (self.amplitude is not None or (self.intervals is not None and not self.orbit)):
            raise ValueError("'amplitude' and 'intervals' belong to a branch with 'from' an NS or an H")
        if self.orbit and (self.begin or self.start or self.system or self.parameters or self.events):
            raise ValueError(
                "a branch with 'orbit' takes all from that run; leave 'from', 'start', 'system', 'parameters' and "
                "'events' out"
            )
        if self.begin and (self.start or self.system or self.parameters):
            raise ValueError("a branch with 'from' takes all from there; leave 'start', 'system' and 'parameters' out")
        return self


class CurveSpec(_Free):
    """The curve of a special point over two parameters."""

    name: Name
    begin: Reference = Field(alias="from")
    free: dict[str, Range] = Field(min_length=2, max_length=2)
    # Of cycles: what stays as it is at the point.
    hold: Literal["", "period"] = ""
    stop: list[str] = Field(default_factory=list, max_length=50)
    most_points: int = Field(default=4000, ge=1, le=100_000)


class TonguesSpec(_Free):
    """The Arnold tongues that begin on a Neimark-Sacker curve."""

    name: Name
    of: Name
    free: dict[str, Range] = Field(min_length=2, max_length=2)
    # Largest denominator of the rotation numbers; or these ones alone.
    order: int = Field(default=7, ge=5, le=40)
    rotations: list[Annotated[str, StringConstraints(pattern=r"^\d{1,3}/\d{1,3}$")]] = Field(
        default_factory=list, max_length=50
    )
    most_points: int = Field(default=400, ge=1, le=100_000)


class MapSpec(_Free):
    """A regime map over two parameters (or one)."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    free: dict[str, Range] = Field(min_length=1, max_length=2)
    # Near which equilibrium to begin, besides the known one and what a search finds; and where runs begin.
    start: dict[str, float] | None = None
    initial: dict[str, float] | None = None
    # What a run may end in that is no success: expressions that are positive there, and what it is called.
    endings: dict[Expression, Text] = Field(default_factory=dict, max_length=20)
    # Where to search for equilibria; the known one is always there.
    box: dict[str, Range] = Field(default_factory=dict, max_length=200)
    steps: int = Field(default=2000, ge=10, le=MOST_STEPS)
    tolerance: float = Field(default=1e-4, gt=0, lt=1)
    seed: int | None = Field(default=None, ge=0)
    # Initial conditions in each regime, drawn from the box; 0 for what runs beside the equilibrium say alone.
    attractors: int | None = Field(default=None, ge=0, le=100_000)
    # Curves and tongues of the study that are borders too, and how many flips in a row are followed.
    curves: list[Name] = Field(default_factory=list, max_length=100)
    depth: int = Field(default=0, ge=0, le=4)


class SetSpec(_Free):
    """A bifurcation set over two parameters, found in one call: branches, curves, points of codimension two."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    free: dict[str, Range] = Field(min_length=2, max_length=2)
    start: dict[str, float] | None = None
    # Where to search for equilibria.
    box: dict[str, Range] = Field(default_factory=dict, max_length=200)
    depth: int = Field(default=1, ge=0, le=8)
    most_branches: int = Field(default=160, ge=1, le=2000)
    seed: int | None = Field(default=None, ge=0)


class BasinsSpec(Section):
    """Which attractor training ends on, over a plane of two initial states; shares by chance, with their error."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    plane: dict[str, Range] = Field(min_length=2, max_length=2)
    # Values of other states; without one, as at the start of training.
    at: dict[str, float] = Field(default_factory=dict, max_length=200)
    resolution: int = Field(default=80, ge=2, le=1000)
    samples: int = Field(default=1000, ge=1, le=1_000_000)
    seed: int | None = Field(default=None, ge=0)
    steps: int | None = Field(default=None, ge=64, le=MOST_STEPS)
    duration: float | None = Field(default=None, gt=0, le=1e9)

    @field_validator("plane", mode="before")
    @classmethod
    def _ranges(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("expected a table of two states, such as {x1 = [-1.0, 1.0], x2 = [-1.0, 1.0]}")  # noqa: TRY004
        return {name: read_range(pair) for name, pair in value.items()}


class NoiseSpec(_Free):
    """Training on minibatches over two parameters: where it stays within a radius of a fixed point, by linear theory,
    and what simulation says of that.
    """

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    free: dict[str, Range] = Field(min_length=2, max_length=2)
    # Of the fixed point; the known one by default.
    start: dict[str, float] | None = None
    batch: int = Field(ge=1)
    radius: float = Field(gt=0, allow_inf_nan=False)
    # The states whose distances count; all by default.
    states: list[str] = Field(default_factory=list, max_length=200)
    draws: Literal["terms", "losses", "steps"] = "terms"
    # Of a flow: how long a minibatch is used.
    step: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    cells: int = Field(default=24, ge=2, le=200)
    # Where these sizes of minibatches are compared.
    at: dict[str, float] | None = None
    batches: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list, max_length=20)
    # Places on the border, runs at each place, and steps of each run.
    points: int = Field(default=3, ge=0, le=1000)
    runs: int = Field(default=16, ge=2, le=100_000)
    steps: int | None = Field(default=None, ge=2, le=MOST_STEPS)
    seed: int | None = Field(default=None, ge=0)


class CertificateSpec(Section):
    """Proofs, in interval arithmetic, of what special points are."""

    name: Name
    of: list[Reference] = Field(min_length=1, max_length=200)
    # The parameter that the bifurcations happen in; that of the branch by default.
    free: str = ""


class StaircaseSpec(_Free):
    """Rotation numbers of runs of a map over one parameter: the devil's staircase, with its steps as numbers."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    free: dict[str, Range] = Field(min_length=1, max_length=1)
    # Where each run begins; states that are left out start at the known equilibrium.
    initial: dict[str, float]
    points: int = Field(default=400, ge=2, le=100_000)
    steps: int = Field(default=4000, ge=128, le=MOST_STEPS)
    # The longest cycles that are steps.
    most_iterations: int = Field(default=40, ge=1, le=1000)


class OrbitSpec(Section):
    """One run from an initial state; states that are left out start at the known equilibrium."""

    name: Name
    system: str = ""
    parameters: dict[str, float] = Field(default_factory=dict)
    initial: dict[str, float]
    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)
    duration: float | None = Field(default=None, gt=0, le=1e9)
    samples: int | None = Field(default=None, ge=2, le=1_000_000)

    @model_validator(mode="after")
    def _length(self) -> Self:
        if (self.steps is None) == (self.duration is None):
            raise ValueError("an orbit needs 'steps' (a map) or 'duration' (a flow), one of them")
        return self


class TableSpec(Section):
    """A table that a model computes about itself."""

    name: Name
    of: Name
    settings: dict[str, TableSetting] = Field(default_factory=dict, max_length=100)


FigureKind = Literal[
    "bifurcation_diagram", "spectral_radius", "spectrum_path", "bifurcation_set", "regime_map", "regime_graph",
    "vector_field", "profile", "profiles", "staircase", "tongues", "field_panels", "lines", "time_series", "heat_map",
    "landscape", "basins", "noise_map", "noise_spreads",
]  # fmt: skip
Texts = list[Annotated[str, StringConstraints(max_length=200)]]


class FigureSpec(Section):
    """A figure of parts of the study."""

    name: Name
    kind: FigureKind
    of: list[str] = Field(min_length=1, max_length=50)
    caption: Text = ""
    width: Literal["column", "page"] = "column"
    title: Text = ""
    state: str | None = None
    states: Texts | None = Field(default=None, min_length=1, max_length=20)
    amplitude: bool = False
    # Of cycles or circles: how many along each branch.
    count: int = Field(default=7, ge=1, le=50)
    map: str = ""
    window: dict[str, tuple[float, float]] | None = None
    # Of tables: columns or axes along x and y, fields as colours, what tells lines and panels apart, words for names.
    x: str = ""
    y: Texts = Field(default_factory=list, max_length=20)
    field: str = ""
    fields: Texts = Field(default_factory=list, max_length=12)
    group: Texts = Field(default_factory=list, max_length=4)
    panel: Texts = Field(default_factory=list, max_length=2)
    log: Literal["", "x", "y", "z", "xy", "xz", "yz", "xyz"] = ""
    labels: dict[str, Text] = Field(default_factory=dict, max_length=100)
    reference: list[float] = Field(default_factory=list, max_length=10)
    threshold: float | None = None
    contour: str = ""
    categories: Texts = Field(default_factory=list, max_length=8)
    panels: dict[str, list[str]] = Field(default_factory=dict)

    @property
    def size(self) -> Literal["column", "page"]:
        """The width, which is that of the page for panels side by side."""
        if self.kind == "profiles":
            return "page"
        several = (self.kind == "heat_map" and len(self.fields) != 1) or (self.kind == "lines" and bool(self.panel))
        return "page" if several else self.width

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "lines" and not (self.x and self.y):
            raise ValueError("a figure of kind 'lines' needs 'x' and 'y', names of columns or of a field")
        if self.kind == "landscape" and not self.field:
            raise ValueError("a figure of kind 'landscape' needs a 'field' of its table")
        if self.kind == "vector_field" and self.states is not None and len(self.states) != 2:
            raise ValueError(f"a vector field is drawn in a plane of two 'states', but got {len(self.states)}")
        if self.kind in ("profile", "profiles") and self.states is not None and len(self.states) != 2:
            raise ValueError(f"cycles and circles are drawn in a plane of two 'states', but got {len(self.states)}")
        if len(self.map) > 200 or len(self.field) > 200:
            raise ValueError("a name is at most 200 characters long")
        return self


_ARTICLES = {"orbit": "an ", "noise": "", "basins": ""}


class ClaimSpec(Section):
    """A sentence of a paper, or of a theory, and the number that it is held against."""

    text: Text
    paper: str = ""
    point: Reference | None = None
    curve: str | None = None
    map: str | None = None
    table: str | None = None
    noise: str | None = None
    basins: str | None = None
    orbit: str | None = None
    value: Expression | None = None
    expected: Expression | float | None = None
    tolerance: float = Field(default=1e-8, gt=0)
    zero: Expression | None = None
    criticality: str | None = None
    at: dict[str, float] | None = None
    verdict: str | None = None
    # Of basins: the attractor by its number, or the one nearest to a state. Their share agrees with 'expected' if that
    # lies in its 95 % interval.
    attractor: int | None = None
    near: dict[str, float] | None = None
    # Where the names in 'expected' are taken from, instead of where those in 'value' are.
    against: Reference | None = None

    @model_validator(mode="after")
    def _shape(self) -> Self:
        kinds = ("point", "curve", "map", "table", "noise", "basins", "orbit")
        targets = [k for k in kinds if getattr(self, k) is not None]
        if len(targets) != 1:
            raise ValueError("a claim is about one of 'point', 'curve', 'map', 'table', 'noise', 'basins' or 'orbit'")
        needs: dict[str, tuple[tuple[str, ...], ...]] = {
            "point": (("value", "expected"), ("criticality",)),
            "curve": (("zero",), ("criticality",)),
            "map": (("at", "verdict"), ("at", "verdict", "expected")),
            "basins": (("verdict", "expected"), ("attractor", "expected"), ("near", "expected")),
            "table": (("value", "expected"),),
            "noise": (("value", "expected"),),
            "orbit": (("value", "expected"), ("verdict",)),
        }
        possible = ("value", "expected", "zero", "criticality", "at", "verdict", "attractor", "near")
        given = {k for k in possible if getattr(self, k) is not None}
        if given not in [set(keys) for keys in needs[targets[0]]]:
            forms = " or ".join(" and ".join(f"'{k}'" for k in keys) for keys in needs[targets[0]])
            raise ValueError(f"a claim about {_ARTICLES.get(targets[0], 'a ')}{targets[0]} needs {forms}")
        if self.against is not None and self.expected is None:
            raise ValueError("'against' says where the names in 'expected' are taken from; add 'expected'")
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
    tongues: list[TonguesSpec] = Field(default_factory=list)
    set: list[SetSpec] = Field(default_factory=list)
    certificate: list[CertificateSpec] = Field(default_factory=list)
    map: list[MapSpec] = Field(default_factory=list)
    basins: list[BasinsSpec] = Field(default_factory=list)
    noise: list[NoiseSpec] = Field(default_factory=list)
    staircase: list[StaircaseSpec] = Field(default_factory=list)
    orbit: list[OrbitSpec] = Field(default_factory=list)
    table: list[TableSpec] = Field(default_factory=list)
    figure: list[FigureSpec] = Field(default_factory=list)
    claim: list[ClaimSpec] = Field(default_factory=list)

    @property
    def all_systems(self) -> dict[str, SystemSpec]:
        """The systems by name; that of ``[system]`` has the name ''."""
        return ({"": self.system} if self.system else {}) | dict(self.systems)

    def sections(self) -> list[tuple[str, Any]]:
        """All named sections, as (kind, section), in the order in which they can be computed."""
        kinds = "branch curve tongues set certificate map basins noise staircase orbit table figure"
        return [(kind, section) for kind in kinds.split() for section in getattr(self, kind)]

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
            raise ValueError("the study computes nothing; add a [[branch]], [[set]], [[map]], [[orbit]] or [[table]]")
        return self


def slug(text: str) -> str:
    """A name for a file, of letters, digits and hyphens.

    >>> slug("Kernel GAN: rates")
    'kernel-gan-rates'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "study"

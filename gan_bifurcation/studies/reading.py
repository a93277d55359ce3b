"""Reading study files: bounded, validated, every fault one sentence with the key's path."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from gan_bifurcation.errors import StudyFileError, quoted, unknown_name
from gan_bifurcation.studies.schema import Study

MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, eq=False)
class StudyFile:
    """A study with the text it was read from.

    Attributes
    ----------
    name : str
        Of the file, without suffix; or of the shipped study.
    text : str
    study : Study
    folder : path, optional
        Where the game files are that it names.
    """

    name: str
    text: str
    study: Study
    folder: Path | None = None


def shipped_studies() -> list[str]:
    """The names of the studies that come with the package.

    >>> "kernel-gan" in shipped_studies()
    True
    """
    folder = files("gan_bifurcation.studies")
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_study(source: str | Path) -> StudyFile:
    """A study from a TOML file, or a shipped one by its name.

    Parameters
    ----------
    source : path or str

    Returns
    -------
    StudyFile

    Raises
    ------
    StudyFileError
        If it cannot be read, or something in it is not as it should be.
    UnknownNameError
        If it is no file and no shipped study has this name.
    """
    path = Path(source)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):
        # Such as one that is too long for a name.
        is_file = is_folder = False
    if path.suffix == ".toml" or is_file:
        return parse_study(_text_of(path), path.stem, path.parent)
    # A shipped study's results go to a folder of its name: the same command must go on with it.
    if is_folder and str(source) not in shipped_studies():
        raise StudyFileError(
            f"{quoted(str(source))} is a folder; give a study file (.toml) or the name of a shipped study."
        )
    if str(source) not in shipped_studies():
        raise unknown_name("study", str(source), shipped_studies())
    text = files("gan_bifurcation.studies").joinpath(f"{source}.toml").read_text(encoding="utf-8")
    return parse_study(text, str(source))


def _text_of(path: Path) -> str:
    shown = quoted(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise StudyFileError(
            f"The study file {shown} does not exist; shipped studies: {', '.join(shipped_studies())}."
        ) from error
    except OSError as error:
        raise StudyFileError(f"The study file {shown} cannot be read ({error.strerror or error}).") from error
    if len(data) > MOST_BYTES:
        raise StudyFileError(f"The study file {shown} is larger than {MOST_BYTES >> 10} KiB; a study is a short text.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StudyFileError(f"The study file {shown} is no text in UTF-8 (byte {error.start}).") from error


def parse_study(text: str, name: str = "study", folder: Path | None = None) -> StudyFile:
    """A study from its text."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise StudyFileError(f"The study is not valid TOML: {str(error) or 'nested too deeply'}.") from error
    try:
        return StudyFile(name, text, Study.model_validate(raw), folder)
    except ValidationError as error:
        raise StudyFileError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    """The first fault as one sentence with the path of the key."""
    faults = error.errors(include_url=False, include_context=True)
    # A key with a wrong name is also missing under its right one: the wrong name is what helps.
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    place = tuple(first["loc"])
    if first["type"] == "extra_forbidden":
        owner, key = place[:-1], str(place[-1])
        where = f" in {_path(owner)}" if owner else ""
        return str(unknown_name(f"key{where}", key, _known_keys(owner)))
    if first["type"] == "missing":
        return f"The key '{_path(place)}' is missing."
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    if first["type"].startswith("string_pattern"):
        message = (
            "not a valid name (letters, digits, '_' and '-', beginning with a letter), or reference 'branch:LABEL'"
        )
    if first["type"] in ("dict_type", "model_type", "model_attributes_type"):
        message = f"expected a table of names, such as [{place[0]}.NAME]"
    if "settings" in place:
        # A setting may be many things: what pydantic says of each of them helps nobody.
        place = place[: place.index("settings") + 2]
        return f"In '{_path(place)}': expected a number, text, true, false or a list of these."
    got = first.get("input")
    shown = f", got {quoted(str(got))}" if isinstance(got, str | int | float | bool) else ""
    more = error.error_count() - 1
    rest = f" ({more} more fault{'s' if more > 1 else ''})" if more else ""
    head = f"In '{_path(place)}': " if place else "In the study: "
    return f"{head}{message[:1].lower()}{message[1:]}{shown}.{rest}".replace("\n", " ")


def _path(place: Sequence[Any]) -> str:
    """``branch[2].free.eta_d``: entries of arrays are counted from 1, as people do."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        elif str(part) not in ("function-before", "function-after") and not str(part).startswith(
            ("function-", "list[", "dict[")
        ):
            text += f".{part}" if text else str(part)
    return text


def _known_keys(place: Sequence[Any]) -> list[str]:
    model: Any = Study
    for part in place:
        if isinstance(part, int) or model is None:
            continue
        if isinstance(model, type) and issubclass(model, BaseModel):
            found = {(f.alias or n): f for n, f in model.model_fields.items()}.get(str(part))
            inner = _models_in(found.annotation) if found else []
            model = inner[0] if inner else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [field.alias or name for name, field in model.model_fields.items()]
    return []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for item in get_args(annotation) for model in _models_in(item)]


def plain(section: BaseModel) -> dict[str, Any]:
    """A section as JSON-ready data, for keys and records."""

    def simple(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(k): simple(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [simple(v) for v in value]
        if hasattr(value, "low") and hasattr(value, "high"):
            return {"low": value.low, "high": value.high, "log": value.log}
        return value

    found = simple(section.model_dump(by_alias=True))
    assert isinstance(found, dict)
    return found

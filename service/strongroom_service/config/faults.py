"""Reading configuration files so that every fault is told at once, by file, key and rule, and never with the value."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from strongroom_service.config.files import MAX_FILE_BYTES, ConfigFiles
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FOLDER_OF_PATHS: Final = "folder"
"""Key of the validation context: where relative paths start."""

# pydantic's own words for these name its machinery, not the file's.
_RULES = {"extra_forbidden": "is not a known key", "missing": "is required"}


class Section(BaseModel):
    """A table of a configuration file: unknown keys are refused, types are not guessed, values stay as read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False)


SectionT = TypeVar("SectionT", bound=Section)


def from_file(path: Path, info: ValidationInfo) -> Path:
    """Return `path` as it is if absolute, else starting at the folder of the file being read.

    Raises:
        ValueError: it names nothing, or holds a NUL, which no file's name can.
    """
    if path == Path() or "\0" in str(path):
        message = "must name a file or folder"
        raise ValueError(message)
    return folder_of(info) / path


def folder_of(info: ValidationInfo) -> Path:
    """Return the folder of the file being read."""
    folder: Path = (info.context or {})[FOLDER_OF_PATHS]
    return folder


PathFromFile = Annotated[Path, Field(strict=False), AfterValidator(from_file)]
"""A path; a relative one starts at the folder of the file that names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFault:
    """One thing to mend: the file, the key's dotted path in it ("" for the file as a whole), and the rule it broke."""

    file: Path
    key: str
    rule: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.file), self.key, self.rule) if part)


class FaultyFile(Exception):
    """Carries the faults of one file to where those of all files are told together."""

    def __init__(self, faults: Iterable[ConfigFault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


def misconfigured(faults: Iterable[ConfigFault]) -> Misconfigured:
    """Return the one error that tells all `faults`, a line each."""
    return Misconfigured("\n".join(str(fault) for fault in faults))


def read_bytes(path: Path, files: ConfigFiles) -> bytes:
    """Return the content of a configuration file.

    Raises:
        FaultyFile: it cannot be read, or is larger than 64 KiB.
    """
    try:
        content = files.read(path)
    except OSError as error:
        rule = f"cannot be read: {error.strerror}"
        raise FaultyFile([ConfigFault(file=path, key="", rule=rule)]) from error
    if len(content) > MAX_FILE_BYTES:
        raise FaultyFile([ConfigFault(file=path, key="", rule=f"must be at most {MAX_FILE_BYTES} bytes")])
    return content


def read_section(path: Path, model: type[SectionT], files: ConfigFiles) -> SectionT:
    """Read the TOML file at `path` as `model`; relative paths in it start at its folder.

    Raises:
        FaultyFile: it cannot be read, is not TOML, or breaks rules: all of them.
    """
    content = read_bytes(path, files)
    try:
        table: dict[str, Any] = tomllib.loads(content.decode("utf-8"))
    except RecursionError as error:  # arrays in arrays in arrays
        raise FaultyFile([ConfigFault(file=path, key="", rule="is nested too deeply")]) from error
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError; the latter's text gives line and column only
        rule = f"is not TOML in UTF-8: {error}" if isinstance(error, tomllib.TOMLDecodeError) else "is not UTF-8"
        raise FaultyFile([ConfigFault(file=path, key="", rule=rule)]) from error
    try:
        return model.model_validate(table, context={FOLDER_OF_PATHS: path.absolute().parent})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise FaultyFile(_fault(path, detail) for detail in details) from error


def _fault(path: Path, detail: ErrorDetails) -> ConfigFault:
    key = ".".join(str(part) for part in detail["loc"])
    rule = _RULES.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    return ConfigFault(file=path, key=key, rule=rule)

"""Patterns that choose names, of the form that `.gitignore` has, through `pathspec`."""

from __future__ import annotations

from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from strongroom_client.archive.errors import PatternError, shown


class Patterns:
    """Patterns as in `.gitignore`: the last that fits decides, `!` takes back, `/` at the front ties to the top.

    As in git nothing below a folder that is chosen can be taken back. Which patterns ever decided is remembered: one
    that never does is probably mistyped.

    Raises:
        PatternError: one of them is malformed.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = tuple(line.removeprefix("./") for line in lines)
        try:
            self._spec = GitIgnoreSpec.from_lines(self._lines)
        except ValueError as error:
            raise PatternError(f"this is not a pattern: {shown(str(error))}") from error
        self._deciding: set[int] = set()

    def chooses(self, name: str, /, *, is_folder: bool) -> bool:
        """Tell whether the path `name` is chosen."""
        result = self._spec.check_file(f"{name}/" if is_folder else name)
        if is_folder and result.index is not None and self._lines[result.index].rstrip().endswith("/**"):
            result = self._spec.check_file(name)  # in git `a/**` is all that is in `a`, and not `a`
        if result.index is not None:
            self._deciding.add(result.index)
        return bool(result.include)

    @property
    def idle(self) -> tuple[str, ...]:
        """Patterns that have decided nothing so far; comments and empty lines are none."""
        return tuple(
            line
            for index, line in enumerate(self._lines)
            if index not in self._deciding and line.strip() and not line.startswith("#")
        )


def nothing(name: str, /, *, is_folder: bool) -> bool:
    """Choose nothing."""
    del name, is_folder
    return False

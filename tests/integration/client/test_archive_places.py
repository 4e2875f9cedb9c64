"""Archives in storage elsewhere, as far as what fsspec brings along shows it; S3 is in test_archive_s3.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strongroom_client.archive.errors import ArchiveError, SourceChanged, TargetUnfit
from strongroom_client.archive.reader import verify_archive
from strongroom_client.archive.remote import RemoteShelf, remote_place
from strongroom_client.archive.writer import write_archive
from tests.integration.client.archives import IDENTITY, RECIPIENT

MIB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "large").write_bytes(os.urandom(40 * MIB))
    (source / "small").write_text("small")
    return source


class Meddling:
    """Changes the source when `after` bytes were read."""

    def __init__(self, file: Path, after: int) -> None:
        self._file, self._left = file, after

    def begin(self, *, task: str, total_bytes: int) -> None:
        pass

    def end(self) -> None:
        pass

    def advance(self, count: int) -> None:
        self._left -= count
        if self._left <= 0:
            self._file.write_bytes(b"changed")


def test_storage_without_commits_sees_a_temporary_name_first(source: Path, tmp_path: Path) -> None:
    shelf = RemoteShelf(remote_place(f"memory://{tmp_path.name}", options={}))
    shelf.folder.system.makedirs(shelf.folder.path)
    seen: list[tuple[str, ...]] = []

    class Looking:
        def begin(self, *, task: str, total_bytes: int) -> None:
            pass

        def end(self) -> None:
            pass

        def advance(self, count: int) -> None:
            seen.append(shelf.names())

    write_archive(source=source, target=shelf.place("one"), recipients=[RECIPIENT], progress=Looking())
    assert shelf.names() == ("one",)
    assert "one" not in {name for names in seen for name in names}
    verify_archive(archive=shelf.place("one"), identities=[IDENTITY], progress=None)
    with pytest.raises(SourceChanged):
        write_archive(
            source=source,
            target=shelf.place("two"),
            recipients=[RECIPIENT],
            progress=Meddling(source / "folder" / "large", MIB),
        )
    assert shelf.names() == ("one",), "nothing half, and nothing temporary"


def test_upload_that_arrived_short_is_found(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = remote_place("memory://short/one", options={})
    place.system.makedirs("/short")
    monkeypatch.setattr(type(place.system), "size", lambda *_: 7)
    with pytest.raises(TargetUnfit, match="has 7 bytes of"):
        write_archive(source=source, target=place, recipients=[RECIPIENT], progress=None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://user:secret@bucket/one", "no user or password"),
        ("simplecache::s3://bucket/one", "not protocol"),
        ("nonsense://bucket/one", "cannot be reached"),
        ("sftp://host/one", "strongroom"),
        ("S3://bucket/one", "not protocol"),
        ("s3://", "not protocol"),
    ],
)
def test_urls_that_do_not_name_a_place_are_refused(url: str, said: str) -> None:
    with pytest.raises(ArchiveError, match=said) as refused:
        remote_place(url, options={})
    assert "secret" not in str(refused.value)

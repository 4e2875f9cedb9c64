from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.front.tls import ServerCertificate
from tests.fakes.log import RecordingLog

CA = trustme.CA()


class Files:
    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "server.pem", folder / "server-key.pem"
        self.log = RecordingLog()

    def write(self, *, certificate: bytes | None = None) -> None:
        issued = CA.issue_cert("localhost")
        issued.private_key_pem.write_to_path(self.key)
        self.certificate.write_bytes(certificate or issued.cert_chain_pems[0].bytes())

    def open(self) -> ServerCertificate:
        return ServerCertificate(certificate_file=self.certificate, key_file=self.key, log=self.log)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_files_that_stay_are_not_read_again(files: Files) -> None:
    files.write()
    certificate = files.open()
    assert certificate.renew() is None
    assert files.log.lines == []


def test_new_pair_is_taken_up(files: Files) -> None:
    files.write()
    certificate = files.open()
    files.write()
    assert certificate.renew() is not None
    assert certificate.renew() is None
    assert files.log.events() == ["certificate_renewed"]


def test_half_a_renewal_keeps_the_old_pair_until_it_is_whole(files: Files) -> None:
    files.write()
    certificate = files.open()
    files.write(certificate=CA.issue_cert("localhost").cert_chain_pems[0].bytes())
    assert certificate.renew() is None
    files.certificate.unlink()
    assert certificate.renew() is None
    files.write()
    assert certificate.renew() is not None
    assert files.log.events()[0] == "certificate_not_renewed"


def test_pair_that_does_not_belong_together_is_refused_at_the_start(files: Files) -> None:
    files.write(certificate=CA.issue_cert("localhost").cert_chain_pems[0].bytes())
    with pytest.raises(Misconfigured, match="server-key"):
        files.open()


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(range(64))])
def test_file_that_is_no_certificate_is_refused(files: Files, content: bytes) -> None:
    files.write(certificate=content or b"\n")
    with pytest.raises(Misconfigured):
        files.open()


def test_missing_file_is_named(files: Files) -> None:
    with pytest.raises(Misconfigured, match=r"server\.pem"):
        files.open()

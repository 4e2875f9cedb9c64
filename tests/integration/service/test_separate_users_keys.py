"""Keys of a vault whose front and keepers are different users, rotated by root. For root alone, see conftest.py."""

from __future__ import annotations

from deploy.development.environment import DevelopmentVault
from tests.fakes.hand_client import HandClient
from tests.integration.service.daemons import Daemon
from tests.integration.service.evidence import strongroomd
from tests.integration.service.users import FRONT, KEEPER, make_separate_files, open_folder, python_for_all


def test_keys_are_rotated_by_root_and_files_stay_whose_they_are() -> None:
    with open_folder() as folder:
        python = python_for_all(folder / "python")
        files = make_separate_files(folder / "vault", keepers=1)
        assert python.run("init", files.config_file).returncode == 0
        vault = DevelopmentVault(files)
        with Daemon(python, "serve", files.config_file, log_file=folder / "service.log") as daemon:
            daemon.wait_until(vault.is_serving)
            with HandClient(vault) as client:
                client.enroll()
                for command in (
                    ["keys", "rotate", "kek"],
                    ["checkpoint", "make"],
                    ["keys", "rewrap"],
                    ["keys", "retire", "strongroom-kek-1", "--output", "json"],
                    ["keys", "destroy", "strongroom-kek-1", "--confirm", "strongroom-kek-1", "--output", "json"],
                ):
                    said = strongroomd(files.config_file, *command, python=python)
                    assert said.code == 0, said
                assert client.release() == [b"an envelope"]
        for name, user in (("token", KEEPER), ("data", FRONT)):
            kept = [path for path in (files.folder / name).rglob("*") if path.is_file()]
            assert kept
            assert {path.stat().st_uid for path in kept} == {user.uid}, kept

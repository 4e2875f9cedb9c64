"""A vault for development on this machine, until Ctrl-C.

    python -m deploy.development.run [FOLDER]

FOLDER (default build/development-vault) keeps it; a second run starts the same vault again.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Final

from deploy.development.environment import CONFIG_NAME, DevelopmentVault, find_files

_DEFAULT_FOLDER: Final = Path(__file__).resolve().parents[2] / "build" / "development-vault"


def main(folder: Path = _DEFAULT_FOLDER) -> None:
    """Run the vault in `folder`, made if it is not there."""
    if (folder / CONFIG_NAME).exists():
        vault = DevelopmentVault(find_files(folder))
        vault.init()
        vault.serve()
    else:
        vault = DevelopmentVault.start(folder)
    with vault:
        print(f"gRPC       {vault.address}  (certificate authority: {vault.ca_file})")
        print(f"Metrics    {vault.files.metrics_url}")
        print(f"Pin        {vault.files.identity_fingerprint}")
        print(f"Log        {vault.log_file}")
        print(f"Token      {vault.issue_token('alice')}")
        print("The token is alice's, for an hour. Ctrl-C ends.")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    # Blocked from the start, so that one that comes early still ends us by way of `sigwait`, with the service drained.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main(*map(Path, sys.argv[1:]))

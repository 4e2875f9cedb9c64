"""Every parser that touches hostile bytes, by name: read by `make fuzz` and by a short run in `make test`."""

from __future__ import annotations

from tests.fuzz import (
    answer_targets,
    browser_targets,
    client_targets,
    device_targets,
    evidence_targets,
    file_targets,
    front_targets,
    keeper_targets,
    webauthn_targets,
)

TARGETS = {
    **keeper_targets.TARGETS,
    **webauthn_targets.TARGETS,
    **front_targets.TARGETS,
    **browser_targets.TARGETS,
    **client_targets.TARGETS,
    **answer_targets.TARGETS,
    **device_targets.TARGETS,
    **evidence_targets.TARGETS,
    **file_targets.TARGETS,
}

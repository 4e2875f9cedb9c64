"""Who changes user ids must be root. Others cannot try that; that they are refused is in test_stated_users.py."""

from __future__ import annotations

import os

NOT_ROOT = os.geteuid() != 0
collect_ignore = (
    [
        "test_separate_users.py",
        "test_separate_users_keys.py",
        "test_separate_users_diagnosis.py",
        "test_separate_users_in_a_pod.py",
    ]
    if NOT_ROOT
    else []
)


def pytest_report_header() -> str:
    return f"separate users: {'not tried, as this is not root' if NOT_ROOT else 'tried'}"

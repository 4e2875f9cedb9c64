from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["tests.fixtures.redis", "tests.fixtures.token", "tests.fixtures.vault"]

# No deadline: the time of one example on a shared core says nothing. In CI the same examples each time, so that a
# failure there is the change's; elsewhere new ones, so that more is tried.
settings.register_profile("strongroom", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("strongroom")

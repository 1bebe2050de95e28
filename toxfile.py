"""A plugin of tox, which finds it by its name: with IDXHUB_TOX_DISCARD set, an environment is removed when it has run.

All environments together take 25 GB. Continuous integration uses each of them once.
"""

from __future__ import annotations

import os
import shutil

from tox.plugin import impl
from tox.tox_env.api import ToxEnv
from tox.tox_env.runner import RunToxEnv


@impl
def tox_env_teardown(tox_env: ToxEnv) -> None:
    """Remove the environment, unless it is the one that builds the package, which all others use."""
    if os.environ.get("IDXHUB_TOX_DISCARD") and isinstance(tox_env, RunToxEnv):
        shutil.rmtree(tox_env.env_dir, ignore_errors=True)

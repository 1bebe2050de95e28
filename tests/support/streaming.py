"""With STREAM_ALL in the environment, files of any size are verified block by block, as large ones are."""

import os

from idxhub.acquire import find

STREAM_ALL = "IDXHUB_TEST_STREAM_ALL"


def stream_all_if_asked() -> None:
    if os.environ.get(STREAM_ALL):
        find.LARGEST_IN_MEMORY = -1

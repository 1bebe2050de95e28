"""`python -m idxhub_bench`: the command in a checkout that is on the path and not installed."""

from idxhub import errors
from idxhub_bench.command import bench

try:
    bench(prog_name="idxhub bench")
except errors.IdxHubError as error:
    raise SystemExit(f"Error: {error}") from error

"""`python -m idxhub_bench`: the command in a checkout that is on the path and not installed."""

from idxhub_bench.command import bench

bench(prog_name="idxhub bench")

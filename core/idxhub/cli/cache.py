"""`idxhub cache`."""

from __future__ import annotations

import click

from idxhub.cache.layout import cache_root, folder_size, list_cache_folders, remove_all
from idxhub.cli.options import json_option
from idxhub.cli.output import plain, print_json, print_table, say, size


@click.command()
@click.option("--remove", "removing", is_flag=True, help="Remove every dataset in the cache.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@json_option
def cache(*, removing: bool, yes: bool, as_json: bool) -> None:
    """Show the cache, or remove it."""
    root = cache_root()
    held = {folder: folder_size(folder) for folder in list_cache_folders(root)}
    if removing:
        if not yes and held:
            what = f"{len(held)} dataset{'s' * (len(held) > 1)}, {size(sum(held.values()))},"
            click.confirm(f"Remove {what} from {plain(root)}?", abort=True, err=True)  # the answer is the output
        freed = remove_all(root)
        if as_json:
            print_json({"cache": str(root), "freed": freed})
        else:
            say(f"freed {size(freed)} in {root}")
        return
    if as_json:
        print_json({"cache": str(root), "datasets": {folder.name: count for folder, count in held.items()}})
        return
    say(f"{root}  (set IDXHUB_CACHE to move it)")
    if held:
        print_table(("DATASET", "SIZE"), [(folder.name, size(count)) for folder, count in held.items()])
    else:
        click.echo("empty")


COMMANDS = (cache,)

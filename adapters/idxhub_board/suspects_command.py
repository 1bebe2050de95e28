"""`idxhub board suspects`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import click

from idxhub import errors, load
from idxhub.cli.files import FOLDER, OptionPath, check_absent, write_files
from idxhub.cli.output import print_text
from idxhub_board.configurations import select
from idxhub_board.today import need_packages

# of different kinds, so that they make different mistakes
MODELS = (
    "RandomForestClassifier(criterion=entropy,max_depth=100,n_estimators=100)",
    "KNeighborsClassifier(n_neighbors=9,p=2,weights=distance)",
    "MLPClassifier(activation=relu,hidden_layer_sizes=(100))",
)


@click.command()
@click.argument("name", default="fashion-mnist")
@click.option("--split", default="all", show_default=True, help="Which examples, such as 'train[:10%]'.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="PATTERN",
    help="As --only of `idxhub board run`.  [default: three kinds]",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Parts of the examples; each is predicted once.",
)
@click.option(
    "--count", type=click.IntRange(1, 10000), default=200, show_default=True, help="How many examples to list."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The seed of the folds and the models."
)
@click.option(
    *("-o", "--output"),
    type=OptionPath(path_type=Path),
    help="The table; its name ends in .csv.  [default: NAME-suspects.csv]",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--data-dir", type=FOLDER, help="A folder to look in first.")
@click.option("--offline", is_flag=True, help="Download nothing.")
def suspects(
    *,
    name: str,
    split: str,
    models: tuple[str, ...],
    folds: int,
    count: int,
    seed: int,
    output: Path | None,
    force: bool,
    data_dir: Path | None,
    offline: bool,
) -> None:
    """List the examples whose label is probably wrong or arguable.

    Several models predict each example after they were fitted without it; cleanlab compares this with the label. The
    result is a suspicion, and not the truth. Writes a table, and beside it a contact sheet of the images as PNG, and
    the method as JSON. Needs cleanlab and Pillow.
    """
    output = output or Path(f"{name}-suspects.csv")
    if output.suffix.lower() != ".csv":
        raise errors.UnknownNameError("table file ending", output.suffix, [".csv"])
    sheet_path, method_path = output.with_suffix(".png"), output.with_suffix(".json")
    check_absent([output, sheet_path, method_path], force=force)
    chosen = [each for pattern in models or MODELS for each in select(pattern)]
    need_packages(chosen)
    try:
        from idxhub_board.sheet import contact_sheet  # noqa: PLC0415 -- needs Pillow and cleanlab
        from idxhub_board.suspects import find_issues, method, out_of_fold, rank, table  # noqa: PLC0415 -- as above
    except ModuleNotFoundError as error:
        raise errors.MissingFrameworkError(
            f"this needs {error.name}, which is not installed: pip install cleanlab pillow scikit-learn",
            name=error.name,
        ) from error
    loaded = load(name, split, data_dir=data_dir, download=not offline)
    probabilities = out_of_fold(loaded, chosen, folds, seed, progress=True)
    issues = find_issues(loaded, probabilities)
    found = rank(loaded, probabilities, issues, count)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table(found, loaded.classes))
    how = json.dumps(method(loaded, probabilities, issues, folds, seed), indent=2)
    contents = {output: text.getvalue(), method_path: f"{how}\n"}
    write_files(
        {path: content.encode() for path, content in contents.items()} | {sheet_path: contact_sheet(loaded, found)}
    )
    print_text(f"wrote {output}, {sheet_path} and {method_path}: {len(found)} suspects of {len(loaded):,} examples")

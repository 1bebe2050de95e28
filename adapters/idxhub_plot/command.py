"""`idxhub plot`: the group that joins the command by entry point (group `idxhub.commands`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

import idxhub_plot
from idxhub import datasets, errors
from idxhub.cli.files import FOLDER, OptionPath, check_absent, made_folder, write_files
from idxhub.cli.output import print_json, print_text
from idxhub_plot import output

_Command = Callable[..., Any]
_POSITIVE = click.IntRange(min=1)


class Pictures(click.Group):
    """The pictures as subcommands; an unknown one is answered with the choices and the nearest."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand that makes a picture."""
        found = super().get_command(ctx, cmd_name)
        if found is None and not ctx.resilient_parsing:
            raise errors.UnknownNameError("picture", cmd_name, self.list_commands(ctx))
        return found


@click.group(cls=Pictures, subcommand_metavar="WHAT [NAME]")
def plot() -> None:
    """Draw pictures of a dataset, and write each to a file."""


def picture(endings: Sequence[str] = output.ENDINGS, split: str | None = "train") -> Callable[[_Command], _Command]:
    """Makes a subcommand of a function that returns a picture: it adds NAME and the options that all of them have.

    The function receives its own options, and as `asked` the arguments that all functions of `idxhub_plot` have.
    `split` is the default of --split; None if the function has an option of its own for it.
    """

    def decorate(make: _Command) -> _Command:
        @wraps(make)
        def run(*, name: str, output_path: Path | None, force: bool, as_json: bool, **own: Any) -> None:
            path = picture_path(output_path, name, endings, force=force)
            asked = {"name": name, **source(own)}
            if split is not None:
                asked["split"] = own.pop("split")
            write_picture(path, make(asked, **own), [name], as_json=as_json)

        command: Any = run
        # click has the parameters in reverse: those of `make` come between NAME and what all of them have
        own, command.__click_params__ = getattr(command, "__click_params__", []), []
        command = output_option(endings, f"NAME-{make.__name__}")(common_options(command))
        command.__click_params__ += own
        if split is not None:
            command = split_option(split)(command)
        return name_argument(command)

    return decorate


def _complete_dataset(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in datasets() if name.startswith(incomplete)]


def name_argument(command: _Command) -> _Command:
    """The argument NAME."""
    decorated: _Command = click.argument("name", default="fashion-mnist", shell_complete=_complete_dataset)(command)
    return decorated


def split_option(default: str) -> Callable[[_Command], _Command]:
    """The option --split."""
    return click.option("--split", default=default, show_default=True, help="Which examples, such as 'test[:50%]'.")


def seed_option(command: _Command) -> _Command:
    """The option --seed."""
    option = click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which examples are chosen."
    )
    decorated: _Command = option(command)
    return decorated


def invert_option(command: _Command) -> _Command:
    """The option --invert or --no-invert."""
    option = click.option(
        "--invert/--no-invert", default=True, show_default=True, help="Whether 0 is white, and not black."
    )
    decorated: _Command = option(command)
    return decorated


def output_option(endings: Sequence[str], default: str) -> Callable[[_Command], _Command]:
    """The option for the file of a picture; `default` is its name without the ending, for the help."""
    return click.option(
        *("-o", "--output", "output_path"),
        type=OptionPath(path_type=Path),
        help=f"The file; its name ends in {' or '.join(endings)}.  [default: {default}{endings[0]}]",
    )


def common_options(command: _Command) -> _Command:
    """The options that all pictures have."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result or the error as JSON."),
        click.option("--offline", is_flag=True, help="Download nothing."),
        click.option(
            "--data-dir",
            type=FOLDER,
            help="A folder to look in first.",
        ),
        click.option("--force", is_flag=True, help="Replace files that exist."),
    ):
        command = option(command)
    return command


def picture_path(path: Path | None, name: str, endings: Sequence[str], *, force: bool) -> Path:
    """The path of the picture's file, checked before the picture is made."""
    path = path or Path(f"{name}-{click.get_current_context().info_name}{endings[0]}")
    output.check_target(path, endings, force=force)
    return path


def source(options: dict[str, Any]) -> dict[str, Any]:
    """Where the data comes from, as arguments of `idxhub.load`; they are taken from the options of a command."""
    return {"data_dir": options.pop("data_dir"), "download": not options.pop("offline")}


def write_picture(path: Path, made: Any, datasets: Sequence[str], *, as_json: bool) -> None:
    """Write a picture to its file, and say so."""
    write_and_report({path: output.encode(made, path.suffix)}, datasets, as_json=as_json)


def write_and_report(contents: dict[Path, bytes], datasets: Sequence[str], *, as_json: bool) -> None:
    """Write the files of a picture of these datasets, and say so."""
    write_files(contents)
    if as_json:
        files = [{"path": str(path), "bytes": len(content)} for path, content in contents.items()]
        what = click.get_current_context().info_name
        print_json({"picture": what, "datasets": list(datasets), "files": files})
        return
    for path in contents:
        print_text(f"wrote {path}")


@plot.command()
@picture(endings=(".png",))
@click.option("--rows", type=_POSITIVE, default=3, show_default=True, help="Rows for each class.")
@click.option("--columns", type=_POSITIVE, default=30, show_default=True, help="Images in a row.")
@seed_option
@invert_option
def sprite(asked: dict[str, Any], **own: Any) -> Any:
    """Some rows of images for each class, pixel for pixel."""
    return idxhub_plot.sprite(**asked, **own)


@plot.command()
@picture()
@click.option("--rows", type=click.IntRange(1, 50), default=4, show_default=True, help="Rows of images.")
@click.option("--columns", type=click.IntRange(1, 50), default=8, show_default=True, help="Images in a row.")
@seed_option
def samples(asked: dict[str, Any], **own: Any) -> Any:
    """Random examples with their classes and positions."""
    return idxhub_plot.samples(**asked, **own)


@plot.command()
@picture(split=None)
@click.option("--split", "splits", multiple=True, help="A split to count; may be given several times.  [default: all]")
def classes(asked: dict[str, Any], splits: tuple[str, ...]) -> Any:
    """How many examples each class has in each split."""
    return idxhub_plot.classes(split=splits or None, **asked)


@plot.command()
@picture()
def mean(asked: dict[str, Any]) -> Any:
    """Mean and standard deviation of the images of each class."""
    return idxhub_plot.mean(**asked)


@plot.command()
@picture(split="test")
@click.option(
    "--predictions",
    required=True,
    type=OptionPath(exists=True, dir_okay=False, path_type=Path),
    help="A .csv or .npy file with a class, or a score for each class, for each example of the split.",
)
@click.option("--count", type=click.IntRange(0, 100), default=20, show_default=True, help="How many mistakes to show.")
def mistakes(asked: dict[str, Any], **own: Any) -> Any:
    """The confusion matrix of predictions, and the worst mistakes."""
    return idxhub_plot.mistakes(**asked, **own)


@plot.command()
@click.argument("a", shell_complete=_complete_dataset)
@click.argument("b", shell_complete=_complete_dataset)
@seed_option
@output_option(output.ENDINGS, "A-B-diff")
@common_options
def diff(*, a: str, b: str, output_path: Path | None, seed: int, force: bool, as_json: bool, **options: Any) -> None:
    """What two datasets or releases have in common, and what not.

    Images are matched by the digest of their bytes. B is a dataset, or a folder with files of another release of A; a
    folder is written with a slash, such as ./first-release. Its files take the place of the files of A with the same
    names.
    """
    folder = Path(b) if {os.sep, os.altsep or os.sep}.intersection(b) else None
    if folder is not None and not folder.is_dir():
        raise click.UsageError(f"there is no folder {b}")
    both = f"{a}-{b if folder is None else folder.absolute().name}"
    path = picture_path(output_path, both, output.ENDINGS, force=force)
    made = idxhub_plot.diff(a, b if folder is None else folder, seed=seed, **source(options))
    write_picture(path, made, [a, b], as_json=as_json)


@plot.command()
@name_argument
@split_option("test")
@invert_option
@click.option(
    *("-o", "--output", "folder"),
    type=OptionPath(path_type=Path, file_okay=False),
    help="The folder, which is made if need be.  [default: NAME-projector]",
)
@common_options
def projector(
    *, name: str, split: str, invert: bool, folder: Path | None, force: bool, as_json: bool, **options: Any
) -> None:
    """Four files for TensorBoard's Embedding Projector.

    To look at them, run: tensorboard --logdir FOLDER
    """
    folder = folder or Path(f"{name}-projector")
    paths = [folder / filename for filename in idxhub_plot.PROJECTOR_FILES]
    check_absent(paths if folder.is_dir() else [folder], force=force)
    made = idxhub_plot.projector(name, split, invert=invert, **source(options))
    with made_folder(folder):
        write_and_report({folder / filename: content for filename, content in made.items()}, [name], as_json=as_json)


@plot.command()
@name_argument
@split_option("all")
@click.option("--method", default="pca", show_default=True, help="pca, tsne, umap or pymde.")
@click.option("--beside", metavar="NAME", help="A second dataset, drawn at the right of the first.")
@click.option("--size", type=_POSITIVE, help="How many examples.  [default: all]")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The seed of the method, and of the choice of examples by --size.",
)
@click.option("--html", is_flag=True, help="Make a page to explore, with all images in it.")
@click.option(
    *("-o", "--output", "output_path"),
    type=OptionPath(path_type=Path),
    help="The file; its name ends in .png, .svg, .pdf or .html.  [default: NAME-METHOD.png or .html]",
)
@common_options
def embed(
    *,
    name: str,
    method: str,
    beside: str | None,
    html: bool,
    output_path: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """All examples as points, similar ones together.

    The methods are principal component analysis with NumPy alone (pca), t-SNE by openTSNE (tsne), UMAP by umap-learn
    (umap), and PyMDE (pymde). The coordinates are kept in the cache.

    An .html file is one page with all images inside, which needs no network: zoom in to see the images, point at one,
    choose classes, or find an image by its position.
    """
    html = html or (output_path is not None and output_path.suffix.lower() == ".html")
    if html and beside is not None:
        raise click.UsageError("a page shows one dataset: leave --beside or --html out")
    endings = (".html",) if html else output.ENDINGS
    path = output_path or Path(f"{name}-{method}{endings[0]}")
    output.check_target(path, endings, force=force)
    asked = {"name": name, "method": method, "progress": not as_json, **source(options), **options}
    if html:
        write_and_report({path: idxhub_plot.embed_page(**asked).encode()}, [name], as_json=as_json)
    else:
        names = [name] if beside is None else [name, beside]
        write_picture(path, idxhub_plot.embed(beside=beside, **asked), names, as_json=as_json)

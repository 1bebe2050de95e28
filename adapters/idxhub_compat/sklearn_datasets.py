"""A function in the style of scikit-learn's `fetch_*`: `fetch`. Only `as_frame=True` needs a library, pandas."""

from __future__ import annotations

import os
from typing import Any

from idxhub import errors, load
from idxhub_compat.folders import find_folder


class Bunch(dict[str, Any]):
    """A dictionary whose items are attributes too, as that of scikit-learn."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]


def fetch(
    name: str = "fashion-mnist",
    *,
    split: str = "all",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,  # noqa: N803 -- as in scikit-learn
    as_frame: bool = False,
) -> Any:
    """A dataset as a table: one row for each image, one column for each pixel.

    Args:
        name (str): one of `idxhub.datasets()`. Default: "fashion-mnist".
        split (str): which examples, as for `idxhub.load`; "all" for the train examples and then the test examples.
            Default: "all".
        data_home (path or None): a folder that is searched first. Default: None.
        download_if_missing (bool): whether to download files that are not on this machine. Default: True.
        return_X_y (bool): `(data, target)` alone. Default: False.
        as_frame (bool): `data` is a `pandas.DataFrame`, `target` a `pandas.Series`, and `frame` both. Default: False.

    Returns:
        A `Bunch`: `data` is uint8 (N, 784), `target` int64 (N,), `images` uint8 (N, 28, 28), `target_names` and
        `feature_names` are lists, `frame` is a `pandas.DataFrame` or None, and `DESCR` is a description.

    Raises `IdxHubError` as `idxhub.load` does; a file that is missing is an `OSError`. With `as_frame`, raises
    `MissingFrameworkError`, which is an `ImportError`, if pandas is not installed.
    """
    pd = _import_pandas() if as_frame else None
    loaded = load(name, split, data_dir=find_folder(data_home), download=download_if_missing)
    images = loaded.images
    data: Any = images.reshape(len(images), -1)
    target: Any = loaded.labels
    columns = [f"pixel{number}" for number in range(1, data.shape[1] + 1)]
    frame = None
    if pd is not None:
        data = pd.DataFrame(data, columns=columns)
        target = pd.Series(target, name="class")
        frame = data.assign(**{"class": target})
    if return_X_y:
        return data, target
    spec = loaded.info.spec
    return Bunch(
        data=data,
        target=target,
        images=images,
        frame=frame,
        target_names=list(spec.classes),
        feature_names=columns,
        DESCR="\n\n".join(filter(None, [spec.title, spec.description, spec.citation])),
    )


def _import_pandas() -> Any:
    try:
        import pandas as pd  # noqa: PLC0415 -- who wants arrays does without it
    except ImportError as error:
        raise errors.MissingFrameworkError(f"{error}, which as_frame=True needs; pip install pandas") from error
    return pd

"""Kuzushiji-MNIST. Digests and sizes are as published by its authors and pinned by the libraries that download it."""

from __future__ import annotations

from idxhub.catalog.builtin.mnist_layout import FileFacts, mnist_splits, torchvision_folders
from idxhub.catalog.spec import DatasetSpec

_CITATION = """\
@misc{clanuwat2018deep,
  author        = {Tarin Clanuwat and Mikel Bober-Irizar and Asanobu Kitamoto and Alex Lamb and
                   Kazuaki Yamamoto and David Ha},
  title         = {Deep Learning for Classical Japanese Literature},
  year          = {2018},
  eprint        = {1812.01718},
  archivePrefix = {arXiv},
  note          = {Dataset: doi:10.20676/00000341},
}"""

KMNIST = DatasetSpec(
    name="kmnist",
    title="Kuzushiji-MNIST",
    description="70,000 grey-scale images of cursive Japanese characters, 28x28, in ten classes: おきすつなはまやれを",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    license="CC BY-SA 4.0",
    citation=_CITATION,
    homepage="http://codh.rois.ac.jp/kmnist/",
    splits=mnist_splits(
        train_size=60_000,
        test_size=10_000,
        train_images=FileFacts(
            md5="bdb82020997e1d708af4cf47b453dcf7",
            size=18_165_135,
            sha256="51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        ),
        train_labels=FileFacts(
            md5="e144d726b3acfaa3e44228e80efcd344",
            size=29_497,
            sha256="e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        ),
        test_images=FileFacts(
            md5="5c965bf0a639b31b8f53240b1b52f4d7",
            size=3_041_136,
            sha256="edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        ),
        test_labels=FileFacts(
            md5="7320c461ea6c1c855c0b718fb2a4b134",
            size=5_120,
            sha256="20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
    # plain HTTP: only the digests protect the files
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    folders=torchvision_folders("KMNIST"),
    subfolders=("", "kmnist", "KMNIST/raw", "raw"),
)

DATASETS = (KMNIST,)

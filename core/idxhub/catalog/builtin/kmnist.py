"""Kuzushiji-MNIST. Digests and sizes are as published by its authors and pinned by the libraries that serve it."""

from __future__ import annotations

from idxhub.catalog.spec import DatasetSpec, Resource, SplitSpec

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
    splits={
        "train": SplitSpec(
            images=Resource(
                filename="train-images-idx3-ubyte.gz",
                md5="bdb82020997e1d708af4cf47b453dcf7",
                shape=(60_000, 28, 28),
                size=18_165_135,
                sha256="51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            labels=Resource(
                filename="train-labels-idx1-ubyte.gz",
                md5="e144d726b3acfaa3e44228e80efcd344",
                shape=(60_000,),
                size=29_497,
                sha256="e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            ),
        ),
        "test": SplitSpec(
            images=Resource(
                filename="t10k-images-idx3-ubyte.gz",
                md5="5c965bf0a639b31b8f53240b1b52f4d7",
                shape=(10_000, 28, 28),
                size=3_041_136,
                sha256="edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            labels=Resource(
                filename="t10k-labels-idx1-ubyte.gz",
                md5="7320c461ea6c1c855c0b718fb2a4b134",
                shape=(10_000,),
                size=5_120,
                sha256="20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        ),
    },
    # plain HTTP, so the digests are all that protects it
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    folders=("data/KMNIST/raw", "~/data/KMNIST/raw"),  # torchvision below the root that its examples use
    subfolders=("", "kmnist", "KMNIST/raw"),
)

DATASETS = (KMNIST,)

"""EMNIST: five datasets in one archive, of handwritten digits and letters.

The archive's digests and size are as published. The members' MD5s are as pinned by the libraries that read them; their
sizes, and the digests of their content, are not known. The images in the files have rows and columns exchanged.
"""

from __future__ import annotations

from idxhub.catalog.builtin.mnist_layout import torchvision_folders
from idxhub.catalog.resource import Archive, Resource
from idxhub.catalog.spec import DatasetSpec, SplitSpec

_CITATION = """\
@misc{cohen2017emnist,
  author        = {Gregory Cohen and Saeed Afshar and Jonathan Tapson and Andr{\\'e} van Schaik},
  title         = {{EMNIST}: an Extension of {MNIST} to Handwritten Letters},
  year          = {2017},
  eprint        = {1702.05373},
  archivePrefix = {arXiv},
}"""

_ARCHIVE = Archive(
    filename="gzip.zip",
    md5="58c8d27c78d21e728a6bc7b3cc06412e",
    size=561_753_746,
    sha256="fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
)

# small letters that look like their capitals; the capital's class contains both
_MERGED = "cijklmopsuvwxyz"
_DIGITS, _CAPITALS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_47_CLASSES = (*_DIGITS, *_CAPITALS, *(letter for letter in _CAPITALS.lower() if letter not in _MERGED))
_62_CLASSES = (*_DIGITS, *_CAPITALS, *_CAPITALS.lower())


def _emnist(
    part: str,
    about: str,
    classes: tuple[str, ...],
    *,
    train: tuple[int, str, str],
    test: tuple[int, str, str],
    label_offset: int = 0,
) -> DatasetSpec:
    """Make one of the five specs. A split is given as its size, the MD5 of its images, and the MD5 of its labels."""

    def member(split: str, kind: str, md5: str, shape: tuple[int, ...]) -> Resource:
        filename = f"emnist-{part}-{split}-{kind}-ubyte.gz"
        return Resource(filename, md5, shape, archive=_ARCHIVE, member=f"gzip/{filename}")

    return DatasetSpec(
        name=f"emnist-{part}",
        title=f"EMNIST {part}",
        description=f"{train[0] + test[0]:,} grey-scale images, 28x28, of handwritten {about}",
        classes=classes,
        citation=_CITATION,
        homepage="https://www.nist.gov/itl/products-and-services/emnist-dataset",
        splits={
            split: SplitSpec(
                images=member(split, "images-idx3", images_md5, (size, 28, 28)),
                labels=member(split, "labels-idx1", labels_md5, (size,)),
                label_offset=label_offset,
                transposed=True,
            )
            for split, (size, images_md5, labels_md5) in {"train": train, "test": test}.items()
        },
        mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/",),
        folders=torchvision_folders("EMNIST"),
        subfolders=("", "gzip", "emnist", "emnist/gzip", "EMNIST/raw", "EMNIST/raw/gzip", "raw"),
    )


DATASETS = (
    _emnist(
        "balanced",
        "digits and letters, as many of each of 47 classes",
        _47_CLASSES,
        train=(112_800, "4041b0d6f15785d3fa35263901b5496b", "7a35cc7b2b7ee7671eddf028570fbd20"),
        test=(18_800, "6818d20fe2ce1880476f747bbc80b22b", "acd3694070dcbf620e36670519d4b32f"),
    ),
    _emnist(
        "byclass",
        "digits, capitals and small letters, 62 classes",
        _62_CLASSES,
        train=(697_932, "712dda0bd6f00690f32236ae4325c377", "ee299a3ee5faf5c31e9406763eae7e43"),
        test=(116_323, "1435209e34070a9002867a9ab50160d7", "7a0f934bd176c798ecba96b36fda6657"),
    ),
    _emnist(
        "bymerge",
        "digits and letters, 47 classes",
        _47_CLASSES,
        train=(697_932, "4a792d4df261d7e1ba27979573bf53f3", "491be69ef99e1ab1f5b7f9ccc908bb26"),
        test=(116_323, "8eb5d34c91f1759a55831c37ec2a283f", "c13f4cd5211cdba1b8fa992dae2be992"),
    ),
    _emnist(
        "digits",
        "digits",
        tuple(_DIGITS),
        train=(240_000, "d2662ecdc47895a6bbfce25de9e9a677", "2223fcfee618ac9c89ef20b6e48bcf9e"),
        test=(40_000, "a159b8b3bd6ab4ed4793c1cb71a2f5cc", "8afde66ea51d865689083ba6bb779fac"),
    ),
    _emnist(
        "letters",
        "letters, capital and small in one class; labels 0 to 25 are 1 to 26 in the files",
        tuple(_CAPITALS),
        train=(124_800, "8795078f199c478165fe18db82625747", "c16de4f1848ddcdddd39ab65d2a7be52"),
        test=(20_800, "382093a19703f68edac6d01b8dfdfcad", "d4108920cd86601ec7689a97f2de7f59"),
        label_offset=1,
    ),
)

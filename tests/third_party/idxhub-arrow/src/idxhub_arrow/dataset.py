"""`arrows`: pictures of arrows, in IDX files that are installed beside this module."""

from pathlib import Path

from idxhub import DatasetSpec, Resource, SplitSpec, hookimpl

ARROWS = DatasetSpec(
    name="arrows",
    title="Arrows",
    description="Arrows that point up, right, down or left, of 12x12 pixels",
    classes=("up", "right", "down", "left"),
    release="2026-01",
    license="CC0-1.0",
    folders=(str(Path(__file__).parent / "files"),),
    splits={
        "train": SplitSpec(
            images=Resource(
                filename="train-images-idx3-ubyte.gz",
                shape=(320, 12, 12),
                size=3234,
                md5="bb5d6d745e967ad790fbfdeda6ca3ce1",
                sha256="b5ad6d743de13a70b1126ee4526b97b863a532380e6c43ad08ef3ad3f4a20c1d",
                payload_sha256="9f0fa6e652b4411d862b57ad6531f0ccdfd86be570ad71ca984eba12bf0ec95e",
            ),
            labels=Resource(
                filename="train-labels-idx1-ubyte.gz",
                shape=(320,),
                size=153,
                md5="aa5bbc534bce46024aa250d79d14417c",
                sha256="b3487b237b8f237da2eec2ad59139b402525b0811a14d495b49907632d172084",
                payload_sha256="d3e621192f10888a604b2a222ceae233d7e8cec97057145f25358d869cc048ef",
            ),
        ),
        "test": SplitSpec(
            images=Resource(
                filename="test-images-idx3-ubyte.gz",
                shape=(80, 12, 12),
                size=917,
                md5="391b1619e0d97b6fb386ba0a6ffdfa82",
                sha256="fabccf304cdc5f861957783420fffc7fc77bc3da447cb6e4e1190e8a1556bd0a",
                payload_sha256="cf7cd32181e6ac05316fe1a7d04bb07f0e2ca34c1e0700f4323645fdaa1bae48",
            ),
            labels=Resource(
                filename="test-labels-idx1-ubyte.gz",
                shape=(80,),
                size=67,
                md5="4c92b98abe695a1730f9f25b604a6db5",
                sha256="ed49d360a5c06ca39a546e694702fdabc5944d702ab7787499f1286bc5babe63",
                payload_sha256="704a845b439a8bc459ce556a254a016de2b7eedf1cd75c3f37de668c417a9a69",
            ),
        ),
    },
)


@hookimpl
def idxhub_datasets() -> list[DatasetSpec]:
    """The datasets that this plugin adds."""
    return [ARROWS]

"""A member of a .zip: read within a bound, or refused; and what an `Archive` may be."""

import gzip
import struct
import zipfile

import pytest
from support.processes import python

from idxhub import Archive, Resource, errors
from idxhub.formats.zip_member import read_member


def bomb(path, data, member="m", method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr(member, data)
    return path


def test_a_member_is_inflated_no_further_than_needed(tmp_path):
    path = bomb(tmp_path / "bomb.zip", bytes(64 << 20))
    assert path.stat().st_size < 100_000
    python(
        """
        import resource
        from idxhub.formats.zip_member import read_member

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read_member(given, "m", 1000)
        except OSError as error:
            assert "larger than 1,000 bytes" in error.strerror
        else:
            raise AssertionError
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10
        """,
        given=path,
    )


def test_a_member_that_claims_to_be_small_is_not_believed(tmp_path):
    path = bomb(tmp_path / "liar.zip", bytes(1 << 20))
    data = bytearray(path.read_bytes())
    real = struct.pack("<I", 1 << 20)
    while real in data:  # both in the member's own header and in the directory
        at = data.index(real)
        data[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(OSError, match=r"not a sound \.zip|more than"):
        read_member(path, "m", 1000)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_bounded_are_refused(tmp_path, method):
    path = bomb(tmp_path / "other.zip", b"x" * 100, method=method)
    with pytest.raises(OSError, match=r"m is compressed with (bzip2|LZMA), which idxhub does not read$"):
        read_member(path, "m", 1000)


def test_a_directory_without_end_is_refused(tmp_path):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(12_000):
            packed.writestr(f"{number:060}", b"")
        packed.writestr("m", b"x")
    with pytest.raises(OSError, match=r"directory is larger than 1,048,576 bytes"):
        read_member(path, "m", 1000)


def test_no_byte_of_a_zip_can_change_unnoticed_or_raise_anything_else(tmp_path):
    """A damaged archive gives the member as it was, or an OSError that says so."""
    member, expected = "gzip/emnist-letters-test-labels-idx1-ubyte.gz", gzip.compress(bytes(range(20)), mtime=0)
    whole = bomb(tmp_path / "small.zip", expected, member, zipfile.ZIP_STORED).read_bytes()
    path, wrong = tmp_path / "damaged.zip", 0
    damaged = [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(len(whole))]
    for data in [*damaged, *(whole[:at] for at in range(len(whole)))]:
        path.write_bytes(data)
        try:
            assert read_member(path, member, 1000) == expected
        except OSError:
            wrong += 1
    assert wrong > len(whole)


NONSENSE = {
    "a path": {"filename": "a/b.zip"},
    "no digest": {"md5": "x"},
    "a negative size": {"size": -1},
    "no size": {"size": None},
    "another digest": {"sha256": "0"},
}


@pytest.mark.parametrize("what", NONSENSE)
def test_an_impossible_archive_is_refused(what):
    with pytest.raises(errors.SpecError):
        Archive(**({"filename": "a.zip", "md5": "0" * 32, "size": 5} | NONSENSE[what]))


@pytest.mark.parametrize("changes", [{"member": "m"}, {"archive": "a.zip", "member": "m"}, {"member": ""}])
def test_a_member_without_an_archive_is_refused(changes):
    with pytest.raises(errors.SpecError):
        Resource("a", "0" * 32, (5,), **changes)

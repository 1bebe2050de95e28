"""Inflating: what .gz and .xz may hold, what they may not, and how much memory any of it can cost."""

import gzip
import lzma
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idxhub.errors import IdxFormatError
from idxhub.formats.compression import inflate, inflate_known, is_compressed, peek

CONTENT = b"".join(i.to_bytes(2, "big") for i in range(400))
BOUNDED = 12 << 20  # bytes; 8 MiB of it is the dictionary that xz asks for by default
FORMATS = {"gz": lambda data: gzip.compress(data, mtime=0), "xz": lzma.compress}


@pytest.fixture(params=FORMATS)
def compress(request):
    return FORMATS[request.param]


def with_every_optional_field(content):
    flags = 0x02 | 0x04 | 0x08 | 0x10  # header CRC, extra, name, comment: RFC 1952
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + b"\x03\0abc" + b"name\0" + b"comment\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(content) + deflate.flush()
    return head + body + struct.pack("<II", zlib.crc32(content), len(content))


LARGE = CONTENT * 2000  # more than one step
PACKED = {
    "large .gz": (FORMATS["gz"](LARGE), LARGE),
    "large .xz": (FORMATS["xz"](LARGE), LARGE),
    "every optional field of .gz": (with_every_optional_field(CONTENT), CONTENT),
    "stored blocks": (gzip.compress(CONTENT, 0), CONTENT),
    "members of different formats": (gzip.compress(CONTENT[:100]) + lzma.compress(CONTENT[100:]), CONTENT),
}


@pytest.mark.parametrize("how", PACKED)
@pytest.mark.parametrize("spare", [0, 1000])
def test_content(how, spare):
    data, content = PACKED[how]
    assert bytes(inflate(data, len(content) + spare)) == content


KNOWN = {  # what is passed to inflate_known, and the content it gives; None: it leaves the bytes to `inflate`
    "the published file": (FORMATS["gz"](LARGE), len(LARGE), LARGE),
    "every optional field of .gz": (with_every_optional_field(CONTENT), len(CONTENT), CONTENT),
    "nothing": (FORMATS["gz"](b""), 0, b""),
    "bytes that follow": (FORMATS["gz"](CONTENT) + b"<html>", len(CONTENT), CONTENT),
    "longer than expected": (FORMATS["gz"](CONTENT), len(CONTENT) - 1, None),
    "shorter than expected": (FORMATS["gz"](CONTENT), len(CONTENT) + 1, None),
    "more than deflate can hold": (FORMATS["gz"](CONTENT), 1 << 40, None),
    "two members": (FORMATS["gz"](CONTENT) * 2, 2 * len(CONTENT), None),
    "cut": (FORMATS["gz"](CONTENT)[:-1], len(CONTENT), None),
    "another CRC": (FORMATS["gz"](CONTENT)[:-8] + bytes(8), len(CONTENT), None),
    "not compressed": (CONTENT, len(CONTENT), None),
    ".xz": (FORMATS["xz"](CONTENT), len(CONTENT), None),
    "no bytes": (b"", 0, None),
}


@pytest.mark.parametrize("what", KNOWN)
def test_content_of_known_size(what):
    data, size, content = KNOWN[what]
    assert inflate_known(data, size) == content


@given(st.integers(0, 8 * len(FORMATS["gz"](CONTENT)) - 1))
def test_one_wrong_bit_gives_the_content_or_nothing(bit):
    data = bytearray(FORMATS["gz"](CONTENT))
    data[bit // 8] ^= 1 << bit % 8
    assert inflate_known(bytes(data), len(CONTENT)) in (None, CONTENT)


@pytest.mark.parametrize("count", [1, 4, 512, 300_000])
def test_trailing_zeros_are_padding(compress, count):
    assert bytes(inflate(compress(CONTENT) + bytes(count), len(CONTENT))) == CONTENT


@pytest.mark.parametrize("junk", [b"x", b"\0\0x", b"\x1f", b"\x1f\x8c" + bytes(20), b"<html>"])
def test_trailing_junk_is_refused(compress, junk):
    with pytest.raises(IdxFormatError, match="other bytes follow"):
        inflate(compress(CONTENT) + junk, len(CONTENT))


def test_a_damaged_second_member_is_refused(compress):
    with pytest.raises(IdxFormatError):
        inflate(compress(CONTENT) + compress(CONTENT)[:-3], 2 * len(CONTENT))


@pytest.mark.parametrize(("offset", "what"), [(-8, "incorrect data check"), (-4, "incorrect length check")])
def test_wrong_gzip_trailer_is_refused(offset, what):
    data = bytearray(gzip.compress(CONTENT))
    data[offset] ^= 1
    with pytest.raises(IdxFormatError, match=what):
        inflate(bytes(data), len(CONTENT))


def test_every_cut_is_refused(compress):
    data = compress(CONTENT[:64])
    magic = 2 if data.startswith(b"\x1f") else 6
    for length in range(magic, len(data)):
        with pytest.raises(IdxFormatError):
            inflate(data[:length], 64)


def test_every_bit_flip_is_refused_or_harmless(compress):
    """What gets through has the right content (a flag or a time in the header), or is no longer compressed at all."""
    data = compress(CONTENT[:64])
    refused = 0
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            content = bytes(inflate(bytes(flipped), 1000))
        except IdxFormatError:
            refused += 1
        else:
            assert content in (CONTENT[:64], bytes(flipped))
    assert refused > len(data) * 4


@pytest.mark.parametrize("limit", [0, 1, 399, len(CONTENT) - 1])
def test_more_than_the_limit_is_refused(compress, limit):
    with pytest.raises(IdxFormatError, match=f"more than the {limit:,} bytes"):
        inflate(compress(CONTENT), limit)


def peak_of(action) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_costs_little_memory(compress):
    bomb = compress(bytes(32 << 20))

    def refused():
        with pytest.raises(IdxFormatError, match="more than"):
            inflate(bomb, 1000)

    assert peak_of(refused) < BOUNDED


@pytest.mark.parametrize("limit", [2**40, 2**128])
def test_a_limit_beyond_all_memory_allocates_nothing(compress, limit):
    """The limit is what a header claims: only what is there may be paid for."""
    data = compress(CONTENT)
    assert peak_of(lambda: inflate(data, limit)) < BOUNDED


def test_an_xz_header_that_asks_for_a_dictionary_of_4_gib_is_refused():
    data = bytearray(lzma.compress(CONTENT, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]))
    size = 4 * (data[12] + 1)  # the block header follows the 12 bytes of the stream's: the .xz format, 3.1
    assert data[14:16] == b"\x21\x01"  # LZMA2, one byte of properties
    data[16] = 40
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 12 + size - 4]).to_bytes(4, "little")

    def refused():
        with pytest.raises(IdxFormatError, match=r"[Mm]emory"):
            inflate(bytes(data), len(CONTENT))

    assert peak_of(refused) < BOUNDED


def test_plain_data_passes_through():
    assert inflate(CONTENT, len(CONTENT)) is CONTENT
    assert inflate(b"", 0) == b""


def test_plain_data_beyond_the_limit_is_refused():
    with pytest.raises(IdxFormatError, match="holds 800 bytes where 799"):
        inflate(CONTENT, 799)


@pytest.mark.parametrize("count", [1, 100, 10_000])
def test_peek(compress, count):
    assert peek(compress(CONTENT), count) == CONTENT[:count]
    assert peek(CONTENT, count) == CONTENT[:count]


def test_peek_costs_little_memory_on_a_bomb(compress):
    bomb = compress(bytes(32 << 20))
    assert peak_of(lambda: peek(bomb, 100)) < BOUNDED


def test_peek_at_damaged_data():
    with pytest.raises(IdxFormatError, match="damaged"):
        peek(b"\x1f\x8b\x08\x00" + b"\xff" * 30, 10)


@pytest.mark.parametrize(
    ("data", "answer"), [(b"\x1f\x8b", True), (b"\xfd7zXZ\0", True), (b"\x1f", False), (b"", False), (b"PK\3\4", False)]
)
def test_is_compressed(data, answer):
    assert is_compressed(data) is answer


@given(st.binary(max_size=300), st.sampled_from(sorted(FORMATS)), st.integers(1, 3))
def test_round_trip(content, kind, members):
    data = FORMATS[kind](content) * members
    assert bytes(inflate(data, members * len(content))) == content * members


@given(st.binary(max_size=200), st.sampled_from([b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\xfd7zXZ\0"]))
def test_arbitrary_bytes_are_refused_or_bounded(data, magic):
    try:
        content = inflate(magic + data, 500)
    except IdxFormatError:
        return
    assert len(content) <= 500

"""The IDX format under its public name: see `idxhub.formats.idx`."""

from idxhub.formats.idx import MAX_HEADER_SIZE, Header, decode, encode, encode_header, read_header

__all__ = ["MAX_HEADER_SIZE", "Header", "decode", "encode", "encode_header", "read_header"]

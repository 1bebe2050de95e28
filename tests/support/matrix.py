"""The rows of the fault matrix: what is done to idxhub, and what must come of it."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One fault. After each of them `support.invariant.check` holds as well."""

    fault: str
    outcome: str


ROWS = {
    1: Row("the mirror refuses the connection", "the next mirror serves"),
    2: Row("the mirror's name does not resolve", "the next mirror serves, or the error says that the name is unknown"),
    3: Row("the mirror answers 404 or 403", "no second try; the next mirror serves"),
    4: Row("the mirror answers 429 or 503 and asks to wait", "it is waited for, within a bound"),
    5: Row("the mirror fails twice with 500", "the third try serves"),
    6: Row("a log-in page comes in place of the file", "the error says so; the next mirror serves"),
    7: Row("MNIST's digits come under Fashion-MNIST's names", "the error says that this is MNIST"),
    8: Row("the body ends before its announced length", "it is asked for again"),
    9: Row("the body is longer than the published file", "its content decides, up to a bound; past it nothing is read"),
    10: Row("the body comes in chunks, its length unsaid", "it serves"),
    11: Row("a chunked body is cut by a reset", "it is asked for again"),
    12: Row("the body never ends", "at most one byte more than the bound is read"),
    13: Row("the .gz is called a compressed transfer", "the bytes are kept as published"),
    14: Row("the server has decompressed the file", "it is accepted by the digest of its content"),
    15: Row("the server accepts and never answers", "a deadline ends it"),
    16: Row("the body stops half-way", "a deadline ends it"),
    17: Row("the body comes a byte at a time", "the deadline for the whole ends it"),
    18: Row("redirects go in a circle", "an error says so"),
    19: Row("https redirects to http", "refused"),
    20: Row(
        "the certificate is self-signed, a stranger's, expired or another host's",
        "refused, and http is not tried instead",
    ),
    21: Row("a proxy serves, asks for a password, or is dead", "it is honoured; no password is printed"),
    22: Row("every mirror is bad", "one error lists each with its reason"),
    23: Row("sixteen processes start on a cold cache", "each file is downloaded once"),
    24: Row("the same, and locks do nothing", "downloaded more than once, and all are right"),
    25: Row("the lock's holder is killed, or stopped", "the others go on"),
    26: Row("SIGKILL at a write, an fsync or a rename", "the next call succeeds"),
    27: Row("Ctrl-C or SIGTERM while a file is written", "its temp file is removed"),
    28: Row("temp files that somebody left", "removed when they are a day old"),
    29: Row(
        "the disk is full at the start, half-way, at the fsync", "the old file stays; the error gives the room left"
    ),
    30: Row("a write or an fsync fails with EIO", "the error says so"),
    31: Row("a warm cache that cannot be written", "it serves, and nothing is written"),
    32: Row("a cold cache that cannot be written", "the error names the setting that moves the cache"),
    33: Row("the cache's path is a file, or a link to nowhere", "the error says so; the file is left alone"),
    34: Row("a link planted at the final, temp or lock path", "its target is untouched"),
    35: Row("umask 002, and a second user", "the second user can read the cache"),
    36: Row(
        "a cached file has a byte flipped, is cut or emptied",
        "noticed by default; made again; in a cache that cannot be written, served from memory; offline, an error",
    ),
    37: Row("a file is swapped between check and use", "what was checked is what is used"),
    38: Row("no HOME, a path of 300 characters, a path that is not UTF-8", "it works, or the error says what is wrong"),
    39: Row("the offline switch; no network at all", "cold: an error at once; warm: it serves"),
    40: Row("a fork after a load; sixteen threads at once", "one download, and nobody's data change"),
    41: Row("gzip with junk behind it, a wrong CRC or length, two members, a bomb", "right or refused, memory bounded"),
    42: Row("IDX with a bad magic, type, dimension count or size; every cut and bit flip", "refused before allocating"),
    43: Row("counts of images and labels differ; a label outside the classes", "the error names both"),
    44: Row("a cache that everybody may write", "verified all the same"),
}

"""The rows of the fault matrix: the faults that the tests cause, and what idxhub must do."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One fault. After each of them `support.invariant.check` holds as well."""

    fault: str
    outcome: str


ROWS = {
    1: Row("the mirror refuses the connection", "the next mirror is used"),
    2: Row("the mirror's name does not resolve", "the next mirror is used, or the error says that the name is unknown"),
    3: Row("the mirror answers 404 or 403", "no second try; the next mirror is used"),
    4: Row("the mirror answers 429 or 503 and asks to wait", "idxhub waits, up to a limit"),
    5: Row("the mirror fails twice with 500", "the third try succeeds"),
    6: Row("a log-in page comes instead of the file", "the error says so; the next mirror is used"),
    7: Row("the mirror sends MNIST's digits under Fashion-MNIST's names", "the error says that this is MNIST"),
    8: Row("the body ends before its announced length", "the file is requested again"),
    9: Row(
        "the body is longer than the published file",
        "its content decides, up to a limit; nothing is read beyond the limit",
    ),
    10: Row("the body comes in chunks, without a length", "the file is accepted"),
    11: Row("a reset cuts a chunked body", "the file is requested again"),
    12: Row("the body never ends", "at most one byte more than the limit is read"),
    13: Row("the server labels the .gz as a compressed transfer", "the bytes are kept as published"),
    14: Row("the server sends the file decompressed", "it is accepted by the digest of its content"),
    15: Row("the server accepts the connection and never answers", "a deadline ends the attempt"),
    16: Row("the body stops half-way", "a deadline ends the attempt"),
    17: Row("the body comes one byte at a time", "the deadline for the whole file ends the attempt"),
    18: Row("redirects go in a circle", "the error says so"),
    19: Row("https redirects to http", "the redirect is refused"),
    20: Row(
        "the certificate is self-signed, of an unknown authority, expired or of another host",
        "the connection is refused, and http is not tried instead",
    ),
    21: Row(
        "a proxy works, asks for a password, or does not answer",
        "the proxy is used, or the error names it; no password is printed",
    ),
    22: Row("every mirror fails", "one error lists each mirror with its reason"),
    23: Row("sixteen processes start on a cold cache", "each file is downloaded once"),
    24: Row("the same, and locks have no effect", "some files are downloaded more than once; all results are right"),
    25: Row("the process that holds the lock is killed or stopped", "the others continue"),
    26: Row("SIGKILL at a write, an fsync or a rename", "the next call succeeds"),
    27: Row("Ctrl-C or SIGTERM while a file is written", "its temporary file is removed"),
    28: Row("another process has left temporary files", "they are removed when they are a day old"),
    29: Row(
        "the disk is full at the start, half-way, at the fsync", "the old file stays; the error gives the free space"
    ),
    30: Row("a write or an fsync fails with EIO", "the error says so"),
    31: Row("a warm cache cannot be written", "the data are served, and nothing is written"),
    32: Row("a cold cache cannot be written", "the error names the setting that moves the cache"),
    33: Row("the path of the cache is a file, or a dangling link", "the error says so; the file does not change"),
    34: Row("somebody has put a link at the final, temporary or lock path", "the target of the link does not change"),
    35: Row("umask 002, and a second user of the cache", "the second user can read the cache"),
    36: Row(
        "a file in the cache has a flipped byte, is truncated or empty",
        "noticed by default, and made again; served from memory if the cache cannot be written; an error if offline",
    ),
    37: Row("a file is swapped between check and use", "the checked bytes are the bytes that are used"),
    38: Row(
        "no HOME, a path of 300 characters, a path that is not UTF-8", "the call works, or the error says what is wrong"
    ),
    39: Row("offline by setting, or no network at all", "cold: an error at once; warm: the data are served"),
    40: Row("a fork after a load; sixteen threads at once", "one download, and all data stay right"),
    41: Row(
        "gzip with extra bytes at its end, a wrong CRC or length, two members, or a bomb",
        "right data or refused; memory is bounded",
    ),
    42: Row(
        "IDX with a wrong magic number, type, dimension count or size; every truncation and bit flip",
        "refused before memory is allocated",
    ),
    43: Row("the numbers of images and labels differ; a label is outside the classes", "the error names both"),
    44: Row("everybody may write into the cache", "the data are verified as always"),
    45: Row("the target of an export exists", "refused; with --force it is replaced when the new one is complete"),
    46: Row(
        "the disk is full at the start of an export, half-way, at the fsync",
        "nothing is at the target, or what was there; the error gives the free space",
    ),
    47: Row("Ctrl-C or SIGTERM while an export is written", "nothing is left of it; what was there stays"),
    48: Row(
        "SIGKILL at a mkdir, an fsync, a rename or an unlink of an export",
        "the target is absent, old or complete; the next export removes what is left",
    ),
    49: Row("several exports to one path at once", "one complete result; without --force the others are refused"),
    50: Row("a package that the format needs is not installed", "the error gives the command that installs it"),
    51: Row(
        "a format, an option or a split that does not exist; a broken exporter of another distribution",
        "the error lists the choices and the nearest one; the list of formats imports no exporter",
    ),
}

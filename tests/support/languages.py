"""The programs in examples/languages: what each needs, and how it is built and run.

The commands are those in the comment at the top of each program. tools/install_languages.sh has the packages.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from idxhub import get_dataset

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "other-languages.md"
PROGRAMS = ROOT / "examples" / "languages"
INSTALLED = ROOT / "build" / "languages.txt"  # tools/install_languages.sh writes it
CRATES = Path("/usr/share/cargo/registry")  # of Debian
TIMEOUT = 300  # seconds
_SCRIPT = (ROOT / "tools" / "install_languages.sh").read_text(encoding="utf-8")
_TABLE = _SCRIPT.partition("languages='\n")[2].partition("'\n")[0]
PACKAGES = dict(re.findall(r"^(\w+) +(.+)$", _TABLE, re.MULTILINE))


@dataclass(frozen=True)
class Language:
    """A language and its program."""

    folder: str  # in examples/languages, and the name in tools/install_languages.sh
    name: str
    program: str
    toolchain: str
    check: str  # a shell command: prints the toolchain's version, and succeeds if the libraries are there too
    lexer: str  # Pygments' name of the language
    raw: bool = False  # whether the program reads decompressed files

    @property
    def path(self) -> Path:
        return PROGRAMS / self.folder / self.program

    @property
    def packages(self) -> str:
        return PACKAGES[self.folder]

    @property
    def commands(self) -> list[str]:
        """Those of the comment: the last one runs the program, the others build it."""
        head = "\n".join(self.path.read_text(encoding="utf-8").splitlines()[:8])
        return re.findall(r"^(?:(?: \*|//!?|--|#|%)(?: {4,}|\t)| {4})(\S.*)$", head, re.MULTILINE)

    @functools.cached_property
    def version(self) -> str | None:
        """The toolchain's; None if something is not installed."""
        done = shell(self.check)
        return re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)[0] if done.returncode == 0 else None

    @property
    def with_version(self) -> str:
        return f"{self.toolchain} {self.version}"

    def need(self) -> None:
        """Skip the test if something is not installed; fail if tools/install_languages.sh has installed it."""
        if self.version is not None:
            return
        lacks = f"{self.name} is not run: install Debian's {self.packages.replace(' ', ', ')}"
        if INSTALLED.is_file() and self.folder in INSTALLED.read_text(encoding="utf-8").split():
            pytest.fail(f"{lacks}. build/languages.txt says that they are installed; `{self.check}` fails")
        pytest.skip(lacks)


# fmt: off
LANGUAGES = (
    Language("c", "C", "read_idx.c", "GCC",
             r"gcc -dumpfullversion && printf '#include <openssl/evp.h>\n#include <zlib.h>\n' | gcc -E - > /dev/null",
             "c"),
    Language("cpp", "C++", "read_idx.cpp", "G++",
             "g++ -dumpfullversion && echo '#include <openssl/evp.h>' | g++ -E -x c++ - > /dev/null",
             "cpp", raw=True),
    Language("csharp", "C#", "Program.cs", "Mono", "mcs --version && mono --version", "csharp"),
    Language("go", "Go", "main.go", "Go", "go version", "go"),
    Language("java", "Java", "ReadIdx.java", "OpenJDK", "java --version && javac --version", "java"),
    Language("browser", "JavaScript in a browser", "read-idx.html", "Chromium",
             "chromium --version && chromedriver --version", "html"),
    Language("nodejs", "JavaScript in Node.js", "read-idx.mjs", "Node.js", "node --version", "javascript"),
    Language("lua", "Lua", "read_idx.lua", "Lua", "lua5.4 -v && lua5.4 -e 'require \"openssl.digest\"'",
             "lua", raw=True),
    Language("matlab", "MATLAB", "read_idx.m", "GNU Octave", "octave-cli --version", "matlab", raw=True),
    Language("python", "Python without NumPy", "read_idx.py", "CPython", "python3 --version", "python"),
    Language("r", "R", "read_idx.R", "R", "Rscript --version && Rscript -e 'library(digest)'", "r"),
    Language("ruby", "Ruby", "read_idx.rb", "Ruby", "ruby --version", "ruby"),
    Language("rust", "Rust", "src/main.rs", "rustc",
             f"rustc --version && cargo --version && ls {CRATES}/sha2-*/Cargo.toml {CRATES}/flate2-*/Cargo.toml",
             "rust"),
    Language("scala", "Scala", "ReadIdx.scala", "Scala", "scalac -version && scala -version", "scala"),
)
# fmt: on


def shell(command: str, folder: Path | None = None, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; compilers may keep what they like in `home`."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {"CARGO_HOME", "GOCACHE", "GOFLAGS"}
    }
    # Debian's packages first: other installations may look for their parts in the user's home, which tests hide
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", environment["PATH"]])
    if home is not None:
        environment["HOME"] = str(home)
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def digests(name: str, **options: Any) -> str:
    """The line that a program must print, from idxhub's own arrays."""
    train, test = get_dataset(name, split=("train", "test"), **options)
    return f"images {_sha256(train.images, test.images)} labels {_sha256(train.labels, test.labels)}\n"


def _sha256(*arrays: NDArray[Any]) -> str:
    return hashlib.sha256(b"".join(array.astype(np.uint8).tobytes() for array in arrays)).hexdigest()


def page(run: Iterable[Language] = ()) -> str:
    """The text of the page with the programs, and the versions of those that were run; of others, what it has now."""
    text = PAGE.read_text(encoding="utf-8")
    versions = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE))
    versions |= {each.name: each.with_version for each in run}
    rows = ["", "| language | reads | run with | Debian's packages |", "| --- | --- | --- | --- |"]
    programs = []
    for each in LANGUAGES:
        packages = ", ".join(f"`{package}`" for package in each.packages.split())
        reads = "decompressed files" if each.raw else "`.gz`"
        rows.append(f"| {each.name} | {reads} | {versions.get(each.name, 'not run')} | {packages} |")
        programs.append(f"\n## {each.name}\n")
        folder = PROGRAMS / each.folder
        for path in [*folder.glob("Cargo.toml"), each.path]:
            lexer = each.lexer if path == each.path else "ini"  # tests/docs would run a block of TOML
            shown = path.read_text(encoding="utf-8")
            programs.append(f"\n```{{code-block}} {lexer}\n:caption: {path.relative_to(folder)}\n\n{shown}```\n")
    before, begin, rest = text.partition("<!-- languages -->\n")
    after = "<!-- end of languages -->\n" + rest.partition("<!-- end of languages -->\n")[2]
    after, end, _ = after.partition("<!-- programs -->\n")
    return "".join([before, begin, "\n".join(rows), "\n\n", after, end, *programs])

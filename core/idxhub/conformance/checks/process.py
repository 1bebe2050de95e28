"""Checks of what an adapter does in its process: imports, files, sockets, memory."""

from __future__ import annotations

import gc
import os

from idxhub.conformance.checks.common import check
from idxhub.conformance.kit import Case, NotHere, require


@check("package")
def missing_framework(case: Case) -> None:
    """If the framework's package is missing, the error is a `MissingFrameworkError` that names the package."""
    seen = case.child(
        "import sys; sys.modules[sys.argv[2]] = None\n"
        "import idxhub\n"
        "try: idxhub.get_dataset('fashion-mnist-sample', framework=sys.argv[1], download=False)\n"
        "except Exception as error: print(type(error).__name__, error)",
        case.subject.framework,
        str(case.subject.package),
    )
    is_right = seen.startswith("MissingFrameworkError ") and str(case.subject.package) in seen
    require(is_right, f"the error says: {seen.strip() or 'nothing'}")


@check()
def lazy_import(case: Case) -> None:
    """`import idxhub` and listing the adapters import neither the adapter nor its package."""
    seen = case.child(
        "import sys, idxhub; idxhub.adapters()\n"
        "from importlib.metadata import entry_points\n"
        "modules = {e.module for e in entry_points(group='idxhub.adapters')} | set(sys.argv[1:])\n"
        "print(*sorted(modules & set(sys.modules)))",
        *([case.subject.package] if case.subject.package else []),
    )
    require(not seen.strip(), f"imported: {seen.strip()}")


@check()
def imports_alone(case: Case) -> None:
    """The adapter imports no other adapter."""
    seen = case.child(
        "import sys, idxhub\n"
        "from importlib.metadata import entry_points\n"
        "idxhub.Plugins().adapter(sys.argv[1])\n"
        "print(*sorted({e.module for e in entry_points(group='idxhub.adapters') if e.name != sys.argv[1]}\n"
        "              & set(sys.modules)))",
        case.subject.framework,
    )
    require(not seen.strip(), f"imported as well: {seen.strip()}")


@check()
def warm_is_quiet(case: Case) -> None:
    """If the arrays are in the cache, no file is written and no socket is opened."""
    seen = case.child(
        "import os, sys, pathlib, idxhub\n"
        "from idxhub import conformance\n"
        "spec = conformance.make(pathlib.Path(sys.argv[2])).spec\n"
        "try: subject = conformance.subject(sys.argv[1])\n"
        "except idxhub.errors.UnknownNameError: subject = None\n"  # the adapter's subject may not be installed
        "if subject is not None and subject.start is not None: subject.start()\n"
        "def call():\n"
        "    native = idxhub.get_dataset(spec, framework=sys.argv[1], cache_dir=sys.argv[3])\n"
        "    for batch in subject.batches(native, 64) if subject is not None else ():\n"
        "        for array in batch: subject.to_numpy(array).sum()\n"
        "call()\n"  # does the imports, and fills the cache
        "events = []\n"
        "def hook(name, arguments):\n"
        "    if name in {'socket.__new__', 'socket.bind', 'socket.connect', 'socket.getaddrinfo', 'os.rename',\n"
        "                'os.mkdir', 'os.remove', 'os.symlink', 'os.link', 'os.truncate'}\\\n"
        "       or name == 'open' and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)\\\n"
        "       and not str(arguments[0]).startswith(('/dev/', '/proc/')):\n"
        "        events.append(f'{name} {arguments[:1]}')\n"
        "sys.addaudithook(hook)\n"
        "call()\n"
        "print(*dict.fromkeys(events), sep='; ')",
        case.subject.framework,
        str(case.truth.folder),
        str(case.cache_dir),
    )
    require(not seen.strip(), seen.strip())


@check()
def memory_bound(case: Case) -> None:
    """Opening a large dataset does not read its images into memory: they stay in the mapped file."""
    if not os.path.isfile("/proc/self/status"):
        raise NotHere("there is no /proc, which says how much memory a process uses")
    code = (
        "import pathlib, sys, numpy, idxhub\n"
        "from idxhub import conformance, idx\n"
        "def anonymous():\n"
        "    (line,) = [line for line in open('/proc/self/status') if line.startswith('RssAnon')]\n"
        "    return int(line.split()[1]) // 1024\n"
        "def opened(spec): return idxhub.get_dataset(spec, framework=sys.argv[1], cache_dir=sys.argv[3])\n"
        "small = conformance.make(pathlib.Path(sys.argv[2])).spec\n"
        "folder = pathlib.Path(sys.argv[3]); folder.mkdir(parents=True, exist_ok=True)\n"
        "for name, shape in (('images', (32768, 32, 32)), ('labels', (32768,))):\n"
        "    if not (folder / name).exists():\n"
        "        (folder / name).write_bytes(idx.encode(numpy.zeros(shape, numpy.uint8)))\n"
        "files = [idxhub.Resource.from_file(folder / name) for name in ('images', 'labels')]\n"
        "large = idxhub.DatasetSpec('zeros', {'train': idxhub.SplitSpec(*files)}, folders=(str(folder),))\n"
        "kept = [opened(small)]\n"  # the framework has allocated what it needs only once
        "before = anonymous(); kept.append(opened(large)); print(anonymous() - before)\n"
    )
    arguments = case.subject.framework, str(case.truth.folder), str(case.cache_dir / "large")
    case.child(code, *arguments)  # fills the cache
    grown = int(case.child(code, *arguments))
    require(grown < 16, f"opening 32 MiB of images took {grown} MiB of memory")


@check()
def no_descriptor_leaked(case: Case) -> None:
    """After a dataset is deleted, none of its files is open."""
    if not os.path.isdir("/proc/self/fd"):
        raise NotHere("there is no /proc, which lists the open files")

    def opened() -> int:
        case.read(case.dataset())
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = opened()  # the framework has opened the files that it keeps open
    after = [opened() for _ in range(5)][-1]
    require(after <= before, f"{after - before} more open files after five rounds")

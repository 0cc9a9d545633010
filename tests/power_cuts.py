"""A simulated disk: what a call has written is recorded, and any instant of it can lose its power.

The worst that a journalling file system may do is assumed. Names (files made, renamed, removed)
reach the disk in their order, some time later, and for sure when their folder is synced. The bytes
of a file reach it for sure when the file is synced; until then the disk holds the older bytes, a
part, zeros or all of them.
"""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

CHANGES = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate")

Names = dict[str, int | None]  # path below the folder -> inode of a file, None of a folder
Contents = dict[int, bytes]  # inode -> bytes


class Instant(NamedTuple):
    """The disk before a change.

    safe: number of the earliest instant whose names the disk may still have.
    """

    names: Names
    contents: Contents
    synced: Contents
    safe: int


class Recording:
    """What happens below a folder, from an audit hook of Python and a shim around os.fsync."""

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self.instants: list[Instant] = []
        self.synced: Contents = {}
        self.safe = 0
        self.is_busy = False
        self._seen: dict[int, tuple[tuple[int, int], bytes]] = {}

    def note(self) -> None:
        """Records the disk as the running system sees it."""
        self.is_busy = True
        names: Names = {}
        contents: Contents = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            names[name] = None
            if path.is_file():
                names[name] = path.stat().st_ino
                contents[path.stat().st_ino] = self._content(path)
        self.synced = {inode: held for inode, held in self.synced.items() if inode in contents}
        self.instants.append(Instant(names, contents, dict(self.synced), self.safe))
        self.is_busy = False

    def _content(self, path: Path) -> bytes:
        """Returns the bytes of a file, which are read again where it has changed."""
        status = path.stat()
        known = (status.st_mtime_ns, status.st_size)
        if self._seen.get(status.st_ino, (None,))[0] != known:
            self._seen[status.st_ino] = (known, path.read_bytes())
        return self._seen[status.st_ino][1]

    def on_change(self, event: str, arguments: tuple) -> None:
        """Records the disk before a change below the folder."""
        if not self.is_busy and is_change_below(self.folder, event, arguments):
            self.note()

    def on_sync(self, descriptor: int) -> None:
        """Records that a file or the names in a folder are on disk."""
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path != self.folder and self.folder not in path.parents:
            return
        if path.is_file():
            self.synced[path.stat().st_ino] = path.read_bytes()
            self.note()
            return
        self.note()
        prefix = "" if path == self.folder else f"{path.relative_to(self.folder)}/"
        self.safe = max(self.safe, self._last_change_in(prefix))
        self.note()

    def _last_change_in(self, prefix: str) -> int:
        """Returns the first instant since which a folder has had the names that it has now."""
        now = _names_in(self.instants[-1].names, prefix)
        for number in range(len(self.instants) - 1, 0, -1):
            if _names_in(self.instants[number - 1].names, prefix) != now:
                return number
        return 0

    def cut(self, folder: Path, chance: random.Random) -> None:
        """Writes into a folder what the disk may hold after a power cut at a random instant."""
        number = chance.randrange(len(self.instants))
        instant = self.instants[number]
        of_names = chance.choice([instant.safe, number, chance.randint(instant.safe, number)])
        held = self.instants[of_names]
        folder.mkdir(parents=True)
        for name, inode in held.names.items():
            if inode is None:
                (folder / name).mkdir()
                continue
            source = instant if inode in instant.contents else held
            content = source.contents[inode]
            synced = source.synced.get(inode)
            if content != synced:
                half = content[: chance.randrange(len(content) + 1)]
                content = chance.choice([synced or b"", half, bytes(len(content)), content])
            (folder / name).write_bytes(content)


def is_change_below(folder: Path, event: str, arguments: tuple) -> bool:
    """Returns whether an audit event of Python is a change of a folder's files or names."""
    if event not in CHANGES:
        return False
    if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return False
    paths = [str(word) for word in arguments[:2] if isinstance(word, (str, os.PathLike))]
    return any(os.path.abspath(path).startswith(str(folder)) for path in paths)


def _names_in(names: Names, prefix: str) -> Names:
    """Returns the names that are directly in a folder."""
    below = {name: inode for name, inode in names.items() if name.startswith(prefix)}
    return {name: inode for name, inode in below.items() if "/" not in name[len(prefix) :]}


class Watcher(Protocol):
    """What is told of every change before it happens."""

    def on_change(self, event: str, arguments: tuple) -> None: ...


_watchers: list[Watcher] = []
_hooks: list[object] = []  # an audit hook of Python stays for ever


def _audit(event: str, arguments: tuple) -> None:
    for watcher in _watchers:
        watcher.on_change(event, arguments)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Tells a watcher of all changes until the end of the block."""
    if not _hooks:
        sys.addaudithook(_audit)
        _hooks.append(_audit)
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def recorded(folder: Path) -> Iterator[Recording]:
    """Records what happens below a folder until the end of the block."""
    recording = Recording(folder)
    recording.note()
    recording.synced = dict(recording.instants[0].contents)  # what was there is on disk
    recording.instants[0] = recording.instants[0]._replace(synced=dict(recording.synced))
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        recording.on_sync(descriptor)

    os.fsync = fsync
    try:
        with watched_by(recording):
            yield recording
    finally:
        os.fsync = real_fsync
    recording.note()

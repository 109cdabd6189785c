"""Files that are there whole or not at all, also after a ``kill -9``."""

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

#: Ending of a file that is still being written.
PART = '.part'
LAST_CHECKPOINT = 'last_checkpoint'


def write_whole(path: str | Path, data: bytes) -> None:
    """Write a file next to its place, sync it, then move it there.

    A process killed on the way leaves the previous file of that name
    untouched, and at most a leftover ending in ``.part``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(_write_part(path, data), path)
    _sync_folder(path.parent)


def write_all_whole(contents: dict[Path, bytes]) -> None:
    """Write files that belong together: none is there if one fails."""
    parts: dict[Path, Path] = {}
    made = []
    try:
        for path, data in contents.items():
            for folder in (path.parent, *path.parent.parents):
                if not folder.exists():
                    made.append(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path] = _write_part(path, data)
    except BaseException:
        for path in contents:
            path.with_name(path.name + PART).unlink(missing_ok=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise
    for path, part in parts.items():
        os.replace(part, path)
        _sync_folder(path.parent)


def _write_part(path: Path, data: bytes) -> Path:
    part = path.with_name(path.name + PART)
    with open(part, 'wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return part


def _sync_folder(folder: Path) -> None:
    """Make a move last through a power failure, where the system can."""
    if os.name != 'posix':
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(
    folder: Path, *, lock_file: str | None = None, inherit: bool = False
) -> Iterator[None]:
    """Keep other processes that ask for it out of a folder.

    Where the system or the file system has no locks, nobody is kept out.

    Args:
        folder: Made where it is missing.
        lock_file: Name of a file in it to lock, which stays; None: the folder
            itself, which some file systems cannot.
        inherit: Whether children that outlive this process keep the lock.

    Raises:
        FileExistsError: If another one is there, or it is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f'{folder} is no folder')
    folder.mkdir(parents=True, exist_ok=True)
    if os.name != 'posix':
        yield
        return
    import fcntl

    if lock_file is None:
        descriptor = os.open(folder, os.O_RDONLY)
    else:
        descriptor = os.open(folder / lock_file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileExistsError(
                f'another process is at work in {folder}: wait for it, or '
                'end it'
            ) from error
        except OSError:
            pass
        os.set_inheritable(descriptor, inherit)
        yield
    finally:
        os.close(descriptor)


class WholeFileBackend(LocalBackend):
    """MMEngine's local backend, except that it writes whole files."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes, whole or not at all."""
        write_whole(filepath, obj)

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Write text, whole or not at all."""
        write_whole(filepath, obj.encode(encoding))


register_backend('whole_file', WholeFileBackend, force=True)


def remove_parts(folder: str | Path) -> list[Path]:
    """Remove what killed runs left half written; return what it was."""
    parts = sorted(Path(folder).glob(f'*.pth{PART}'))
    parts += sorted(Path(folder).glob(LAST_CHECKPOINT + PART))
    for part in parts:
        part.unlink(missing_ok=True)
    return parts


def is_complete(checkpoint: str | Path) -> bool:
    """Tell whether a checkpoint was written to its end.

    ``torch.save`` writes a zip file, whose table of contents comes last.
    """
    return Path(checkpoint).is_file() and zipfile.is_zipfile(checkpoint)


def find_unnamed_checkpoint(
    work_dir: str | Path, folder: str | Path, template: str
) -> Path | None:
    """Find the checkpoint that ``last_checkpoint`` should name and does not.

    A process may be killed after a checkpoint is complete and before
    ``last_checkpoint`` names it; that checkpoint has both a higher number
    and a later time than the one named. If none is named, or one that is
    missing or cut short, it is the complete one with the highest number.

    Args:
        work_dir: Where ``last_checkpoint`` is.
        folder: Where the checkpoints are.
        template: Their names, such as ``'iter_{}.pth'``.

    Returns:
        The checkpoint, or None if the one named is the right one or there
        is no other.
    """
    last = Path(work_dir) / LAST_CHECKPOINT
    if not last.is_file():
        named, number, written = None, -1, -1
    else:
        named = Path(last.read_text().strip())
        number, written = _number(named, template), -1
        if is_complete(named):
            written = named.stat().st_mtime_ns
        else:
            number = -1
    found = [
        (_number(path, template), path)
        for path in Path(folder).glob(template.replace('{}', '*'))
    ]
    for other, path in sorted(found, reverse=True):
        newer = other > number and path.stat().st_mtime_ns >= written
        if newer and path != named and is_complete(path):
            return path
    return None


def _number(path: Path, template: str) -> int:
    pattern = re.escape(template).replace(r'\{\}', r'(\d+)')
    match = re.fullmatch(pattern, path.name)
    return int(match.group(1)) if match else -1

"""Write files and folders completely or not at all, even after ``kill -9``."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Ending of a file that is still being written.
PART = '.part'


def write_whole(path: str | Path, data: bytes) -> None:
    """Write a file next to its place, sync it, then move it there.

    A process killed meanwhile leaves the previous file of that name
    unchanged, and at most an additional file ending in ``.part``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(_write_part(path, data), path)
    _sync_folder(path.parent)


def write_all_whole(contents: dict[Path, bytes]) -> None:
    """Write files that belong together, none of them if one fails."""
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
    try:
        with open(part, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        part.unlink(missing_ok=True)  # it may be what fills the disk
        if isinstance(error, OSError) and error.errno and not error.filename:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    return part


def _sync_folder(folder: Path) -> None:
    """Make a move survive a power failure, if the system supports it."""
    if os.name != 'posix':
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def built_beside(out: Path) -> Iterator[Path]:
    """Build a folder under a hidden name beside ``out``, then put it there.

    An existing folder is replaced. If the body raises, nothing changes; a
    killed process leaves at most a hidden folder ``.NAME-...``.

    Args:
        out: The folder to make or replace.

    Yields:
        The folder to fill.
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f'.{out.name}-', dir=out.parent))
    try:
        yield made
        mask = os.umask(0)
        os.umask(mask)
        made.chmod(0o777 & ~mask)  # mkdtemp's folders are private
        _swap_in(made, out)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _swap_in(made: Path, out: Path) -> None:
    if not out.exists():
        os.replace(made, out)
        return
    old = made.with_name(made.name + '-old')
    os.replace(out, old)
    try:
        os.replace(made, out)
    except BaseException:
        os.replace(old, out)
        raise
    shutil.rmtree(old)


@contextmanager
def alone_in(
    folder: Path, *, lock_file: str | None = None, inherit: bool = False
) -> Iterator[None]:
    """Lock a folder against other processes that use this function.

    Without locks in the operating system or file system, this does nothing.

    Args:
        folder: Created if it is missing.
        lock_file: Name of a file in it to lock, which is not removed; None:
            the folder itself, which some file systems cannot lock.
        inherit: Whether children that outlive this process keep the lock.

    Raises:
        FileExistsError: If another process has the lock, or the path is not
            a folder.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f'{folder} is not a folder')
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
                f'another process is at work in {folder}: wait until it has '
                'ended, or end it'
            ) from error
        except OSError:
            pass
        os.set_inheritable(descriptor, inherit)
        yield
    finally:
        os.close(descriptor)

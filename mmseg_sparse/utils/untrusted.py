"""Reading files that may be broken, huge or hostile."""

import json
import re
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from ..labels.importers.annotation import FormatError
from .values import reason, shown

#: Largest file, or member of an archive, that is read into memory.
MAX_BYTES = 512 * 2**20
#: A member is no zip bomb up to this size, however well it was packed.
_SMALL_MEMBER = 16 * 2**20
#: Deflate reaches 1032; XML and JSON of real annotations stay below 100.
_MAX_RATIO = 300


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises:
        FormatError: If it is a folder or a device, or larger.
        OSError: If it is missing or cannot be read.
    """
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        kind = 'a folder' if stat.S_ISDIR(info.st_mode) else 'no regular file'
        raise FormatError(path, '', f'expected a file, this is {kind}')
    if info.st_size > limit:
        raise FormatError(
            path, '', f'{info.st_size} bytes are more than {limit}'
        )
    with open(path, 'rb') as file:
        data = file.read(info.st_size + 1)  # a limit is allocated at once
    if len(data) > info.st_size:
        raise FormatError(path, '', 'the file grew while it was read')
    return data


def decode_text(data: bytes, source: object) -> str:
    """Decode UTF-8, with or without its mark, strictly."""
    try:
        return data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise FormatError(
            source, f'byte {error.start}',
            f'no UTF-8 text: {shown(data[error.start : error.start + 4])}',
        ) from error  # fmt: skip


def load_json(path: Path | str, *, text: bytes | None = None) -> Any:
    """Read JSON: UTF-8 alone, and nothing that JSON has not.

    Args:
        path: The file, or what to call ``text`` in messages.
        text: Content to read in place of the file.

    Raises:
        FormatError: If it is too large, no UTF-8, malformed, cut short, too
            deeply nested, or holds NaN or Infinity.
        OSError: If the file cannot be read.
    """
    data = read_bytes(Path(path)) if text is None else text

    def refuse(constant: str) -> None:
        raise FormatError(path, '', f'{constant} is no JSON number')

    try:
        return json.loads(decode_text(data, path), parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise FormatError(
            path, f'line {error.lineno}, column {error.colno}',
            f'no valid JSON: {error.msg}',
        ) from error  # fmt: skip
    except RecursionError:
        raise FormatError(path, '', 'nested too deeply') from None
    except FormatError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise FormatError(
            path, '', f'no valid JSON: {reason(error)}'
        ) from error


class _RootSeenError(Exception):
    """Everything that may stand before the root element was read."""


def load_xml(source: Path | str, data: bytes) -> ElementTree.Element:
    """Parse XML that declares no document type and no entities.

    Without a document type there is nothing to expand and nothing to fetch.

    Args:
        source: What to call the data in messages.
        data: The file's content.

    Raises:
        FormatError: If it is malformed or cut short, or has a ``DOCTYPE``.
    """

    def refuse(*_: object) -> None:
        raise FormatError(
            source, '', 'a DOCTYPE (and entities) in the XML is refused'
        )

    def stop(*_: object) -> None:
        raise _RootSeenError

    try:
        # The prolog by itself: only expat tells a DOCTYPE in any encoding.
        prolog = expat.ParserCreate()
        prolog.StartDoctypeDeclHandler = refuse
        prolog.EntityDeclHandler = refuse
        prolog.StartElementHandler = stop
        prolog.Parse(data, True)
    except _RootSeenError:
        pass
    except FormatError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise FormatError(
            source, '', f'no valid XML: {reason(error)}'
        ) from error
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FormatError(
            source, '', f'no valid XML: {reason(error)}'
        ) from error


def read_zip_member(
    path: Path, *, suffix: str = '', names: Sequence[str] = ()
) -> tuple[str, bytes]:
    """Read the one member of a ZIP file that is asked for.

    Args:
        path: The archive.
        suffix: The member's name ends so; or
        names: the last part of its name is one of these.

    Returns:
        The member's name in the archive and its content.

    Raises:
        FormatError: If the archive is broken, encrypted or has a member that
            leads out of a folder; if no member or several match; or if the
            member is absurdly large.
        OSError: If the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [i for i in archive.infolist() if not i.is_dir()]
            for info in infos:
                _check_member_name(info.filename, path)
            found = [
                info for info in infos
                if info.filename.rpartition('/')[2] in names
                or (suffix and info.filename.endswith(suffix))
            ]  # fmt: skip
            wanted = ' or '.join(names) or f'*{suffix}'
            if len(found) != 1:
                raise FormatError(
                    path, '',
                    f'expected one {wanted} in the archive, got '
                    f'{shown([info.filename for info in found])}',
                )  # fmt: skip
            return found[0].filename, _unpack(archive, found[0], path)
    except (
        zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError,
        NotImplementedError,
    ) as error:  # fmt: skip
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            path, '', f'no readable ZIP file: {reason(error)}'
        ) from error


def _unpack(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path
) -> bytes:
    limit = min(MAX_BYTES, max(_SMALL_MEMBER, _MAX_RATIO * info.compress_size))
    # The size in the directory may lie, so it is also counted on reading.
    if info.file_size <= limit:
        with archive.open(info) as member:
            data = member.read(limit + 1)
        if len(data) <= limit:
            return data
    raise FormatError(
        path, info.filename,
        f'unpacks to more than {limit} bytes from {info.compress_size}',
    )  # fmt: skip


def _check_member_name(name: str, path: Path) -> None:
    slashed = name.replace('\\', '/')
    if (
        slashed.startswith('/')
        or '..' in slashed.split('/')
        or re.match(r'[A-Za-z]:', slashed)
    ):
        raise FormatError(
            path, '', f'a member leads out of the archive: {shown(name)}'
        )

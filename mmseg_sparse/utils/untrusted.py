"""Reading files and values that may be broken, huge or hostile.

Every function takes the source, and the entry in it where a value stands, and
raises :class:`FormatError` with both and the value if it is not as expected.
"""

import functools
import json
import re
import reprlib
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

#: Largest file, or member of an archive, that is read into memory.
MAX_BYTES = 512 * 2**20
#: Up to this size a member may have been packed to any ratio.
_SMALL_MEMBER = 16 * 2**20
#: Deflate reaches 1032; XML and JSON of real annotations stay below 100.
_MAX_RATIO = 300
#: Longest side and largest area of an image (JPEG allows 65535 a side).
MAX_SIDE = 65500
MAX_PIXELS = 2**28

#: Escapes in JSON; half of a surrogate pair, which JavaScript writes and
#: msgspec refuses, becomes a character that names may not have.
_ESCAPE = re.compile(
    r'\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(?P<half>u[dD][89a-fA-F]\w\w)|.)',
    re.DOTALL,
)
#: Kinds of JSON values in the words of msgspec, and in ours.
_KINDS = {
    'object': 'an object',
    'array': 'a list',
    'str': 'a string',
    'bool': 'true or false',
    'int': 'a whole number',
    'float': 'a number',
    'null': 'null',
}


class FormatError(ValueError):
    """A source that cannot be read, with file, entry and value."""

    def __init__(self, source: object, entry: str, problem: str) -> None:
        """Make the message ``source: entry: problem``."""
        where = f'{source}: {entry}' if entry else f'{source}'
        super().__init__(f'{where}: {problem}')
        self.source = str(source)
        self._parts = (self.source, entry, problem)

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        """Let it pass from a worker process to the one that waits."""
        return type(self), self._parts


#: Called with what is wrong with one entry, or with one file of a folder;
#: where it returns, the reader goes on without that.
OnError = Callable[[FormatError], None]


def refuse(error: FormatError) -> None:
    """Raise the error: nothing is left out."""
    raise error


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 3
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = 8
_BRIEF.maxstring = _BRIEF.maxother = 80


def shown(value: object, limit: int = 60) -> str:
    """Return a value as one short line for a message."""
    try:
        # The repr of a long list takes as long as the list, and lists may
        # hold one another: a file of a kilobyte can be gigabytes as a text.
        if isinstance(value, str | bytes):
            text = ascii(value[: limit + 1])
        else:
            text = _BRIEF.repr(value)
            text = text.encode('ascii', 'backslashreplace').decode()
    except (ValueError, RecursionError):  # an int of thousands of digits
        text = f'a {type(value).__name__} too long to show'
    return text if len(text) <= limit else text[: limit - 3] + '...'


def nfc(text: str) -> str:
    """Return a text with its accents composed, as names are compared."""
    return unicodedata.normalize('NFC', text)


def one_line(error: BaseException) -> str:
    """Return the message of an error on one line."""
    return ' '.join(str(error).split()) or type(error).__name__


def reason(error: BaseException, limit: int = 200) -> str:
    """Return the message of an error of a library, on one line of ASCII."""
    text = one_line(error).encode('ascii', 'backslashreplace')
    return text.decode()[:limit]


def size(
    width: object, height: object, source: object, entry: str = ''
) -> tuple[int, int]:
    """Return ``(width, height)`` as ints of a size an image can have.

    Raises:
        FormatError: If one is not a whole number from 1 to :data:`MAX_SIDE`,
            or the area is beyond :data:`MAX_PIXELS`.
    """
    sides = []
    for name, value in (('width', width), ('height', height)):
        if (
            not isinstance(value, int | float)
            or value is True
            or not 1 <= value <= MAX_SIDE
            or value % 1
        ):
            raise FormatError(
                source, f'{entry}.{name}'.lstrip('.'),
                f'expected a whole number from 1 to {MAX_SIDE}, got '
                f'{shown(value)}',
            )  # fmt: skip
        sides.append(int(value))
    if sides[0] * sides[1] > MAX_PIXELS:
        raise FormatError(
            source, entry,
            f'{sides[0]} x {sides[1]} pixels are more than {MAX_PIXELS}',
        )  # fmt: skip
    return sides[0], sides[1]


def image_name(value: object, source: object, entry: str = '') -> str:
    """Return the name of an image with ``/`` between its folders.

    Raises:
        FormatError: If it is not a text or empty, leads out of its folder
            (absolute, with a drive, or with ``..``), or has characters that
            cannot be printed.
    """
    if not isinstance(value, str) or not value.strip():
        raise FormatError(
            source, entry, f'expected the name of an image, got {shown(value)}'
        )
    name = value.replace('\\', '/')
    parts = [part for part in name.split('/') if part not in ('', '.')]
    leaves = name.startswith('/') or '..' in parts
    if leaves or re.match(r'[A-Za-z]:', name) or not parts:
        raise FormatError(
            source, entry,
            'expected the name of an image within its folder, got '
            f'{shown(value)}',
        )  # fmt: skip
    # Control characters, and halves of surrogate pairs, which no file has.
    if any(unicodedata.category(sign) in ('Cc', 'Cs') for sign in name):
        raise FormatError(
            source, entry, f'unprintable character in the name {shown(value)}'
        )
    return '/'.join(parts)


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises:
        FormatError: If it is a folder or a device, or larger.
        OSError: If it is missing or cannot be read.
    """
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        kind = (
            'a folder'
            if stat.S_ISDIR(info.st_mode)
            else 'something that is not a regular file'
        )
        raise FormatError(path, '', f'expected a file, got {kind}')
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
            f'not UTF-8 text: {shown(data[error.start : error.start + 4])}',
        ) from error  # fmt: skip


def load_json(
    path: Path | str, kind: Any = Any, *, text: bytes | None = None
) -> Any:
    """Read a JSON file as a type that msgspec knows.

    Args:
        path: The file, or what to call ``text`` in messages.
        kind: See :func:`decode_json`.
        text: Content to read instead of the file.

    Raises:
        FormatError: If the file is too large or not UTF-8, or as
            :func:`decode_json` says.
        OSError: If the file cannot be read.
    """
    data = read_bytes(Path(path)) if text is None else text
    document = decode_text(data, path)
    if '\\ud' in document or '\\uD' in document:
        document = _ESCAPE.sub(
            lambda match: r'\u0000' if match['half'] else match[0], document
        )
    return decode_json(document, kind, path)


def decode_json(
    data: str | msgspec.Raw, kind: Any, source: object, entry: str = ''
) -> Any:
    """Decode JSON to a type that msgspec knows, and check it on the way.

    Parts that may be malformed without spoiling the rest are of type
    ``msgspec.Raw``, and are decoded by themselves later.

    Args:
        data: A document, or a part of one.
        kind: Such as a ``msgspec.Struct`` or ``list[float]``.
        source: File, for the message.
        entry: Where in it ``data`` stands, for the message.

    Raises:
        FormatError: If it is malformed (NaN and Infinity are not JSON), too
            deeply nested, or not of that type.
    """
    try:
        return _decoder(kind).decode(data)
    except msgspec.ValidationError as error:
        raise _wrong_value(error, data, source, entry) from error
    except msgspec.DecodeError as error:
        raise _malformed(error, data, source, entry) from error
    except RecursionError:
        raise FormatError(source, entry, 'nested too deeply') from None


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _wrong_value(
    error: msgspec.ValidationError,
    data: str | msgspec.Raw,
    source: object,
    entry: str,
) -> FormatError:
    """Return msgspec's error in our words, with the value that it is about."""
    problem, _, path = str(error).partition(' - at `$')
    path = path.rstrip('`')
    missing = re.fullmatch('Object missing required field `(.*)`', problem)
    if missing:
        where = f'{entry}{path}.{missing[1]}'.lstrip('.')
        return FormatError(source, where, 'missing')
    expected = re.sub(
        '`(.*?)`',
        lambda kinds: ' or '.join(
            map(_KINDS.__getitem__, kinds[1].split(' | '))
        ),
        problem.partition(', got ')[0],
    )
    expected = expected[0].lower() + expected[1:]
    if not expected.startswith('expected'):  # 'Number out of range'
        expected = 'expected a finite number'
    try:
        value = json.loads(data if isinstance(data, str) else bytes(data))
        for key, index in re.findall(r'\.(\w+)|\[(\d+)\]', path):
            value = value[key or int(index)]
        got = shown(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        got = 'a value too long to show'
    where = f'{entry}{path}'.lstrip('.')
    return FormatError(source, where, f'{expected}, got {got}')


def _malformed(
    error: msgspec.DecodeError,
    data: str | msgspec.Raw,
    source: object,
    entry: str,
) -> FormatError:
    """Return msgspec's error with the line and what stands there."""
    text = data.encode() if isinstance(data, str) else bytes(data)
    problem, _, byte = reason(error).partition(' (byte ')
    problem = problem.removeprefix('JSON is malformed: ')
    place = int(byte.rstrip(')')) if byte else len(text)
    lines = text[:place].decode(errors='ignore').split('\n')
    if byte:
        got = text[place : place + 20].decode(errors='ignore')
        problem += f', got {shown(got)}'
    where = f'line {len(lines)}, column {len(lines[-1]) + 1}'
    return FormatError(source, entry or where, f'not valid JSON: {problem}')


def load_xml(source: Path | str, data: bytes) -> Element:
    """Parse XML that declares no document type and no entities.

    Without a document type there is nothing to expand and nothing to fetch.

    Args:
        source: What to call the data in messages.
        data: The file's content.

    Raises:
        FormatError: If it is malformed or cut short, or has a ``DOCTYPE``.
    """
    try:
        return fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise FormatError(
            source, '', 'a DOCTYPE (and entities) in the XML is refused'
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise FormatError(
            source, '', f'not valid XML: {reason(error)}'
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
            path, '', f'not a readable ZIP file: {reason(error)}'
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

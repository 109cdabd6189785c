"""Images of a folder by the names that annotation files give them."""

import difflib
import heapq
import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, unquote_plus

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from ..utils.untrusted import FormatError, nfc, reason, shown, size

SUFFIXES = (
    '.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.gif',
    '.ppm', '.pgm', '.jp2',
)  # fmt: skip
_ORIENTATION = 0x0112
#: Tags of a TIFF: its width and height as stored.
_SIDES = (256, 257)
#: Orientations of EXIF that swap width and height.
_TURNED = (5, 6, 7, 8)
_SCHEME = re.compile(r'([A-Za-z][A-Za-z0-9+.-]+)://')
_DRIVE = re.compile(r'[A-Za-z]:')
#: What Label Studio puts before the name of an upload: eight random digits.
_UPLOAD = re.compile(r'[0-9a-f]{8}-(.+)', re.DOTALL)
#: Where it keeps uploads, with the number of the project.
_UPLOADS = re.compile(r'(.*/)?upload/(\d+/)?[^/]+', re.DOTALL)
#: Longer names than a file can have are compared by their end.
_MAX_NAME = 255


class ImageFinder:
    """Finds images below a folder.

    Args:
        folder: Where the images are, in folders or not.
        exclude: Folders to leave out.

    Raises:
        FileNotFoundError: If the folder is missing or has no image.
    """

    def __init__(self, folder: Path, exclude: Iterable[Path] = ()) -> None:
        self.folder = folder
        self.images: dict[str, list[PurePosixPath]] = {}
        if not folder.is_dir():
            raise FileNotFoundError(f'no folder of images: {folder}')
        for path in _walk(folder, {p.resolve() for p in exclude}):
            self.images.setdefault(nfc(path.stem), []).append(path)
        if not self.images:
            raise FileNotFoundError(
                f'no images in {folder} (looked for {", ".join(SUFFIXES)})'
            )

    def __len__(self) -> int:
        return sum(len(paths) for paths in self.images.values())

    def find(self, name: str) -> list[PurePosixPath]:
        """Return the images that a name may mean, relative to the folder.

        The name may have more or fewer folders in front, no suffix, or that
        of another image format. The nearest match counts: the same path, the
        same path but for the suffix, the same path but for folders in front,
        with as many folders in common as possible; the same suffix before
        that in the other case (``.JPG``), and this before another one. It
        does not matter how accents are composed (NFC, NFD).
        """
        wanted = PurePosixPath(name)
        if wanted.suffix.lower() not in SUFFIXES:
            stem, suffix = wanted.name, ''  # its dots are part of the name
        else:
            stem, suffix = wanted.stem, wanted.suffix
        parts = tuple(nfc(part) for part in (*wanted.parts[:-1], stem))
        ranked: dict[tuple[object, ...], list[PurePosixPath]] = {}
        for path in self.images.get(nfc(stem), ()):
            own = tuple(nfc(part) for part in (*path.parts[:-1], path.stem))
            shorter = min(len(own), len(parts))
            if own[-shorter:] == parts[-shorter:]:
                rank = (
                    own != parts, -shorter, path.suffix != suffix,
                    path.suffix.lower() != suffix.lower(), path != wanted,
                )  # fmt: skip
                ranked.setdefault(rank, []).append(path)
        return sorted(ranked[min(ranked)]) if ranked else []

    def locate(
        self, stored: str, folders: Sequence[str] = (), base: str = ''
    ) -> list[PurePosixPath]:
        """Return the images that a name in an annotation file may mean.

        Args:
            stored: The name as it stands in the file; what it may mean is
                tried in the order of :func:`possible_names`.
            folders: Names of folders that the image is said to be in (a
                subset, a data set). Each chooses if several images are found.
            base: The folder that the name starts from, relative to the
                folder of images.
        """
        for name in possible_names(stored, base):
            found = self.find(name)
            if found:
                break
        else:
            return []
        for folder in folders:
            inside = [p for p in found if is_inside(p, [folder])]
            found = inside or found
        return found

    def nearest(self, stored: str) -> str:
        """Return the names most like one that is not found, for messages."""
        names = possible_names(stored) or [stored]
        wanted = names[-1].rpartition('/')[2][-_MAX_NAME:]
        matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)

        def likeness(path: PurePosixPath, quick: bool) -> float:
            matcher.set_seq1(path.name)
            return matcher.quick_ratio() if quick else matcher.ratio()

        paths = [path for group in self.images.values() for path in group]
        near = heapq.nlargest(20, paths, lambda path: likeness(path, True))
        near = heapq.nlargest(2, near, lambda path: likeness(path, False))
        return ' and '.join(shown(str(path), 2 * _MAX_NAME) for path in near)


def is_inside(path: PurePosixPath, folders: Iterable[str]) -> bool:
    """Tell whether one of the folders of a path has one of the names."""
    wanted = {nfc(folder).casefold() for folder in folders}
    return any(nfc(part).casefold() in wanted for part in path.parts[:-1])


def possible_names(stored: str, base: str = '') -> list[str]:
    r"""Return what the name of an image in an annotation file may mean.

    The name may be a path of this or another machine (``C:\pictures\a.jpg``,
    ``../images/a.jpg``), a URL, a local file or an upload of Label Studio. In
    order: the name as it is stored, with ``/`` between folders and without
    root or leading ``..``; of paths that lead elsewhere, and of URLs, the
    last part; the same with ``%20`` and the like decoded; with ``+`` as a
    space; all of these without the random digits before an upload's name.

    Args:
        stored: The name as it stands in the file.
        base: The folder that the name starts from; of names that lead
            elsewhere, it is tried with the last part.

    Returns:
        Relative paths; none if there is no name (``/``, ``..``).
    """
    names: list[str] = []
    for text, elsewhere in _readings(stored):
        for part in dict.fromkeys((text, unquote(text), unquote_plus(text))):
            names += _paths(part, base, elsewhere)
    for whole in tuple(names):
        folder, slash, name = whole.rpartition('/')
        upload = _UPLOAD.fullmatch(name)
        if upload:
            names.append(f'{folder}{slash}{upload[1]}')
    return list(dict.fromkeys(names))


def _paths(path: str, base: str, elsewhere: bool) -> list[str]:
    """Return what one reading of a name may mean, below the images."""
    folders, name, leads_out = split_name(path)
    if not name:
        return []
    whole = '/'.join((*folders, name))
    inside = [f'{base}/{name}'] if base else []
    if path.replace('\\', '/').startswith('..') and base:
        folders, name, _ = split_name(f'{base}/{path}')
        return ['/'.join((*folders, name)), *inside, name]
    if elsewhere or leads_out:
        return [*inside, whole, name]
    return [f'{base}/{whole}' if base else whole]


def split_name(stored: str) -> tuple[tuple[str, ...], str, bool]:
    """Split a path of this or another machine.

    Returns:
        The folders in it, without root and leading ``..``; the last part,
        empty if there is none; and whether it led out of its folder.
    """
    text = stored.replace('\\', '/')
    drive = _DRIVE.match(text)
    leads_out = bool(drive) or text.startswith('/')
    leads_out |= bool(_SCHEME.match(text) or _UPLOADS.fullmatch(text))
    parts: list[str] = []
    for part in (text[2:] if drive else text).split('/'):
        if part == '..':
            leads_out |= not parts
            del parts[-1:]
        elif part not in ('', '.'):
            parts.append(part)
    if not parts or text.endswith(('/', '/.', '/..')):
        return tuple(parts), '', leads_out
    return tuple(parts[:-1]), parts[-1], leads_out


def _readings(stored: str) -> Iterator[tuple[str, bool]]:
    """Yield the paths that a name or URL holds, and if they lead elsewhere."""
    text = stored.replace('\\', '/')
    address, mark, query = text.partition('?')
    if address.rstrip('/').endswith('/local-files') and mark:
        for setting in query.split('&'):
            key, _, value = setting.partition('=')
            if key == 'd':
                yield value, False
        return
    scheme = _SCHEME.match(text)
    if scheme is None:
        yield text, False
    elif scheme[1].lower() in ('http', 'https', 'file'):
        path = re.split('[?#]', text[scheme.end() :])[0]
        yield path.partition('/')[2], True
    else:  # s3, gs, azure-blob: bucket and key
        yield text[scheme.end() :], True


def image_size(path: Path) -> tuple[int, int]:
    """Return ``(width, height)`` as the image is shown, from its header.

    Like OpenCV (and so mmseg) and annotation tools, this applies the
    orientation in the EXIF data.

    Raises:
        FormatError: If it is not an image, or larger than an image may be.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(path) as picture:
                width, height = picture.size
                if isinstance(picture, TiffImagePlugin.TiffImageFile):
                    # Some versions of Pillow have turned the size already.
                    width, height = (picture.tag_v2[key] for key in _SIDES)
                # The base class's: that of PNG decodes the image first.
                exif = Image.Image.getexif(picture)
                turned = exif.get(_ORIENTATION) in _TURNED
    except UnidentifiedImageError as error:
        raise FormatError(path, '', 'no image') from error
    except Exception as error:  # Pillow has no common error of broken files
        raise FormatError(
            path, '', f'no readable image: {reason(error)}'
        ) from error
    return size(*((height, width) if turned else (width, height)), path)


def _walk(folder: Path, exclude: set[Path]) -> Iterable[PurePosixPath]:
    """Yield the images below a folder, links to folders included."""
    for path in files_below(folder, exclude):
        if path.suffix.lower() in SUFFIXES:
            yield path


def files_below(
    folder: Path, exclude: Collection[Path] = ()
) -> Iterator[PurePosixPath]:
    """Yield the files below a folder, relative to it.

    Links to folders are followed, but not in a circle; hidden files and
    folders are left out.

    Args:
        folder: The folder.
        exclude: Resolved paths of folders to leave out.
    """
    seen = set(exclude)
    for where, folders, names in os.walk(folder, followlinks=True):
        real = Path(where).resolve()
        if real in seen:  # a link may lead in a circle
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(n for n in folders if not n.startswith('.'))
        for name in sorted(names):
            if name[0] != '.':
                yield PurePosixPath(Path(where, name).relative_to(folder))

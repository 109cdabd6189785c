"""Images of a folder by the names that annotation files give them."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from ..utils.untrusted import FormatError, reason, size

SUFFIXES = (
    '.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.gif',
    '.ppm', '.pgm', '.jp2',
)  # fmt: skip
_ORIENTATION = 0x0112
#: Orientations of EXIF that swap width and height.
_TURNED = (5, 6, 7, 8)


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
            self.images.setdefault(path.stem, []).append(path)
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
        same path but for the suffix, the same path but for folders in front;
        the same suffix before another one.
        """
        wanted = PurePosixPath(name)
        if wanted.suffix.lower() not in SUFFIXES:
            stem, suffix = wanted.name, ''  # its dots are part of the name
        else:
            stem, suffix = wanted.stem, wanted.suffix
        parts = (*wanted.parts[:-1], stem)
        ranked: dict[tuple[bool, bool], list[PurePosixPath]] = {}
        for path in self.images.get(stem, ()):
            own = (*path.parts[:-1], path.stem)
            shorter = min(len(own), len(parts))
            if own[-shorter:] == parts[-shorter:]:
                rank = (own != parts, path.suffix != suffix)
                ranked.setdefault(rank, []).append(path)
        return sorted(ranked[min(ranked)]) if ranked else []


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
    seen = set(exclude)
    for where, folders, names in os.walk(folder, followlinks=True):
        real = Path(where).resolve()
        if real in seen:  # a link may lead in a circle
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(n for n in folders if not n.startswith('.'))
        for name in sorted(names):
            path = PurePosixPath(Path(where, name).relative_to(folder))
            if path.suffix.lower() in SUFFIXES and name[0] != '.':
                yield path

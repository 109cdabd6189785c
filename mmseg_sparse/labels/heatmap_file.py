"""Files of heat maps: compressed, with only the classes in the image."""

import io
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.atomic import write_whole

SUFFIX = '.npz'
#: The entry by which our files are recognised.
FORMAT = 'mmseg_sparse heat maps, version 1'
_ENTRIES = ('classes', 'format', 'maps', 'num_classes')


@dataclass(frozen=True)
class Heatmaps:
    """Heat maps of one image.

    Attributes:
        maps: At least 0, ``(K, H, W)``, float16 as in the file.
        classes: Class index of each map, int64 ``(K,)``, ascending.
        num_classes: How many classes there are; the maps of those not in
            ``classes`` are 0.
    """

    maps: NDArray[np.floating[Any]]
    classes: NDArray[np.int64]
    num_classes: int

    def dense(self) -> NDArray[np.float32]:
        """Return the maps of all classes, ``(C, H, W)``."""
        return dense_maps(self.maps, self.classes, self.num_classes)


def dense_maps(
    maps: NDArray[np.floating[Any]],
    classes: NDArray[np.int64],
    num_classes: int,
) -> NDArray[np.float32]:
    """Put maps ``(K, H, W)`` among maps of zeros, ``(C, H, W)``."""
    dense = np.zeros((num_classes, *maps.shape[1:]), np.float32)
    dense[classes] = maps
    return dense


def heatmap_path(
    root: str | Path, img_path: str | Path, img_root: str | Path | None = None
) -> str:
    """Return where the heat maps of an image are.

    Args:
        root: Folder of heat maps, or its address.
        img_path: The image.
        img_root: Folder of images, whose folders ``root`` mirrors; None:
            all heat maps are in one folder, by the images' names.

    Raises:
        ValueError: If the image is not below ``img_root``.
    """
    image = PurePath(img_path)
    if img_root is None:
        name = PurePath(image.name)
    elif image.is_relative_to(img_root):
        name = image.relative_to(img_root)
    else:
        raise ValueError(f'{img_path}: is not below img_root={img_root}')
    return f'{str(root).rstrip("/")}/{name.with_suffix(SUFFIX).as_posix()}'


def write_heatmaps(
    path: str | Path,
    maps: NDArray[Any],
    classes: NDArray[Any],
    *,
    num_classes: int,
) -> None:
    """Write the heat maps of an image, in float16; whole or not at all.

    The same maps make the same file, byte by byte. A process killed on the
    way leaves what was there before, and at most a leftover ``.*.part``.

    Args:
        path: Ends in ``.npz``; folders are made.
        maps: Heat maps or probabilities, not logits, ``(K, H, W)``.
        classes: Class index of each, ``(K,)``, in any order.
        num_classes: Number of classes, background included.

    Raises:
        ValueError: If maps or classes are not as above.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f'{path}: the name must end in {SUFFIX}')
    classes = np.asarray(classes)
    if classes.size == 0:
        classes = classes.astype(np.int64)
    with np.errstate(over='ignore'):
        half = np.asarray(maps).astype(np.float16)
    _check(str(path), half, classes, num_classes)
    order = np.argsort(classes)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        format=np.array(FORMAT),
        maps=half[order],
        classes=classes[order].astype(np.int64),
        num_classes=np.array(num_classes, np.int64),
    )
    write_whole(path, buffer.getvalue())


def read_heatmaps(path: str | Path) -> Heatmaps:
    """Read a file that :func:`write_heatmaps` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As :func:`decode_heatmaps`.
    """
    return decode_heatmaps(Path(path).read_bytes(), str(path))


def decode_heatmaps(data: bytes, where: str) -> Heatmaps:
    """Read what such a file holds; no code in it is run.

    Args:
        data: The bytes of the file.
        where: Its name, for errors.

    Raises:
        ValueError: If it is cut short, damaged, or not a file of heat maps.
    """
    found = _entries(data, where)
    if sorted(found) != [*_ENTRIES] or str(found['format']) != FORMAT:
        raise ValueError(
            f'{where}: is not a file of heat maps; expected the entries '
            f'{", ".join(_ENTRIES)} and the format {FORMAT!r}, got '
            f'{", ".join(sorted(found)) or "none"} and '
            f'{str(found.get("format"))!r}'
        )
    maps, classes, count = (
        found[name] for name in ('maps', 'classes', 'num_classes')
    )
    if count.shape != () or count.dtype.kind not in 'iu':
        raise ValueError(f'{where}: num_classes must be an integer')
    _check(where, maps, classes, int(count))
    return Heatmaps(maps, classes.astype(np.int64), int(count))


def _entries(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    try:
        file = np.load(io.BytesIO(data), allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError('one array alone')
        found = {name: file[name] for name in file.files}
        if not all(isinstance(part, np.ndarray) for part in found.values()):
            raise ValueError('other things than arrays')
    except Exception as error:  # whatever a damaged or foreign file causes
        raise ValueError(
            f'{where}: is not a whole file of heat maps ({len(data)} bytes; '
            f'{error}); if its writing was cut short, delete it and write it '
            'again'
        ) from error
    return found


def _check(
    where: str, maps: NDArray[Any], classes: NDArray[Any], num_classes: int
) -> None:
    if maps.ndim != 3 or maps.dtype != np.float16 or 0 in maps.shape[1:]:
        raise ValueError(
            f'{where}: expected float16 maps (K, H, W), got {maps.dtype} of '
            f'shape {maps.shape}'
        )
    if classes.shape != maps.shape[:1] or classes.dtype.kind not in 'iu':
        raise ValueError(
            f'{where}: expected a class index for each of {len(maps)} maps, '
            f'got {classes.dtype} of shape {classes.shape}'
        )
    wrong = (classes < 0) | (classes >= num_classes)
    if wrong.any() or len(np.unique(classes)) != len(classes):
        raise ValueError(
            f'{where}: classes must be different and below {num_classes}, '
            f'got {classes.tolist()}'
        )
    if not np.isfinite(maps).all() or (maps < 0).any():
        raise ValueError(
            f'{where}: maps must be numbers from 0 to 65504 (heat maps or '
            f'probabilities, not logits), got {maps.min()} to {maps.max()}'
        )

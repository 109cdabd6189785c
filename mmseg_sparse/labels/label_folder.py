"""Folders of label maps: index PNGs, and ``labels.json`` that explains them.

A folder appears whole or not at all: it is built beside its place under a
hidden name and then moved there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from ..utils.atomic import built_beside
from ..utils.untrusted import (
    FormatError,
    decode_json,
    image_name,
    load_json,
    read_bytes,
    shown,
)
from .classes import check_classes
from .image_list import SUPERVISIONS
from .label_map import NO_LABEL, encode_index_png

SIDECAR = 'labels.json'
#: Counted up whenever the sidecar changes its form.
VERSION = 1


@dataclass(frozen=True, eq=False)
class LabelFile:
    """One image of a label folder.

    Attributes:
        name: Path of the image below its folder, without the suffix.
        png: The label map as an index PNG; None if there are tags alone.
        info: What the sidecar says about the image.
        image: The image as a PNG, where the folder is to hold it.
    """

    name: str
    png: bytes | None
    info: Mapping[str, Any]
    image: bytes | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a labelled pixel nor a tag."""
        return not (self.info.get('labeled_pixels') or self.info.get('tags'))


def label_file(
    name: str,
    labels: NDArray[np.uint8] | None,
    palette: Sequence[Sequence[int]],
    *,
    supervision: str,
    size: tuple[int, int],
    tags: Sequence[str] = (),
    image: str | None = None,
    **counts: Any,
) -> LabelFile:
    """Encode a label map and describe it.

    Args:
        name: Path of the image below its folder, without the suffix.
        labels: ``(H, W)``, class indices and 255 = no label; None for an
            image with tags alone.
        palette: Colours of the classes.
        supervision: ``scribble``, ``point``, ``block``, ``dense`` or ``tag``.
        size: ``(width, height)`` of the image.
        tags: Class names.
        image: Path of the image below its folder, with the suffix.
        counts: More for the sidecar, such as ``conflicts=3``.
    """
    info: dict[str, Any] = {'supervision': supervision, 'size': list(size)}
    png = None
    if labels is not None:
        if labels.shape != (size[1], size[0]):
            raise ValueError(
                f'{name}: labels must be (height, width) of {size}, got '
                f'{labels.shape}'
            )
        png = encode_index_png(labels, palette)
        info['labeled_pixels'] = int((labels != NO_LABEL).sum())
    if image is not None:
        info['image'] = image
    info.update(counts)
    info['tags'] = list(tags)
    return LabelFile(name, png, info)


def check_label_folder(
    out: str | Path,
    overwrite: bool = False,
    *,
    folders: Sequence[str] = ('',),
) -> None:
    """Raise unless a label folder may be written to ``out``.

    Args:
        out: The folder to make.
        overwrite: Whether it may replace a label folder.
        folders: As in :func:`write_label_folder`.

    Raises:
        FileExistsError: If something is there. With ``overwrite``, only if it
            is more than a label folder: it has no ``labels.json``, or files
            that ``labels.json`` does not name.
    """
    out = Path(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not overwrite:
        raise FileExistsError(
            f'{out} exists: name another folder, or --overwrite'
        )
    try:
        images = read_sidecar(out)['images']
    except (OSError, ValueError) as error:
        raise FileExistsError(
            f'{out} is not overwritten: it is not a label folder ({error})'
        ) from error
    ours = {out / SIDECAR}
    for folder in folders:
        ours |= {out / folder / f'{name}.png' for name in images}
    for path in sorted(out.rglob('*')):
        if path not in ours and (path.is_symlink() or not path.is_dir()):
            raise FileExistsError(
                f'{out} is not overwritten: its {SIDECAR} does not name {path}'
            )


def write_label_folder(
    out: str | Path,
    files: Iterable[LabelFile],
    meta: Mapping[str, Any],
    *,
    overwrite: bool = False,
    folders: Sequence[str] = ('',),
) -> dict[str, Any]:
    """Write PNGs and the sidecar; the folder is there whole or not at all.

    A killed process leaves at most a hidden folder ``.NAME-...`` beside
    ``out``.

    Args:
        out: The folder to make.
        files: The images. May be a generator that does the work; if it
            raises, nothing is written.
        meta: What the sidecar says besides ``version`` and ``images``:
            ``tool``, ``format``, ``classes`` and more.
        overwrite: Replace a label folder that is there.
        folders: Folders below ``out`` for the label maps and, where the files
            have images, for these.

    Returns:
        The sidecar's content.

    Raises:
        FileExistsError: As :func:`check_label_folder`.
        ValueError: If a name comes twice or leads out of the folder.
    """
    out = Path(out).resolve()
    check_label_folder(out, overwrite, folders=folders)
    with built_beside(out) as making:
        images: dict[str, Mapping[str, Any]] = {}
        for file in files:
            name = image_name(file.name, out, 'name of an image')
            if name in images:
                raise ValueError(f'{out}: two label maps for {name!r}')
            images[name] = file.info
            pictures = (file.png, file.image)
            for folder, png in zip(folders, pictures, strict=False):
                if png is not None:
                    path = making / folder / f'{name}.png'
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(png)
        sidecar = make_sidecar(meta, images)
        write_sidecar(making, sidecar)
        # Somebody may have written to it meanwhile.
        check_label_folder(out, overwrite, folders=folders)
    return sidecar


def make_sidecar(
    meta: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the content of ``labels.json``, the images sorted by name."""
    images = dict(sorted(images.items()))
    return {'version': VERSION, **meta, 'images': images}


def write_sidecar(folder: Path, sidecar: Mapping[str, Any]) -> None:
    """Write ``labels.json`` into a folder."""
    text = json.dumps(sidecar, indent=1, allow_nan=False)
    (folder / SIDECAR).write_text(text + '\n', encoding='utf-8')


def read_sidecar(path: str | Path) -> dict[str, Any]:
    """Read ``labels.json``, or that of a folder.

    Raises:
        FormatError: If it is malformed or of another version.
        OSError: If it cannot be read.
    """
    path = Path(path)
    if path.is_dir() and path.name != SIDECAR:
        path = path / SIDECAR
    data = read_bytes(path)
    content: _Sidecar = load_json(path, _Sidecar, text=data)
    if content.version != VERSION:
        raise FormatError(
            path, 'version', f'expected {VERSION}, got {content.version}'
        )
    try:
        check_classes(content.classes)
    except ValueError as error:
        raise FormatError(path, '', str(error)) from error
    for name, item in content.images.items():
        where = f'images[{name!r}]'
        image_name(name, path, where)
        entry: _Image = decode_json(item, _Image, path, where)
        if entry.image is not None:
            image_name(entry.image, path, f'{where}.image')
        kind = entry.supervision
        if kind not in SUPERVISIONS:
            raise FormatError(
                path, f'{where}.supervision',
                f'expected one of {", ".join(SUPERVISIONS)}, got '
                f'{shown(kind)}',
            )  # fmt: skip
    return load_json(path, dict[str, Any], text=data)


class _Sidecar(Struct):
    version: int
    tool: str
    format: str
    classes: list[Any]
    images: dict[str, Raw]


class _Image(Struct):
    supervision: str
    tags: list[str] = []
    image: str | None = None

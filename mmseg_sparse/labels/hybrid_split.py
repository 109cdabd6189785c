"""Lists of which images have masks and which have weak labels."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from .image_list import (
    SUPERVISIONS,
    ImageEntry,
    parse_list,
    suffixes_of,
    without_suffix,
)


def choose_strong(
    names: Sequence[str],
    *,
    share: float,
    seed: int = 0,
    group: str | None = None,
) -> list[str]:
    """Choose the images that have masks, at random.

    Names are sorted by the SHA-256 of seed and name, and the first ones are
    taken. So the choice does not depend on the order of ``names`` or on a
    library's random numbers. With one seed, the choice of a smaller share is
    part of that of a larger one.

    Args:
        names: Names of images; each once.
        share: Share to choose, in (0, 1]; the number is rounded, but at
            least 1.
        seed: Another seed is another order.
        group: Regular expression whose first match in a name, or first group
            of that match, is the name of a group. Groups are then chosen in
            place of images: all images of a group or none. None: each image
            by itself.

    Returns:
        The chosen names, in the order of ``names``.

    Raises:
        ValueError: If there are no names, the share is out of range, or a
            name does not match ``group``.
    """
    if not names:
        raise ValueError('expected names of images, got none')
    if not 0 < share <= 1:
        raise ValueError(f'share must lie in (0, 1], got {share}')
    groups = [name if group is None else _group(name, group) for name in names]
    ordered = sorted(
        set(groups),
        key=lambda name: hashlib.sha256(f'{seed}\n{name}'.encode()).digest(),
    )
    chosen = set(ordered[: max(1, round(share * len(ordered)))])
    return [
        name
        for name, member in zip(names, groups, strict=True)
        if member in chosen
    ]


def _group(name: str, pattern: str) -> str:
    """Return the name of an image's group."""
    try:
        found = re.search(pattern, name)
    except re.error as error:
        raise ValueError(
            f'group: expected a regular expression, got {pattern!r}: {error}'
        ) from error
    member = found and (found[1] if found.re.groups else found[0])
    if not member:
        raise ValueError(
            f'group: expected a regular expression that finds a group in '
            f'every name, got {pattern!r}, which finds none in {name!r}'
        )
    return member


def hybrid_list(
    names: Sequence[str],
    strong: Sequence[str],
    *,
    weak: str = 'tag',
    listed: Mapping[str, str] | None = None,
) -> str:
    """Return the list of a hybrid data set, as ``SparseSegDataset`` reads it.

    Args:
        names: All images, in the order of the list.
        strong: Those that are ``dense``.
        weak: Supervision of the others.
        listed: What stands in the list for a name; None = the names.

    Raises:
        ValueError: If a strong image is not among all, none or all of them
            are strong, a name has quotes in it, or there is no such
            supervision.
    """
    if weak not in SUPERVISIONS or weak == 'dense':
        raise ValueError(
            f'weak must be one of {", ".join(SUPERVISIONS[1:])}, got {weak!r}'
        )
    chosen = set(strong)
    strays = sorted(chosen - set(names))
    if strays:
        raise ValueError(
            f'strong image {strays[0]!r} is not among the {len(names)} images'
        )
    if not 0 < len(chosen) < len(names):
        raise ValueError(
            f'expected strong and weak images, got {len(chosen)} strong ones '
            f'of {len(names)}'
        )
    shown = listed or {}
    lines = [
        f'{_quoted(shown.get(name, name))} '
        f'{"dense" if name in chosen else weak}'
        for name in names
    ]
    return '\n'.join(lines) + '\n'


def read_names(
    path: str | Path, *, img_suffix: str | Sequence[str] = '.jpg'
) -> list[str]:
    """Return the names of images: in a folder, a list or ``labels.json``.

    Args:
        path: A folder of images, whose folders are part of the names; a list
            that ``SparseSegDataset`` takes for ``ann_file``; or a
            ``labels.json``.
        img_suffix: Suffix of the images, or several.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no image.
    """
    return [entry.name for entry in read_entries(path, img_suffix=img_suffix)]


def read_entries(
    path: str | Path,
    *,
    img_suffix: str | Sequence[str] = '.jpg',
    default: str = 'tag',
) -> list[ImageEntry]:
    """Return what a folder or list says about its images.

    Args:
        path: As in :func:`read_names`.
        img_suffix: Suffix of the images, or several.
        default: Supervision where the list names none.
    """
    path = Path(path)
    suffixes = suffixes_of(img_suffix)
    if path.is_dir():
        files = [
            file for file in sorted(path.rglob('*'))
            if file.name.endswith(suffixes)
        ]  # fmt: skip
        images = [file.relative_to(path).as_posix() for file in files]
        entries = [
            ImageEntry(
                without_suffix(image, suffixes), default, str(file),
                image=image,
            )
            for file, image in zip(files, images, strict=True)
        ]  # fmt: skip
    elif not path.is_file():
        raise FileNotFoundError(f'{path} is neither a file nor a folder')
    elif path.suffix == '.json':
        from .label_folder import read_sidecar

        images = read_sidecar(path)['images']
        entries = [
            ImageEntry(
                name,
                item['supervision'],
                f'{path}: {name}',
                tuple(item['tags']) if item.get('tags') else None,
                item.get('image'),
            )
            for name, item in images.items()
        ]
    else:
        entries = parse_list(
            path.read_bytes(),
            str(path),
            default=default,
            img_suffix=suffixes,
        )
    if not entries:
        raise ValueError(f'{path}: no images (suffix {", ".join(suffixes)})')
    return entries


def _quoted(name: str) -> str:
    """Return a name as it stands in a list."""
    if '"' in name:
        raise ValueError(f'expected a name without quotes, got {name}')
    plain = not any(sign.isspace() for sign in name) and name[:1] != '#'
    return name if plain else f'"{name}"'

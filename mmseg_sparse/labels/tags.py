"""Tags of whole images: class names, multi-hot vectors and their files."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.npy import load_npy
from .label_folder import read_sidecar

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class TagSpace:
    """The classes of the entries of a multi-hot vector.

    Attributes:
        classes: All class names, in order of their indices.
        background: Index of the class that is not a tag; None = all are tags.
        source: The tag space of the files, if ``classes`` are only some of its
            classes. Tags of the others are left out. None = this one.
    """

    classes: tuple[str, ...]
    background: int | None = None
    source: 'TagSpace | None' = None

    @property
    def indices(self) -> list[int]:
        """Class index of each entry of a vector."""
        return [i for i in range(len(self.classes)) if i != self.background]

    def from_indices(self, indices: Iterable[int]) -> Vector:
        """Return the vector of class indices; the background has no entry."""
        hot = np.zeros(len(self.classes), np.float32)
        hot[list(indices)] = 1
        return hot[self.indices]

    def from_names(self, names: Iterable[str], where: str) -> Vector:
        """Return the vector of class names.

        Raises:
            ValueError: If a name is not among the classes.
        """
        known = (self.source or self).classes
        found = []
        for name in names:
            if name not in known:
                raise ValueError(f'{where}: {unknown_class(name, known)}')
            if name in self.classes:
                found.append(self.classes.index(name))
        return self.from_indices(found)

    def from_vector(self, vector: Any, where: str) -> Vector:
        """Return a vector of a file, checked.

        Raises:
            ValueError: If it has another length or other values than 0 and 1.
        """
        if self.source is not None:
            hot = self.source.from_vector(vector, where)
            shown = np.array(self.source.indices)[hot > 0]
            names = [self.source.classes[i] for i in shown.tolist()]
            return self.from_names(names, where)
        hot = np.asarray(vector)
        want = len(self.indices)
        if hot.dtype.kind not in 'biuf' or hot.shape != (want,):
            raise ValueError(
                f'{where}: expected a vector of {want} numbers, one for each '
                f'{"foreground " if self.background is not None else ""}'
                f'class, got {hot.dtype} of shape {hot.shape}'
            )
        if not np.isin(hot, (0, 1)).all():
            bad = hot[~np.isin(hot, (0, 1))][0]
            raise ValueError(f'{where}: expected zeros and ones, got {bad}')
        return hot.astype(np.float32)


def unknown_class(name: str, classes: Sequence[str]) -> str:
    """Return a message on a name that is not among the classes."""
    close = difflib.get_close_matches(name, classes, n=1)
    hint = f'; did you mean {close[0]!r}?' if close else ''
    return f'unknown class {name!r}{hint} (classes: {", ".join(classes)})'


def read_tag_file(path: str | Path, space: TagSpace) -> dict[str, Vector]:
    """Read the tags of many images.

    Args:
        path: A ``labels.json`` as our tools write it, or a ``.npy`` file with
            a dict of one-hot vectors by image name
            (``cls_labels_onehot.npy``). No code in it is run.
        space: The classes.

    Returns:
        Vectors by image name. Images of a ``labels.json`` that have labels
        but no tags are left out: they were not tagged.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is malformed or has other classes.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'tag_file {path} does not exist')
    if path.suffix == '.json':
        return {
            name: space.from_names(item.get('tags') or (), f'{path}: {name}')
            for name, item in read_sidecar(path)['images'].items()
            if item.get('tags') or item.get('supervision') == 'tag'
        }
    if path.suffix != '.npy':
        raise ValueError(f'tag_file {path}: expected a .json or a .npy file')
    content = load_npy(path)
    if isinstance(content, np.ndarray) and content.shape == ():
        content = content.item()
    if not isinstance(content, Mapping):
        raise ValueError(
            f'{path}: expected a dict of one-hot vectors by image name, got '
            f'{type(content).__name__}'
        )
    wrong = [key for key in content if not isinstance(key, str)]
    if wrong:
        raise ValueError(
            f'{path}: expected image names as keys, got {wrong[0]!r}'
        )
    return {
        name: space.from_vector(vector, f'{path}: {name}')
        for name, vector in content.items()
    }

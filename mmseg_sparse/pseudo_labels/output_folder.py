"""Folders of generated files: of one model, and resumed where they stopped."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..utils.atomic import PART, alone_in, write_whole
from .provenance import TAGS, Origin, read_sidecar
from .whole_images import WholeImage

#: Called with (images done, images in all).
Progress = Callable[[int, int], None]


@dataclass
class GeneratedFolder:
    """A folder of files that one origin made.

    Attributes:
        out: The folder.
        sidecar: Name of the file in it that says what the others are.
        suffixes: Of the others.
        origin: What they are made of.
        told: What the sidecar says besides, from the start.
    """

    out: Path
    sidecar: str
    suffixes: tuple[str, ...]
    origin: Origin
    told: dict[str, Any] = field(default_factory=dict)

    def alone(self) -> AbstractContextManager[None]:
        """Return a context in which no other process writes there."""
        return alone_in(self.out)

    def forget_retagged(self, items: Sequence[WholeImage]) -> dict[str, Any]:
        """Remove files of images that have other tags by now.

        Of tags that the pipeline makes of label maps nothing is known.

        Args:
            items: The images that files are to be made of.

        Returns:
            What the sidecar says.
        """
        now = {item.name: _tag_indices(item) for item in items}
        return self.forget_changed(TAGS, now, self.suffixes)

    def forget_changed(
        self,
        what: str,
        now: Mapping[str, Any],
        suffixes: Sequence[str] = ('',),
    ) -> dict[str, Any]:
        """Remove files that were made of something else than now.

        Args:
            what: Entry of the sidecar that says it of each file, ``'tags'``
                or ``'inputs'``.
            now: What each is made of now, by name, for JSON.
            suffixes: What files have behind their names.

        Returns:
            What the sidecar says.
        """
        sidecar = self._read() or {}
        there = dict(sidecar.get(what) or {})
        for name, value in now.items():
            if name in there and there[name] != value:
                for suffix in suffixes:
                    (self.out / f'{name}{suffix}').unlink(missing_ok=True)
        if {**there, **now} != there:
            merged = dict(sorted({**there, **now}.items()))
            sidecar = {**sidecar, what: merged}
            self.write_sidecar(sidecar)
        return sidecar

    def prepare(self, overwrite: bool = False) -> dict[str, Any]:
        """Make the folder, or see that what is in it has the same origin.

        The sidecar is there before any other file. What a killed process
        left half written is removed.

        Args:
            overwrite: Remove what is there and begin again.

        Returns:
            What the sidecar says.

        Raises:
            FileExistsError: If there are files of another origin, or with
                ``overwrite`` files that are none of ours.
        """
        there = self._read()
        new = {**self.origin.entries(), **self.told}
        if there is None:
            if self.out.exists() and self._files():
                raise FileExistsError(
                    f'{self.out} has files and no {self.sidecar} that says '
                    'what they are: name another folder'
                )
        elif not overwrite:
            differences = self.origin.differences(there)
            ours = there.get('tool') == self.origin.tool
            if differences and not (ours and self._is_empty()):
                raise FileExistsError(
                    f'{self.out} is of another origin: '
                    f'{"; ".join(differences)}: name another folder, or '
                    '--overwrite'
                )
            self._remove(lambda path: path.suffix == PART)
            if not differences:
                return there
        else:
            self._check_ours()
            self._remove(lambda path: path.name != self.sidecar)
        self.write_sidecar(new)
        return new

    def write_sidecar(self, content: Mapping[str, Any]) -> None:
        """Write the sidecar, whole or not at all."""
        text = json.dumps(content, indent=1, allow_nan=False) + '\n'
        write_whole(self.out / self.sidecar, text.encode())

    def _read(self) -> dict[str, Any] | None:
        path = self.out / self.sidecar
        if not path.is_file():
            return None
        return read_sidecar(path)

    def _is_empty(self) -> bool:
        """Tell whether nothing is there but the sidecar."""
        return self._files() == [self.out / self.sidecar]

    def _files(self) -> list[Path]:
        return [p for p in sorted(self.out.rglob('*')) if not p.is_dir()]

    def _check_ours(self) -> None:
        """Raise unless everything in the folder looks like our files."""
        there = self._read() or {}
        if there.get('tool') != self.origin.tool:
            raise FileExistsError(
                f'{self.out} is not overwritten: {self.sidecar} says that '
                f'{there.get("tool")} made it, not {self.origin.tool}'
            )
        for path in self._files():
            ours = path.suffix in (*self.suffixes, PART) or path == (
                self.out / self.sidecar
            )
            if path.is_symlink() or not ours:
                raise FileExistsError(
                    f'{self.out} is not overwritten: {path} is none of ours'
                )

    def _remove(self, which: Callable[[Path], bool]) -> None:
        for path in self._files():
            if which(path):
                path.unlink()


@dataclass(frozen=True)
class Generated:
    """What a run made.

    Attributes:
        written: Number of images whose files were written.
        skipped: Number of images whose files were there.
        unfiltered: Of those written, how many have no tags to filter by.
        config_text: Lines of a config that read the files.
    """

    written: int
    skipped: int
    unfiltered: int
    config_text: str


def generate(
    items: Sequence[WholeImage],
    is_done: Callable[[WholeImage], bool],
    write: Callable[[WholeImage], None],
    progress: Progress | None,
) -> int:
    """Write what is not done, image by image; return how many those were."""
    written = 0
    for done, image in enumerate(items, 1):
        if not is_done(image):
            write(image)
            written += 1
        if progress is not None:
            progress(done, len(items))
    return written


def _tag_indices(image: WholeImage) -> list[int] | None:
    hot = image.info.get('gt_label')
    if hot is None:
        return None
    return [index for index, value in enumerate(hot) if value]

"""Folders of generated files of one origin, which a later run completes."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..utils.atomic import PART, alone_in, write_whole
from .provenance import Origin, read_sidecar

#: Called with (files done, files in all).
Progress = Callable[[int, int], None]


class Item(Protocol):
    """What a file is made of; no two have the same name."""

    @property
    def name(self) -> str:
        """The name of the item."""


ItemT = TypeVar('ItemT', bound=Item, contravariant=True)


class Writer(Protocol[ItemT]):
    """Writes the files of single items into a folder.

    Attributes:
        entry: Entry of the sidecar that keeps what :meth:`made_of` returns;
            None: files are never written again.
        listed: What the sidecar says of the items in ``images``, by name.
    """

    entry: str | None
    listed: dict[str, Any]

    def path(self, item: ItemT) -> Path:
        """Return the file of an item, which is written after any other."""

    def made_of(self, item: ItemT) -> Any:
        """Return what a change of makes a file outdated, for JSON."""

    def is_whole(self, item: ItemT) -> bool:
        """Tell whether the files of an item are there, complete."""

    def write(self, item: ItemT) -> None:
        """Write the files of an item."""


@dataclass
class GeneratedFolder:
    """A folder of files of one origin.

    Attributes:
        out: The folder.
        sidecar: Name of the file in it that says what the others are.
        suffixes: Of the others.
        origin: What they are made of.
        contents: What else the sidecar says from the start.
    """

    out: Path
    sidecar: str
    suffixes: tuple[str, ...]
    origin: Origin
    contents: Mapping[str, Any] = field(default_factory=dict)

    def fill(
        self,
        items: Sequence[ItemT],
        writer: Writer[ItemT],
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Write the files that are not there, one by one.

        Args:
            items: What files are made of.
            writer: Writes the files of one item.
            overwrite: Remove what is there and begin again.
            progress: Called after each item.

        Returns:
            The number of items written.

        Raises:
            FileExistsError: If another process is writing to the folder, if
                it has files of another origin, or with ``overwrite`` files
                that this class did not write.
        """
        with alone_in(self.out):
            sidecar = self._prepare(overwrite)
            if writer.entry is not None:
                sidecar = self._forget(sidecar, items, writer, writer.entry)
            written = 0
            for done, item in enumerate(items, 1):
                if not writer.is_whole(item):
                    writer.write(item)
                    written += 1
                if progress is not None:
                    progress(done, len(items))
            if writer.listed:
                listed = {**sidecar['images'], **writer.listed}
                self._write(
                    {**sidecar, 'images': dict(sorted(listed.items()))}
                )
        return written

    def _prepare(self, overwrite: bool) -> dict[str, Any]:
        """Return what the sidecar says, once the folder is fit to be filled.

        The sidecar is there before any other file. What a killed process
        wrote incompletely is removed.
        """
        there = self._read()
        if there is None:
            if self.out.exists() and self._files():
                raise FileExistsError(
                    f'{self.out} has files and no {self.sidecar} that says '
                    'what they are: name another folder'
                )
        elif not overwrite:
            differences = self.origin.differences(there)
            same_tool = there.get('tool') == self.origin.tool
            if differences and not (same_tool and self._is_empty()):
                raise FileExistsError(
                    f'{self.out} is of another origin: '
                    f'{"; ".join(differences)}: name another folder, or '
                    '--overwrite'
                )
            self._remove(lambda path: path.suffix == PART)
            if not differences:
                return there
        else:
            self._check_removable(there)
            self._remove(lambda path: path.name != self.sidecar)
        sidecar = {**self.origin.entries(), **self.contents}
        self._write(sidecar)
        return sidecar

    def _forget(
        self,
        sidecar: dict[str, Any],
        items: Sequence[ItemT],
        writer: Writer[ItemT],
        entry: str,
    ) -> dict[str, Any]:
        """Remove files that were made of something else than now."""
        before = dict(sidecar.get(entry) or {})
        now = {item.name: writer.made_of(item) for item in items}
        for item in items:
            name = item.name
            if name in before and before[name] != now[name]:
                writer.path(item).unlink(missing_ok=True)
        merged = {**before, **now}
        if merged != before:
            sidecar = {**sidecar, entry: dict(sorted(merged.items()))}
            self._write(sidecar)
        return sidecar

    def _write(self, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=1, allow_nan=False) + '\n'
        write_whole(self.out / self.sidecar, text.encode())

    def _read(self) -> dict[str, Any] | None:
        path = self.out / self.sidecar
        return read_sidecar(path) if path.is_file() else None

    def _is_empty(self) -> bool:
        """Tell whether nothing is there but the sidecar."""
        return self._files() == [self.out / self.sidecar]

    def _files(self) -> list[Path]:
        return [p for p in sorted(self.out.rglob('*')) if not p.is_dir()]

    def _check_removable(self, there: Mapping[str, Any]) -> None:
        """Raise unless all that is in the folder may be removed."""
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
                    f'{self.out} is not overwritten: {path} is not a file '
                    f'that {self.origin.tool} writes'
                )

    def _remove(self, which: Callable[[Path], bool]) -> None:
        for path in self._files():
            if which(path):
                path.unlink()

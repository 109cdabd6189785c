"""Folders of generated files: of one model, and resumed where they stopped."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..utils.atomic import PART, alone_in, write_whole
from .whole_images import WholeImage, WholeImages, step_name

#: Called with (images done, images in all).
Progress = Callable[[int, int], None]
#: Of a config, what changes no result.
BOOKKEEPING = ('work_dir', 'launcher', 'resume', 'log_level', 'visualizer')
HEATMAPS_SIDECAR = 'heatmaps.json'
REFINED_SIDECAR = 'refined.json'
#: What a sidecar says of single files: the tags they were made with,
_TAGS = 'tags'
#: and a digest of the files that they were made of.
INPUTS = 'inputs'


@dataclass(frozen=True)
class Source:
    """Something that files are made of.

    Attributes:
        name: Its file.
        sha256: Of its content; of a config, of the settings but those of
            bookkeeping such as ``work_dir``.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Origin:
    """What files are made of; the same origin makes the same files.

    Attributes:
        tool: Name of the tool.
        sources: Such as ``config`` and ``checkpoint``.
        options: What else the files depend on.
    """

    tool: str
    sources: Mapping[str, Source]
    options: Mapping[str, Any]

    def entries(self) -> dict[str, Any]:
        """Return what a sidecar says of it."""
        return dict(
            tool=self.tool,
            **{key: asdict(source) for key, source in self.sources.items()},
            options=json.loads(json.dumps(self.options)),
        )

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Say where a sidecar's entries are of another origin."""
        if other.get('tool') != self.tool:
            return [f'made by {other.get("tool")}, not by {self.tool}']
        own = self.entries()
        found = []
        for key in self.sources:
            there = other.get(key)
            there = there if isinstance(there, Mapping) else {}
            if there.get('sha256') != own[key]['sha256']:
                found.append(
                    f'{key} {_told(there)} there, {_told(own[key])} here'
                )
        options = other.get('options')
        options = options if isinstance(options, Mapping) else {}
        for key in sorted({*own['options'], *options}):
            there, here = options.get(key), own['options'].get(key)
            if there != here:
                found.append(f'{key}={there!r} there, {here!r} here')
        return found


def origin_of(
    tool: str,
    cfg: Config,
    checkpoint: str,
    images: WholeImages,
    **options: Any,
) -> Origin:
    """Return the origin of what a tool makes of these images.

    Folders of images count, lists of images do not: those of several lists
    may go together. Of heat maps that the model reads it counts what their
    sidecar says.

    Raises:
        FileNotFoundError: If the checkpoint is no file.
    """
    settings = {
        key: value
        for key, value in cfg.to_dict().items()
        if key not in (*BOOKKEEPING, 'load_from')
    }
    text = json.dumps(_no_lists(settings), sort_keys=True, default=_plain)
    options = dict(options, img_root=list(images.roots))
    inputs = {}
    for steps in images.pipelines:
        for step in steps:
            if step_name(step) == 'LoadHeatmaps':
                found = heatmaps_sha256(step.get('root') or '.')
                if found is not None:
                    inputs[str(step['root'])] = found
    if inputs:
        options['heatmaps'] = inputs
    sources = dict(
        config=Source(str(cfg.filename), _sha256(text.encode())),
        checkpoint=Source(
            str(checkpoint), _sha256(Path(checkpoint).read_bytes())
        ),
    )
    return Origin(tool, sources, options)


def heatmaps_sha256(folder: str | Path) -> str | None:
    """Return a digest of what the sidecar of heat maps says of all of them.

    None where there is no sidecar.
    """
    for name in (HEATMAPS_SIDECAR, REFINED_SIDECAR):
        path = Path(folder) / name
        if path.is_file():
            content = _object(path)
            for entry in (_TAGS, INPUTS):
                content.pop(entry, None)
            return _sha256(json.dumps(content, sort_keys=True).encode())
    return None


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
        return self.forget_changed(_TAGS, now, self.suffixes)

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
        return _object(path)

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


def _no_lists(node: Any) -> Any:
    """Return settings without the lists of images."""
    if isinstance(node, dict):
        return {k: _no_lists(v) for k, v in node.items() if k != 'ann_file'}
    if isinstance(node, list | tuple):
        return [_no_lists(value) for value in node]
    return node


def _plain(value: Any) -> str:
    name = getattr(value, '__qualname__', None)
    return f'{value.__module__}.{name}' if name else repr(value)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _object(path: Path) -> dict[str, Any]:
    """Return what a sidecar says."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise FileExistsError(
            f'{path} is no JSON ({error}): name another folder'
        ) from error
    if not isinstance(content, dict):
        raise FileExistsError(f'{path} is no object of JSON')
    return content


def _told(entry: Mapping[str, Any]) -> str:
    return f'{entry.get("name")} (sha256 {str(entry.get("sha256"))[:12]})'

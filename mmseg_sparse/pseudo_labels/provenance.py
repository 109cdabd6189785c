"""What generated files are made of, and what their sidecar says of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..engine.training_run import file_sha256, settings_of
from ..utils.config_tree import step_name
from .whole_images import WholeImages

HEATMAPS_SIDECAR = 'heatmaps.json'
REFINED_SIDECAR = 'refined.json'
#: Entry of a sidecar: the tags that each file was made with.
TAGS = 'tags'
#: Entry of a sidecar: a digest of what each file was made of.
INPUTS = 'inputs'


@dataclass(frozen=True)
class Origin:
    """What files are made of; the same origin makes the same files.

    Attributes:
        tool: Name of the tool.
        sources: ``name`` and ``sha256`` of the ``config``, whose digest is
            of the settings but those of bookkeeping such as ``work_dir``, and
            of the ``checkpoint``.
        options: What else the files depend on.
    """

    tool: str
    sources: Mapping[str, Mapping[str, str]]
    options: Mapping[str, Any]

    def entries(self) -> dict[str, Any]:
        """Return what a sidecar says of it."""
        return dict(
            tool=self.tool,
            **{key: dict(source) for key, source in self.sources.items()},
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
                    f'{key} {_brief(there)} there, {_brief(own[key])} here'
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

    The folders of images are part of it; the lists of images are not, so that
    files of several lists may lie in one folder. Of heat maps that the model
    reads, the sidecar is part of it.

    Raises:
        FileNotFoundError: If the checkpoint is missing.
    """
    settings = settings_of(cfg)
    settings.pop('load_from', None)
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
        config=dict(name=str(cfg.filename), sha256=_sha256(text.encode())),
        checkpoint=dict(name=str(checkpoint), sha256=file_sha256(checkpoint)),
    )
    return Origin(tool, sources, options)


def heatmaps_sha256(folder: str | Path) -> str | None:
    """Return a digest of the sidecar of heat maps; None if there is none.

    What it says of single files does not count.
    """
    for name in (HEATMAPS_SIDECAR, REFINED_SIDECAR):
        path = Path(folder) / name
        if path.is_file():
            content = read_sidecar(path)
            for entry in (TAGS, INPUTS):
                content.pop(entry, None)
            return _sha256(json.dumps(content, sort_keys=True).encode())
    return None


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


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return what a sidecar says."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise FileExistsError(
            f'{path} is not JSON ({error}): name another folder'
        ) from error
    if not isinstance(content, dict):
        raise FileExistsError(
            f'{path} is not a JSON object: name another folder'
        )
    return content


def _brief(entry: Mapping[str, Any]) -> str:
    return f'{entry.get("name")} (sha256 {str(entry.get("sha256"))[:12]})'

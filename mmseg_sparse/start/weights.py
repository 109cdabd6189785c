"""Pretrained weights of MiT that are on this machine."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

#: ``embed_dims`` and ``num_layers`` of mmseg's SegFormer configs.
ARCHITECTURES = {
    'mit-b0': (32, (2, 2, 2, 2)),
    'mit-b1': (64, (2, 2, 2, 2)),
    'mit-b2': (64, (3, 4, 6, 3)),
    'mit-b3': (64, (3, 4, 18, 3)),
    'mit-b4': (64, (3, 8, 27, 3)),
    'mit-b5': (64, (3, 6, 40, 3)),
}
_FOLDERS = ('weights', 'data/weights', 'checkpoints', 'pretrain')
_LAYER = re.compile(r'layers\.([0-3])\.1\.(\d+)\.')


@dataclass(frozen=True)
class Weights:
    """What the backbone starts from.

    Attributes:
        architecture: A key of :data:`ARCHITECTURES`.
        checkpoint: File or URL; None: random weights.
    """

    architecture: str = 'mit-b0'
    checkpoint: str | None = None


def given_weights(text: str) -> Weights:
    """Return the weights that an argument names.

    Args:
        text: A file or URL of a MiT in mmseg's form, or ``none``. Of a URL,
            the name says which MiT it is.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file does not hold a MiT.
    """
    if text == 'none':
        return Weights()
    if '://' in text:
        match = re.search(r'mit[-_]b([0-5])', text)
        return Weights(f'mit-b{match[1] if match else 0}', text)
    path = Path(text)
    if not path.is_file():
        raise FileNotFoundError(f'--weights: no file {text}')
    architecture = architecture_of(path)
    if architecture is None:
        raise ValueError(
            f'--weights: {text} does not hold a MiT (SegFormer backbone) in '
            "the form of mmseg's checkpoints"
        )
    return Weights(architecture, str(path.absolute()))


def local_weights(images: Path) -> Weights:
    """Return the smallest MiT among the files where weights usually are.

    These are the folders ``weights``, ``checkpoints`` and ``pretrain`` of the
    working directory and of the folders above the images, and PyTorch's own
    folder of downloads.

    Args:
        images: Folder of the images.
    """
    found = []
    for path in _candidates(images):
        architecture = architecture_of(path)
        if architecture is not None:
            found.append(Weights(architecture, str(path)))
    order = [*ARCHITECTURES]
    return min(
        found, key=lambda w: order.index(w.architecture), default=Weights()
    )


def _candidates(images: Path) -> Iterator[Path]:
    roots = [Path.cwd(), *images.absolute().parents[:4]]
    folders = [root / name for root in roots for name in _FOLDERS]
    folders.append(Path(torch.hub.get_dir()) / 'checkpoints')
    seen = set()
    for folder in folders:
        for path in sorted(folder.glob('*mit*.pth')):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def architecture_of(path: Path) -> str | None:
    """Return which MiT a checkpoint holds; None if it holds none."""
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception:  # torch.load raises many types
        return None
    state = content.get('state_dict', content)
    if not isinstance(state, Mapping):
        return None
    state = {
        str(key).removeprefix('backbone.'): value
        for key, value in state.items()
    }
    patch: Any = state.get('layers.0.0.projection.weight')
    if not isinstance(patch, Tensor):
        return None
    depths = [0, 0, 0, 0]
    for key in state:
        match = _LAYER.match(key)
        if match:
            stage = int(match[1])
            depths[stage] = max(depths[stage], int(match[2]) + 1)
    for name, shape in ARCHITECTURES.items():
        if shape == (patch.shape[0], tuple(depths)):
            return name
    return None

"""A frozen backbone whose maps are kept on disk, beside a small stem."""

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.backbones import VisionTransformer
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_sparse.functional import Attention
from mmseg_sparse.utils.atomic import write_whole

from .attention_recorder import AttentionRecorder
from .token_centers import token_centers


@MODELS.register_module()
class FrozenBackbone(BaseModule):
    """Runs a pretrained backbone that does not learn, at most once an image.

    The maps of the backbone come after those of the stem, which does learn
    and sees the image at strides 4 and 8: a vision transformer's tokens of
    14 or 16 pixels know what a thing is, and the stem knows where it ends.
    A stock head reads both, for example ``SegformerHead`` with
    ``in_channels=[48, 96, 384, 384]``.

    With ``cache_dir`` the maps are written there as float16, one ``.npz``
    file an image, and read where the same image comes again. The key is a
    hash of the normalised pixels, their size, the weights and the arguments
    of the backbone, so that a change of any of them makes another file, and
    files of one folder serve several trainings. Only images that come back
    pixel for pixel profit: use a pipeline whose random steps have few
    outcomes, such as ``RandomFlip``, and leave random sizes, crops and
    colours out. Files are written whole or not at all; delete the folder to
    free its space.

    Args:
        backbone: Config of the backbone. It stays in evaluation mode.
        cache_dir: Folder of the maps; None: they are not kept.
        autocast: Name of the dtype to run it in, ``'bfloat16'`` or
            ``'float16'``, on the processor's matrix units; None: float32.
        stem_channels: Channels of the stem's maps at strides 4 and 8;
            None: no stem.
        norm_cfg: Normalisation of the stem.
        attention_layers: Layers of a ``VisionTransformer`` whose queries and
            keys are kept with the maps, for losses and heads that need
            attention; it has no gradient. Each layer takes as many bytes as
            two maps. They are stage 0 to ``AttentionRecorder``.
        init_cfg: As in ``BaseModule``.

    Raises:
        TypeError: If there are ``attention_layers`` and ``backbone`` is no
            ``VisionTransformer``.
        ValueError: If ``autocast`` is not one of these, or there is no such
            attention layer.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        cache_dir: str | None = None,
        autocast: str | None = None,
        stem_channels: Sequence[int] | None = (48, 96),
        norm_cfg: dict[str, Any] | None = None,
        attention_layers: Sequence[int] = (),
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        """Build the backbone and the stem."""
        super().__init__(init_cfg)
        dtypes = {
            None: None,
            'bfloat16': torch.bfloat16,
            'float16': torch.float16,
        }
        if autocast not in dtypes:
            raise ValueError(
                "autocast must be None, 'bfloat16' or 'float16', got "
                f'{autocast!r}'
            )
        self.autocast = dtypes[autocast]
        self.backbone = MODELS.build(backbone).requires_grad_(False)
        self.backbone.eval()  # returns None in mmseg's vision transformer
        self.stem = _stem(stem_channels, norm_cfg)
        self.attention_layers = tuple(attention_layers)
        self.attention_tap: nn.Module | None = None
        if self.attention_layers:
            _check_layers(self.backbone, self.attention_layers)
            self.attention_tap = nn.Identity()
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self._arguments = repr(sorted(backbone.items()))
        self._digest: tuple[tuple[int, ...], bytes] | None = None

    def train(self, mode: bool = True) -> 'FrozenBackbone':
        """Leave the backbone in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the stem, then those of the backbone.

        Args:
            image: Normalised images, ``(N, 3, H, W)``.

        Returns:
            Maps, the largest first, where there is a stem.
        """
        maps: list[Tensor] = []
        for layer in self.stem or ():
            maps.append(layer(maps[-1] if maps else image))
        kept = self._frozen(image)
        count = len(kept) - 2 * len(self.attention_layers)
        if self.attention_tap is not None:
            self.attention_tap(self._attention(kept[count:], kept[0]))
        return (*maps, *kept[:count])

    def _attention(
        self, factors: Sequence[Tensor], first: Tensor
    ) -> list[Attention]:
        """Return the attention of queries and keys, a layer after another."""
        grid = (first.shape[2], first.shape[3])
        centers = token_centers(self.backbone, 0)
        return [
            Attention(
                query, key, query.shape[3] ** -0.5, grid, grid, centers,
                centers,
            )
            for query, key in zip(factors[::2], factors[1::2], strict=True)
        ]  # fmt: skip

    @torch.no_grad()
    def _frozen(self, image: Tensor) -> Sequence[Tensor]:
        if self.cache_dir is None:
            return self._run(image)
        paths = [self._path(one) for one in image]
        found = [_read(path) for path in paths]
        missing = [i for i, maps in enumerate(found) if maps is None]
        if missing:
            made = [maps.half().cpu() for maps in self._run(image[missing])]
            for row, index in enumerate(missing):
                own = [maps[row] for maps in made]
                _write(paths[index], own)
                found[index] = own
        return [
            torch.stack(maps).to(image.device, image.dtype)
            for maps in zip(*found, strict=True)
        ]

    def _run(self, image: Tensor) -> list[Tensor]:
        """Return the maps, then queries and keys of each attention layer."""
        kind = image.device.type
        factors: list[Tensor] = []
        with torch.autocast(
            kind, dtype=self.autocast, enabled=self.autocast is not None
        ):
            if not self.attention_layers:
                maps = self.backbone(image)
            else:
                with AttentionRecorder(self.backbone) as (layers,):
                    maps = self.backbone(image)
                for index in self.attention_layers:
                    factors += [layers[index].query, layers[index].key]
        return [one.to(image.dtype) for one in (*maps, *factors)]

    def _path(self, image: Tensor) -> Path:
        digest = hashlib.blake2b(self._weights_digest(), digest_size=20)
        digest.update(repr(tuple(image.shape)).encode())
        digest.update(image.cpu().float().contiguous().numpy().tobytes())
        name = digest.hexdigest()
        assert self.cache_dir is not None
        return self.cache_dir / name[:2] / f'{name}.npz'

    def _weights_digest(self) -> bytes:
        """Return a hash of weights and arguments, made anew if they change."""
        state = self.backbone.state_dict(keep_vars=True)
        versions = tuple(value._version for value in state.values())
        if self._digest is None or self._digest[0] != versions:
            digest = hashlib.blake2b(self._arguments.encode())
            digest.update(str(self.autocast).encode())
            if self.attention_layers:
                digest.update(repr(self.attention_layers).encode())
            for name, value in state.items():
                digest.update(name.encode())
                digest.update(value.detach().cpu().float().numpy().tobytes())
            self._digest = versions, digest.digest()
        return self._digest[1]


def _stem(
    channels: Sequence[int] | None, norm_cfg: dict[str, Any] | None
) -> nn.ModuleList | None:
    """Build what makes the maps at strides 4 and 8."""
    if channels is None:
        return None
    first, second = channels
    layer = dict(
        kernel_size=3, stride=2, padding=1,
        norm_cfg=norm_cfg or dict(type='BN'),
    )  # fmt: skip
    return nn.ModuleList(
        [
            nn.Sequential(
                ConvModule(3, first // 2, **layer),
                ConvModule(first // 2, first, **layer),
            ),
            ConvModule(first, second, **layer),
        ]
    )


def _check_layers(backbone: nn.Module, layers: Sequence[int]) -> None:
    """Raise unless a backbone has these attention layers."""
    if not isinstance(backbone, VisionTransformer):
        raise TypeError(
            'attention_layers are those of a VisionTransformer, got the '
            f'backbone {type(backbone).__name__}'
        )
    count = len(backbone.layers)
    if not all(0 <= layer < count for layer in layers):
        raise ValueError(
            f'attention_layers must be among 0 to {count - 1}, got {layers}'
        )


def _read(path: Path) -> list[Tensor] | None:
    """Return the maps of an image, None where they are not kept."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [torch.from_numpy(file[name]) for name in file.files]
    except FileNotFoundError:
        return None


def _write(path: Path, maps: Sequence[Tensor]) -> None:
    """Write the maps of an image; several processes may write the same."""
    buffer = io.BytesIO()
    np.savez(buffer, *(one.numpy() for one in maps))
    part = path.with_name(f'{path.name}.{os.getpid()}')
    write_whole(part, buffer.getvalue())
    os.replace(part, path)

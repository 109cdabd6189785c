"""A stock segmentor whose unlabelled pixels are supervised as well."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import ModuleList
from mmseg.models.decode_heads.cascade_decode_head import (
    BaseCascadeDecodeHead,
)
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ..backbones import AttentionRecorder
from .features import Features, ModuleInputs

#: In the label maps that regularizers are given.
NO_LABEL = 255


@MODELS.register_module()
class SparseEncoderDecoder(EncoderDecoder):
    """``EncoderDecoder`` or ``CascadeEncoderDecoder`` with regularizers.

    The decode head and the auxiliary heads learn from the labelled pixels by
    their stock losses; each regularizer then supervises the others::

        regularizer(logits, feats, labels, valid) -> dict[str, Tensor]

    with ``logits`` ``(N, C, h, w)`` of the (last) decode head,
    :class:`Features`, ``labels`` ``(N, H, W)`` with 255 where no label is,
    whatever the head's ``ignore_index``, and ``valid`` ``(N, H, W)``, true
    inside the images and false in padding. What it returns is logged, and
    summed where the name holds ``loss``, as ``decode.<name>``. A regularizer
    may have two attributes: ``attention_stages``, the backbone stages to
    record, and ``feature_from``, the path of a module whose input it wants.

    The keys of a checkpoint are those of the stock segmentor, and after them
    ``regularizers.*`` where a regularizer learns. The log shows
    ``labeled_share``, the labelled share of the batch's pixels.

    Args:
        regularizers: Configs of the regularizers.
        decode_head: Config of a head, or a list of them for a cascade.
        num_stages: Number of heads of a cascade; may be left out.
        **kwargs: The arguments of ``EncoderDecoder``.

    Raises:
        ValueError: If regularizers meet a head whose loss does not come from
            one logit map, or ask for something that the model does not have.
    """

    def __init__(
        self,
        *,
        decode_head: dict[str, Any] | list[dict[str, Any]],
        regularizers: Sequence[dict[str, Any]] | None = None,
        num_stages: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Build the stock model, then the regularizers."""
        count = len(decode_head) if isinstance(decode_head, list) else 1
        if num_stages is not None and num_stages != count:
            raise ValueError(
                f'num_stages={num_stages}, but decode_head has {count} heads'
            )
        self.num_stages = count
        super().__init__(decode_head=decode_head, **kwargs)
        if isinstance(regularizers, dict):
            raise TypeError(
                'regularizers must be a list of configs, got the dict '
                f'{dict(regularizers)}'
            )
        # MMEngine's list, so that init_weights reaches its modules.
        self.regularizers = ModuleList(
            [MODELS.build(cfg) for cfg in regularizers or ()]
        )
        self._check_heads()
        # Both raise where a regularizer asks for what is not there.
        self._attention_recorder()
        self._module_inputs()

    @property
    def is_cascade(self) -> bool:
        """Whether the decode head is a list of heads."""
        return isinstance(self.decode_head, nn.ModuleList)

    def _init_decode_head(self, decode_head: Any) -> None:
        if isinstance(decode_head, list):
            CascadeEncoderDecoder._init_decode_head(self, decode_head)
        else:
            super()._init_decode_head(decode_head)

    def _check_heads(self) -> None:
        if not self.regularizers:
            return
        for head in self._heads():
            stock = (BaseDecodeHead.loss, BaseCascadeDecodeHead.loss)
            if getattr(type(head), 'loss', None) not in stock:
                raise ValueError(
                    f'regularizers need one logit map, but the loss of '
                    f'{type(head).__name__} does not come from one: use '
                    'another decode head, or no regularizers'
                )
            if head.out_channels == 1:
                raise ValueError(
                    'regularizers compare class probabilities, but '
                    f'{type(head).__name__} has out_channels=1: set '
                    'out_channels=2'
                )

    def _heads(self) -> list[nn.Module]:
        return [*self.decode_head] if self.is_cascade else [self.decode_head]

    def _attention_recorder(self) -> AttentionRecorder | None:
        stages = {
            stage
            for module in self.regularizers
            for stage in getattr(module, 'attention_stages', ())
        }
        if not stages:
            return None
        return AttentionRecorder(self.backbone, sorted(stages))

    def _module_inputs(self) -> ModuleInputs:
        names = (
            getattr(module, 'feature_from', None)
            for module in self.regularizers
        )
        return ModuleInputs(self, {name for name in names if name})

    def extract_feat(self, inputs: Tensor) -> Features | Tensor:
        """Run backbone and neck, recording what the regularizers need.

        What is not a sequence of maps is returned as it is.
        """
        recorder = self._attention_recorder()
        attention: Sequence[Any] = ()
        if recorder is None:
            maps = super().extract_feat(inputs)
        else:
            with recorder as attention:
                maps = super().extract_feat(inputs)
        if not isinstance(maps, list | tuple):
            return maps  # DDRNet and PIDNet, which do so in evaluation
        return Features(maps, inputs, attention)

    def encode_decode(
        self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Return logits of the inputs' size, as the stock segmentors do."""
        stock = CascadeEncoderDecoder if self.is_cascade else EncoderDecoder
        return stock.encode_decode(self, inputs, batch_img_metas)

    def _forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
    ) -> Tensor:
        stock = CascadeEncoderDecoder if self.is_cascade else EncoderDecoder
        return stock._forward(self, inputs, data_samples)

    def _decode_head_forward_train(
        self, inputs: Features, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of decode head and regularizers."""
        labels = torch.cat([s.gt_sem_seg.data for s in data_samples])
        valid = inside_image(data_samples, labels)
        labels = labels.masked_fill(
            labels == self._heads()[-1].ignore_index, NO_LABEL
        )
        labeled = valid & (labels != NO_LABEL)
        losses = {'labeled_share': labeled.sum() / valid.sum().clamp(min=1)}
        if not self.regularizers:
            stock = (
                CascadeEncoderDecoder if self.is_cascade else EncoderDecoder
            )
            losses.update(
                stock._decode_head_forward_train(self, inputs, data_samples)
            )
            return losses
        logits = None
        module_inputs = self._module_inputs()
        with module_inputs as inputs.module_inputs:
            for index, head in enumerate(self._heads()):
                logits = (
                    head.forward(inputs, logits)
                    if index
                    else head.forward(inputs)
                )
                prefix = f'decode_{index}' if self.is_cascade else 'decode'
                losses.update(
                    add_prefix(head.loss_by_feat(logits, data_samples), prefix)
                )
        self._check_logits(logits)
        module_inputs.check(inputs.module_inputs)
        for regularizer in self.regularizers:
            extra = regularizer(logits, inputs, labels, valid)
            for name, value in add_prefix(extra, 'decode').items():
                if name in losses:
                    raise ValueError(
                        f'two losses are called {name!r}: give one of the '
                        'regularizers another loss_name'
                    )
                losses[name] = value
        return losses

    def _check_logits(self, logits: Any) -> None:
        head = self._heads()[-1]
        if not isinstance(logits, Tensor):
            raise ValueError(
                f'regularizers need one logit map, but {type(head).__name__} '
                f'gives {type(logits).__name__} of {len(logits)} in training: '
                'use another decode head, or no regularizers'
            )


def inside_image(
    data_samples: Sequence[SegDataSample], labels: Tensor
) -> Tensor:
    """Return the mask of pixels that are image, not padding of the batch.

    MMSegmentation pads at the right and the bottom and keeps the size before
    padding as ``img_shape``.

    Args:
        data_samples: N samples.
        labels: Their label maps, ``(N, H, W)``.

    Returns:
        Bool ``(N, H, W)``.
    """
    height, width = labels.shape[-2:]
    sizes = torch.tensor(
        [sample.metainfo['img_shape'][:2] for sample in data_samples]
    ).to(labels.device, non_blocking=True)
    rows = torch.arange(height, device=labels.device) < sizes[:, :1]
    columns = torch.arange(width, device=labels.device) < sizes[:, 1:]
    return rows[:, :, None] & columns[:, None, :]

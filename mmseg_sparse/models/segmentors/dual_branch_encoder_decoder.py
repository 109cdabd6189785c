"""One trunk, two heads: one learns from masks, one from pseudo labels."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from mmseg_sparse.functional import Attention

from ..features import Features
from ..losses.base import losses_of
from ..padding import inside_image
from .sparse_encoder_decoder import NO_LABEL, SparseEncoderDecoder


@MODELS.register_module()
class DualBranchEncoderDecoder(SparseEncoderDecoder):
    """``SparseEncoderDecoder`` with a second head for weakly labelled images.

    Backbone and neck, the trunk, run once on the joint batch. From there
    each image goes to one of two heads, as its ``supervision`` says, which
    ``SparseSegDataset`` gives and ``PackSparseInputs`` keeps: the strong
    ones to ``decode_head``, the others, whose ``gt_sem_seg`` are pseudo
    labels, to ``weak_head``. Neither head sees an image of the other, so that
    errors of the pseudo labels reach the trunk alone. The strong branch
    predicts. Batches that hold both are :class:`StrongWeakSampler`'s.

    Losses are ``decode.loss_...`` and ``weak.loss_...``; each head averages
    over its own labels. A head whose images are missing in a batch gives a
    loss of 0 with zero gradients for all of its parameters and the trunk's,
    as distributed training needs. Regularizers, refiner and auxiliary heads
    belong to the strong branch: they see the strong images alone.

    Batch norms of the trunk take their statistics from the joint batch, as
    they run once; those in a head from the images of that head. In inference
    the trunk's running statistics are therefore those of both kinds.

    The keys of a checkpoint are those of the stock segmentor, and
    ``weak_head.*`` after them.

    Source: Luo and Yang, "Semi-supervised semantic segmentation via
    strong-weak dual-branch network", ECCV 2020, which TRL trains its last
    model with (section 4.1). TRL says nothing of weights; both are 1.

    Args:
        weak_head: Config of the weak head; None: that of the decode head.
        weak_loss_weight: Factor on the losses of the weak head.
        strong_supervisions: The strong kinds; all others are weak.
        decode_head: Config of the strong head; no cascade.
        **kwargs: The arguments of ``SparseEncoderDecoder``.

    Raises:
        ValueError: If the decode head is a cascade or the weight is
            negative; in training, if a sample has no ``supervision``.
        TypeError: In training, if the trunk gives other things than maps.
    """

    def __init__(
        self,
        *,
        decode_head: dict[str, Any],
        weak_head: dict[str, Any] | None = None,
        weak_loss_weight: float = 1.0,
        strong_supervisions: Sequence[str] = ('dense',),
        **kwargs: Any,
    ) -> None:
        """Build the stock model, then the weak head."""
        if isinstance(decode_head, list | tuple):
            raise ValueError(
                'DualBranchEncoderDecoder wants one decode_head, got a '
                f'cascade of {len(decode_head)}'
            )
        if weak_loss_weight < 0:
            raise ValueError(
                'weak_loss_weight must not be negative, got '
                f'{weak_loss_weight}'
            )
        if isinstance(strong_supervisions, str):
            raise ValueError(
                'strong_supervisions must be a sequence of names, got '
                f'{strong_supervisions!r}'
            )
        super().__init__(decode_head=decode_head, **kwargs)
        if weak_head is None:
            weak_head = decode_head
        self.weak_head = MODELS.build(copy.deepcopy(weak_head))
        self.weak_loss_weight = weak_loss_weight
        self.strong_supervisions = frozenset(strong_supervisions)

    def loss(
        self, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of both branches.

        Args:
            inputs: Images, ``(N, 3, H, W)``.
            data_samples: With ``gt_sem_seg``, and ``supervision`` in their
                meta data.
        """
        strong = [self._is_strong(sample) for sample in data_samples]
        feats = self.extract_feat(inputs)
        if not isinstance(feats, Features) or not all(
            isinstance(x, Tensor) for x in feats
        ):
            raise TypeError(
                'DualBranchEncoderDecoder wants feature maps, (N, C, h, w) '
                f'each, but {type(self.backbone).__name__} gives other things'
            )
        parts = []
        for wanted in (True, False):
            rows = [i for i, found in enumerate(strong) if found is wanted]
            parts.append((_rows(feats, rows), [data_samples[i] for i in rows]))
        losses = self._strong_losses(*parts[0], feats)
        losses.update(self._weak_losses(*parts[1], feats))
        losses['labeled_share'] = _labeled_share(
            data_samples, self.decode_head.ignore_index
        )
        return losses

    def _is_strong(self, sample: SegDataSample) -> bool:
        kind = sample.metainfo.get('supervision')
        if kind is None:
            name = sample.metainfo.get('img_path', 'a sample')
            raise ValueError(
                f'{name}: nothing says how it is labelled: use '
                'SparseSegDataset, and PackSparseInputs at the end of the '
                'pipeline'
            )
        return kind in self.strong_supervisions

    def _strong_losses(
        self, feats: Features, samples: list[SegDataSample], trunk: Features
    ) -> dict[str, Tensor]:
        if not samples:
            modules = [self.decode_head, *self._askers()]
            if self.with_auxiliary_head:
                modules.append(self.auxiliary_head)
            return _zero_losses('decode', self.decode_head, modules, trunk)
        losses = self._decode_head_forward_train(feats, samples)
        if self.with_auxiliary_head:
            losses.update(self._auxiliary_head_forward_train(feats, samples))
        return losses

    def _weak_losses(
        self, feats: Features, samples: list[SegDataSample], trunk: Features
    ) -> dict[str, Tensor]:
        head = self.weak_head
        if not samples:
            return _zero_losses('weak', head, [head], trunk)
        labels = torch.cat([s.gt_sem_seg.data for s in samples])
        feats.valid = inside_image(samples, labels)
        feats.labels = labels.masked_fill(
            labels == head.ignore_index, NO_LABEL
        )
        found = head.loss(feats, samples, self.train_cfg)
        weighted = {
            name: value * self.weak_loss_weight if 'loss' in name else value
            for name, value in found.items()
        }
        return add_prefix(weighted, 'weak')


def _rows(feats: Features, rows: Sequence[int]) -> Features:
    """Return the features of some images of a batch."""
    index = torch.tensor(rows, dtype=torch.long, device=feats[0].device)
    image = None if feats.image is None else feats.image[index]
    attention = [
        [
            Attention(layer.query[index], layer.key[index], layer.scale,
                      layer.query_hw, layer.key_hw,
                      layer.query_centers, layer.key_centers)
            for layer in stage
        ]
        for stage in feats.attention if rows
    ]  # fmt: skip
    return Features([x[index] for x in feats], image, attention)


def _zero_losses(
    prefix: str,
    head: nn.Module,
    modules: Sequence[nn.Module],
    trunk: Features,
) -> dict[str, Tensor]:
    """Return zeros by the names of a head's losses, connected to all.

    Sums of no element are 0 whatever the values are, NaN or not.
    """
    tensors = [p for module in modules for p in module.parameters()]
    zero = sum(x.flatten()[:0].sum() for x in (*tensors, *trunk))
    names = ['loss']
    if isinstance(head, BaseDecodeHead):
        names = [loss.loss_name for loss in losses_of(head)]
    return {f'{prefix}.{name}': zero for name in names}


def _labeled_share(
    data_samples: list[SegDataSample], ignore_index: int
) -> Tensor:
    """Return the labelled share of the joint batch's pixels."""
    labels = torch.cat([s.gt_sem_seg.data for s in data_samples])
    valid = inside_image(data_samples, labels)
    labeled = valid & (labels != ignore_index)
    return labeled.sum() / valid.sum().clamp(min=1)

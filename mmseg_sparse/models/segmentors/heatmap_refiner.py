"""A segmentor that reads heat maps beside the image and refines them."""

from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from ..contracts import TakesHeatmaps
from ..features import Features
from ..padding import not_padded
from .sparse_encoder_decoder import SparseEncoderDecoder

_IMAGE_CHANNELS = 3


@MODELS.register_module()
class HeatmapRefiner(SparseEncoderDecoder):
    """``SparseEncoderDecoder`` of an image and heat maps of its classes.

    Heat maps come as ``data_sample.heatmap``, ``PixelData`` of C×H×W as
    ``PackHeatmapInputs`` makes it, of the size that the image has before it
    is padded. They are padded with zeros where the image is, and go into
    the backbone behind the image's channels, as N×(3 + C)×H×W; so crops of a
    sliding window and augmented testing move both. Where there are no data
    samples (``mode='tensor'``, exporting), inputs already have 3 + C
    channels. ``Features.image`` is the image alone.

    The backbone says by ``heatmap_channels`` how many it wants;
    :class:`~mmseg_sparse.models.backbones.DualCrossTransformer` does. One
    that wants 0 reads the image alone, and needs no heat maps.

    ``test_cfg.refiner`` is given the tags of the images, multi-hot, as
    ``feats.tags``, where every sample has ``gt_label``. Class label filtering
    (TRL, CLF) is::

        test_cfg=dict(mode='whole', refiner=dict(type='ClassLabelFilter'))

    Source: TRL, section 3.2, eq. 1 and 2; the loss is that of the decode
    head, stock cross entropy in the paper.

    Args:
        **kwargs: The arguments of ``SparseEncoderDecoder``.

    Raises:
        ValueError: In training and inference, if a sample has no heat map, or
            one of another size or number of channels.
    """

    def extract_feat(self, inputs: Tensor) -> Features | Tensor:
        """Run the backbone on image and heat maps, ``(N, 3 + C, H, W)``."""
        feats = super().extract_feat(inputs)
        if isinstance(feats, Features):
            feats.image = inputs[:, :_IMAGE_CHANNELS]
        return feats

    def loss(
        self, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of the decode head, eq. 1.

        Args:
            inputs: Images, ``(N, 3, H, W)``.
            data_samples: With ``gt_sem_seg`` and ``heatmap``.
        """
        return super().loss(self._join(inputs, data_samples), data_samples)

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
    ) -> list[SegDataSample]:
        """Return refined maps, ``seg_logits`` and ``pred_sem_seg``.

        Args:
            inputs: Images, ``(N, 3, H, W)``.
            data_samples: With ``heatmap``, and ``gt_label`` for a filter.
        """
        if data_samples is None:
            return super().predict(inputs)
        metas = [sample.metainfo for sample in data_samples]
        if all('gt_label' in sample for sample in data_samples):
            for meta, sample in zip(metas, data_samples, strict=True):
                meta['tags'] = sample.gt_label
        logits = self.inference(self._join(inputs, data_samples), metas)
        return self.postprocess_result(logits, data_samples)

    def inference(
        self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Return logits of the inputs' size, refined as ``test_cfg`` says."""
        valid = not_padded(inputs, batch_img_metas)
        logits = EncoderDecoder.inference(self, inputs, batch_img_metas)
        if self.test_refiner is None:
            return logits
        feats = Features((), inputs[:, :_IMAGE_CHANNELS])
        feats.valid = valid
        if all(meta.get('tags') is not None for meta in batch_img_metas):
            tags = torch.stack([meta['tags'] for meta in batch_img_metas])
            feats.tags = tags.to(logits.device)
        return self.test_refiner(logits, feats, valid=valid)

    def _forward(
        self,
        inputs: Tensor,
        data_samples: list[SegDataSample] | None = None,
    ) -> Tensor:
        if data_samples is not None:
            inputs = self._join(inputs, data_samples)
        return super()._forward(inputs, data_samples)

    def _join(
        self, images: Tensor, data_samples: list[SegDataSample]
    ) -> Tensor:
        """Put the heat maps behind the images' channels."""
        backbone = self.backbone
        takes = isinstance(backbone, TakesHeatmaps)
        want = backbone.heatmap_channels if takes else None
        if want == 0:
            return images
        height, width = images.shape[2:]
        maps = []
        for sample in data_samples:
            heatmap = _heatmap_of(sample, want).to(images)
            missing = (0, width - heatmap.shape[2], 0,
                       height - heatmap.shape[1])  # fmt: skip
            maps.append(F.pad(heatmap, missing))
        return torch.cat([images, torch.stack(maps)], 1)


def _heatmap_of(sample: SegDataSample, channels: int | None) -> Tensor:
    """Return a sample's heat map, ``(C, H, W)``, checked."""
    meta = sample.metainfo
    name = meta.get('img_path', 'a sample')
    if 'heatmap' not in sample:
        raise ValueError(
            f'{name}: has no heatmap: put LoadHeatmaps and PackHeatmapInputs '
            'into the pipeline'
        )
    heatmap = sample.heatmap.data
    size = tuple(meta['img_shape'][:2])
    if tuple(heatmap.shape[1:]) != size:
        raise ValueError(
            f'{name}: the heat map is {tuple(heatmap.shape[1:])}, its image '
            f'{size}: put what moves pixels into MoveHeatmaps'
        )
    if channels is not None and len(heatmap) != channels:
        raise ValueError(
            f'{name}: has heat maps of {len(heatmap)} classes, but the '
            f'backbone has heatmap_channels={channels}'
        )
    return heatmap

"""Class activation maps of images at their own size, for tools."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from ..contracts import TagClassifier
from ..padding import inside_image
from .multi_scale_cam import multi_scale_cam
from .pseudo_labels import maps_as_original

SCALES = (1.0, 0.5, 1.5)


@torch.no_grad()
def class_activations(
    model: Any, inputs: Tensor, data_samples: Sequence[SegDataSample]
) -> list[Tensor]:
    """Activate the tags of images, at several scales.

    Scales and mirror images are those of ``AFASegmentor``, ``cam_scales``
    and ``cam_flip``, of other segmentors its defaults: 1, 0.5 and 1.5, with
    mirror images. Padding takes no part.

    Args:
        model: A segmentor whose decode head is like an ``AFAHead``: with
            ``activation`` and ``stack_tags``.
        inputs: Normalised images, ``(N, 3, H, W)``.
        data_samples: N samples with ``gt_label``, ``img_shape``, and
            ``ori_shape``, the size to return.

    Returns:
        For each image its maps, ``(tags, H, W)`` in [0, 1], 0 for classes
        that the image does not show, resized bilinearly to the image as it
        was before the pipeline.

    Raises:
        TypeError: If the head has no class activation maps.
        ValueError: If a sample has no tags, or others than the head.
    """
    head = model.decode_head
    if not isinstance(head, TagClassifier):
        raise TypeError(
            f'{type(head).__name__} has no class activation maps: set an '
            'AFAHead as the decode head'
        )
    tags = head.stack_tags(data_samples).to(inputs.device)
    cam = multi_scale_cam(
        model,
        inputs,
        inside_image(data_samples, inputs[:, 0]),
        scales=getattr(model, 'cam_scales', SCALES),
        flip=getattr(model, 'cam_flip', True),
        stage=None,
    ).cam
    cam = cam * (tags > 0)[:, :, None, None]
    return [
        maps_as_original(maps, sample.metainfo)
        for maps, sample in zip(cam, data_samples, strict=True)
    ]

"""Test-time augmentation whose results are merged by their maximum."""

from collections.abc import Sequence

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample


@MODELS.register_module()
class MaxLogitsTTAModel(SegTTAModel):
    """Take the largest logit of each class over all versions of an image.

    Stock ``SegTTAModel`` averages the probabilities instead. Source: the
    release of AFA, which tests three scales and their mirror images.

    Raises:
        ValueError: If the model has a single output channel.
    """

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[SegDataSample]]
    ) -> list[SegDataSample]:
        """Merge the results of each image.

        Args:
            data_samples_list: For each image its results, one a version.
        """
        if self.module.out_channels == 1:
            raise ValueError(
                'MaxLogitsTTAModel compares the logits of classes, but the '
                'model has out_channels=1: use SegTTAModel'
            )
        merged = []
        for versions in data_samples_list:
            logits = torch.stack([v.seg_logits.data for v in versions])
            best = logits.amax(0).argmax(0, keepdim=True)
            sample = versions[0]
            sample.set_data({'pred_sem_seg': PixelData(data=best)})
            merged.append(sample)
        return merged

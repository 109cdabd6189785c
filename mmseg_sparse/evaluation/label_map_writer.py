"""Predictions as a test server wants them: index PNGs with a palette."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from ..labels.label_map import encode_index_png
from ..utils.atomic import write_whole


@METRICS.register_module()
class LabelMapWriter(BaseMetric):
    """Write the predicted label maps, and measure nothing.

    For images without masks. ``OUTPUT_DIR/NAME.png`` has the size of the
    image, the class indices of the data set as its pixels and the colours of
    the data set as its palette. That is what the server of PASCAL VOC
    expects in ``results/VOC2012/Segmentation/comp6_test_cls``.

    Args:
        output_dir: The folder; created if it is missing.
        **kwargs: The arguments of ``BaseMetric``.

    Raises:
        ValueError: If two images have the same name.
    """

    def __init__(self, output_dir: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_dir = Path(output_dir)

    def process(
        self, data_batch: Any, data_samples: Sequence[dict[str, Any]]
    ) -> None:
        """Write the label maps of a batch."""
        palette = (self.dataset_meta or {}).get('palette') or ()
        for sample in data_samples:
            name = Path(sample['img_path']).stem
            if name in self.results:
                raise ValueError(
                    f'{sample["img_path"]}: expected images of different '
                    f'names, got {name} twice'
                )
            labels = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy()
            png = encode_index_png(labels.astype(np.uint8), palette)
            write_whole(self.output_dir / f'{name}.png', png)
            self.results.append(name)

    def compute_metrics(self, results: Sequence[str]) -> dict[str, float]:
        """Return the number of label maps."""
        return dict(label_maps=len(results))

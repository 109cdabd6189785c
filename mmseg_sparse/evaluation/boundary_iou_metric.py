"""How well predictions agree with dense masks near the contours."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from numpy.typing import NDArray
from prettytable import PrettyTable

from mmseg_sparse.labels.label_map import NO_LABEL

#: Intersections and unions ``(2, 2, C)``: boundary and trimap.
Areas = NDArray[np.float64]
KINDS = ('IoU', 'TrimapIoU')


@METRICS.register_module()
class BoundaryIoUMetric(BaseMetric):
    r"""Boundary IoU and trimap IoU of each class, with dense masks.

    Sparse labels say least about pixels at contours, which are few beside
    those inside regions. With :math:`G` the pixels of a class in the mask,
    :math:`P` those predicted, and :math:`G_d` the pixels at most :math:`d`
    away from the contour of :math:`G`,

    .. math::
        \text{boundary} = \frac{|(G_d \cap G) \cap (P_d \cap P)|}
            {|(G_d \cap G) \cup (P_d \cap P)|}, \qquad
        \text{trimap} = \frac{|G_d \cap G \cap P|}{|G_d \cap (G \cup P)|}.

    Source: Cheng et al., *Boundary IoU*, CVPR 2021, section 4. As there,
    :math:`G_d \cap G` is the part of :math:`G` that ``d`` erosions with a
    square of 3x3 pixels remove (a chessboard distance), and the border of
    the image is a contour. There masks are of objects; here areas of a
    class are summed over all images, as mIoU does. Void pixels are taken out
    of :math:`G` and :math:`P` first, so that the edge of void is a contour of
    both, and are not counted.

    Results, in percent, for a width of 3 pixels: ``boundary/mIoU_3px``,
    ``boundary/mTrimapIoU_3px``, and for each class that occurs
    ``boundary/IoU_3px/<class>``, ``boundary/TrimapIoU_3px/<class>``. A width
    that is a share of the diagonal is called ``0.02d``.

    Args:
        widths: Each :math:`d`: pixels (int), or a share of the image's
            diagonal (float below 1), rounded, at least one pixel. The
            authors' is 0.02.
        image_border: Whether the border of the image is a contour.
        ignore_index: Void in the masks.
        collect_device: As in ``BaseMetric``.
        prefix: As in ``BaseMetric``.

    Raises:
        ValueError: If a width is neither.
    """

    default_prefix = 'boundary'

    def __init__(
        self,
        widths: Sequence[float] = (0.02,),
        image_border: bool = True,
        ignore_index: int = NO_LABEL,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.widths = {_name(width): width for width in widths}
        self.image_border = image_border
        self.ignore_index = ignore_index

    def process(
        self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]
    ) -> None:
        """Count the pixels of some images.

        Args:
            data_batch: Not looked at.
            data_samples: Results of the segmentor.

        Raises:
            ValueError: If a mask has not the size of its prediction.
        """
        classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            labels, mask = (
                sample[key]['data'].squeeze(0).cpu().numpy().astype(np.int16)
                for key in ('pred_sem_seg', 'gt_sem_seg')
            )
            if labels.shape != mask.shape:
                raise ValueError(
                    f'{sample.get("img_path")}: expected a mask of the size '
                    f'of the prediction, {labels.shape}, got {mask.shape}'
                )
            self.results.append(np.stack([
                boundary_areas(
                    labels, mask, _pixels(width, mask.shape), classes,
                    image_border=self.image_border,
                    ignore_index=self.ignore_index,
                )
                for width in self.widths.values()
            ]))  # fmt: skip

    def compute_metrics(self, results: Sequence[Areas]) -> dict[str, float]:
        """Return the results of all images, in percent."""
        classes = list(self.dataset_meta['classes'])
        table = PrettyTable()
        table.add_column('Class', classes)
        metrics: dict[str, float] = {}
        for width, areas in zip(
            self.widths, np.sum(results, axis=0), strict=True
        ):
            for kind, (common, union) in zip(KINDS, areas, strict=True):
                found = {
                    name: round(100 * float(a / b), 2)
                    for name, a, b in zip(classes, common, union, strict=True)
                    if b
                }
                key = f'{kind}_{width}'
                every = 100 * common[union > 0] / union[union > 0]
                mean = float(every.mean()) if every.size else math.nan
                metrics[f'm{key}'] = round(mean, 2)
                metrics |= {
                    f'{key}/{name.replace(" ", "_")}': value
                    for name, value in found.items()
                }
                table.add_column(key, [found.get(n, '-') for n in classes])
        print_log(
            f'IoU at contours:\n{table}', MMLogger.get_current_instance()
        )
        return metrics


def boundary_areas(
    labels: NDArray[np.int16],
    mask: NDArray[np.int16],
    width: int,
    num_classes: int,
    *,
    image_border: bool = True,
    ignore_index: int = NO_LABEL,
) -> Areas:
    """Return the areas of :class:`BoundaryIoUMetric` of one image.

    Args:
        labels: Predicted classes, ``(H, W)``.
        mask: Dense mask of the same size.
        width: In pixels.
        num_classes: C.
        image_border: Whether the border of the image is a contour.
        ignore_index: Void in ``mask``.

    Returns:
        ``(2, 2, C)``: boundary and trimap; intersection and union; classes.
    """
    void = mask == ignore_index
    labels = np.where(void, ignore_index, labels).astype(np.int16)
    bands = [_band(m, width, image_border) for m in (labels, mask)]
    result = np.zeros((2, 2, num_classes))
    for index in range(num_classes):
        found, truth = labels == index, mask == index
        if not (found.any() or truth.any()):
            continue
        near_found, near_truth = found & bands[0], truth & bands[1]
        result[0, :, index] = _common_and_all(near_found, near_truth)
        outside = _dilate(truth.view(np.uint8), width).view(bool) & ~truth
        trimap = near_truth | (outside & ~void)
        result[1, :, index] = _common_and_all(trimap & found, trimap & truth)
    return result


def _band(
    labels: NDArray[np.int16], width: int, image_border: bool
) -> NDArray[np.bool_]:
    """Return which pixels have another label at most ``width`` away."""
    square = np.ones((2 * width + 1,) * 2, np.uint8)
    lowest = (
        cv2.erode(labels, square, borderType=cv2.BORDER_CONSTANT,
                  borderValue=-1)
        if image_border else cv2.erode(labels, square)
    )  # fmt: skip
    return np.not_equal(lowest, _dilate(labels, width))


def _dilate(image: NDArray[Any], width: int) -> NDArray[Any]:
    return cv2.dilate(image, np.ones((2 * width + 1,) * 2, np.uint8))


def _common_and_all(
    one: NDArray[np.bool_], other: NDArray[np.bool_]
) -> tuple[int, int]:
    return int((one & other).sum()), int((one | other).sum())


def _pixels(width: float, size: tuple[int, ...]) -> int:
    if isinstance(width, int):
        return width
    return max(1, round(width * math.hypot(*size)))


def _name(width: float) -> str:
    if isinstance(width, int) and width >= 1:
        return f'{width}px'
    if isinstance(width, float) and 0 < width < 1:
        return f'{width:g}d'
    raise ValueError(
        'expected widths of at least 1 pixel (int) or a share of the '
        f'diagonal (float below 1), got {width!r}'
    )

"""Dice and surface distance of volumes whose slices are separate images."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from numpy.typing import NDArray
from prettytable import PrettyTable
from scipy import ndimage

from mmseg_sparse.labels.label_map import NO_LABEL, Labels

Mask = NDArray[np.bool_]
#: Distance of neighbouring voxels along slices, rows and columns.
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Slice:
    """One image of a volume: prediction and mask at the image's own size."""

    volume: str
    number: int
    prediction: Labels
    mask: Labels


@METRICS.register_module()
class VolumeMetric(BaseMetric):
    r"""Mean Dice and HD95 of each class over volumes.

    Medical images are scored by volume, not by slice and not by all pixels
    together as ``IoUMetric(iou_metrics=['mDice'])`` does (Bernard et al., TMI
    2018; on scribbles Valvano et al., TMI 2021, and Luo et al., MICCAI 2022).
    The slices that belong to a volume, and their order, are found by their
    file names. Results are ``volume/mDice`` (percent), ``volume/mHD95``, and
    both for each class, such as ``volume/Dice_left_ventricle``. A class's
    value is the mean over the volumes in which it is counted, and ``m`` is
    the mean over the classes; see :func:`dice` and :func:`hd95`, and for
    empty classes :func:`scores`.

    Predictions are scored at the size that the slice's file has: mmseg
    brings them to it, and so must the pipeline the masks, by
    ``LoadAnnotations`` after ``Resize``.

    Args:
        pattern: Regular expression that matches the whole file name without
            its ending. It has the groups ``volume`` and ``slice``, which is a
            number; the slices of a volume must be numbered without a gap.
        spacing: Distances of voxels between slices, rows and columns, in
            millimetres: three numbers for all volumes, or a dict of them by
            name of the volume, or the path of a JSON file with such a dict,
            or of the ``labels.json`` of labels imported from volumes.
            None: HD95 is in voxels, as Luo et al. give it.
        background: Index of the class that is not scored; None: score all.
        ignore_index: Void in the masks; counts neither as mask nor as
            prediction.
        collect_device: As in ``BaseMetric``.
        prefix: As in ``BaseMetric``.

    Raises:
        ValueError: If ``pattern`` lacks a group or ``spacing`` is not made of
            three positive numbers.
    """

    default_prefix = 'volume'

    def __init__(
        self,
        pattern: str = r'(?P<volume>.+)_slice_(?P<slice>\d+)',
        spacing: Sequence[float] | Mapping[str, Any] | str | None = None,
        background: int | None = 0,
        ignore_index: int = NO_LABEL,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.pattern = re.compile(pattern)
        missing = {'volume', 'slice'} - set(self.pattern.groupindex)
        if missing:
            raise ValueError(
                'expected a pattern with the groups (?P<volume>...) and '
                f'(?P<slice>...), got {pattern!r}'
            )
        if isinstance(spacing, str):
            given = self._of_volumes(
                json.loads(Path(spacing).read_text('utf-8'))
            )
        else:
            given = spacing
        self.spacing: Spacing | dict[str, Spacing] | None = None
        if isinstance(given, Mapping):
            self.spacing = {k: _spacing(v) for k, v in given.items()}
        elif given is not None:
            self.spacing = _spacing(given)
        self.background = background
        self.ignore_index = ignore_index

    def process(
        self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep prediction and mask of some slices.

        Args:
            data_batch: Not looked at.
            data_samples: Results of the segmentor.

        Raises:
            ValueError: If a name does not match the pattern, a sample has no
                mask, or its mask has not the size of the prediction.
        """
        for sample in data_samples:
            path = sample['img_path']
            match = self.pattern.fullmatch(Path(path).stem)
            if match is None:
                raise ValueError(
                    f'{path}: expected a file name that matches '
                    f'{self.pattern.pattern!r}; set the pattern of '
                    'VolumeMetric'
                )
            if 'gt_sem_seg' not in sample:
                raise ValueError(
                    f'{path}: expected a mask, got none: the pipeline must '
                    'load the dense masks'
                )
            prediction, mask = (
                sample[key]['data'].squeeze(0).cpu().numpy().astype(np.uint8)
                for key in ('pred_sem_seg', 'gt_sem_seg')
            )
            if prediction.shape != mask.shape:
                raise ValueError(
                    f'{path}: expected a mask of the size of the prediction, '
                    f'{prediction.shape}, got {mask.shape}: LoadAnnotations '
                    'must come after Resize in the pipeline'
                )
            self.results.append(
                Slice(match['volume'], int(match['slice']), prediction, mask)
            )

    def compute_metrics(self, results: Sequence[Slice]) -> dict[str, float]:
        """Return the results of all volumes.

        Raises:
            ValueError: If a volume's slices differ in size or are not
                numbered without a gap, or its spacing is not known.
        """
        names = self.dataset_meta['classes']
        scored = [i for i in range(len(names)) if i != self.background]
        volumes = defaultdict(list)
        for item in results:
            volumes[item.volume].append(item)
        values = np.array([
            scores(*stack(slices), scored, self._spacing_of(name),
                   ignore_index=self.ignore_index)
            for name, slices in volumes.items()
        ])  # fmt: skip
        means = [[_mean(values[:, i, k]) for k in (0, 1)]
                 for i in range(len(scored))]  # fmt: skip
        total = [_mean(column) for column in np.array(means).T]
        counted = np.isfinite(values[..., 0]).sum(0)
        unit = 'mm' if self.spacing else 'in voxels, no spacing given'
        table = PrettyTable(['Class', 'Dice', f'HD95 ({unit})', 'Volumes'])
        metrics = {'mDice': total[0], 'mHD95': total[1]}
        for index, pair, count in zip(scored, means, counted, strict=True):
            table.add_row([names[index], *pair, count])
            name = names[index].replace(' ', '_')
            metrics |= {f'Dice_{name}': pair[0], f'HD95_{name}': pair[1]}
        print_log(
            f'{len(volumes)} volumes:\n{table}',
            MMLogger.get_current_instance(),
        )
        return metrics

    def _of_volumes(self, given: Any) -> Any:
        """Return the spacings of a ``labels.json`` by volume."""
        if not isinstance(given, Mapping) or 'images' not in given:
            return given
        found = {}
        for name, info in given['images'].items():
            match = self.pattern.fullmatch(Path(name).name)
            if match and 'spacing' in info:
                found[match['volume']] = info['spacing']
        return found

    def _spacing_of(self, volume: str) -> Spacing:
        if not isinstance(self.spacing, dict):
            return self.spacing or (1.0, 1.0, 1.0)
        if volume not in self.spacing:
            raise ValueError(
                f'expected a spacing for every volume, got none for {volume!r}'
            )
        return self.spacing[volume]


def stack(slices: Sequence[Slice]) -> tuple[Labels, Labels]:
    """Return prediction and mask of a volume, ``(slices, H, W)`` each.

    Raises:
        ValueError: If the slices differ in size, or are not numbered without
            a gap.
    """
    slices = sorted(slices, key=lambda item: item.number)
    name, first = slices[0].volume, slices[0].number
    numbers = [item.number for item in slices]
    if numbers != list(range(first, first + len(slices))):
        raise ValueError(
            f'volume {name!r}: expected slices numbered without a gap, each '
            f'once, got {numbers}'
        )
    sizes = {item.mask.shape for item in slices}
    if len(sizes) > 1:
        raise ValueError(
            f'volume {name!r}: expected slices of one size, got '
            f'{sorted(sizes)}'
        )
    return (
        np.stack([item.prediction for item in slices]),
        np.stack([item.mask for item in slices]),
    )


def scores(
    prediction: Labels,
    mask: Labels,
    classes: Sequence[int],
    spacing: Spacing = (1.0, 1.0, 1.0),
    *,
    ignore_index: int = NO_LABEL,
) -> NDArray[np.float64]:
    """Return Dice and HD95 of some classes of a volume.

    A class that neither prediction nor mask has is not counted: NaN for both.
    One that only one of them has gets a Dice of 0, and for HD95 the largest
    distance that two voxels of the volume can have, so that leaving a class
    out never pays.

    Args:
        prediction: ``(D, H, W)``, class indices.
        mask: As ``prediction``, and ``ignore_index``.
        classes: Indices of the classes.
        spacing: Distances of neighbouring voxels along the three axes.
        ignore_index: Void in ``mask``; these voxels count as no class.

    Returns:
        ``(len(classes), 2)``: Dice in percent, HD95 in units of ``spacing``.
    """
    known = mask != ignore_index
    largest = float(np.linalg.norm((np.array(mask.shape) - 1) * spacing))
    found = np.full((len(classes), 2), np.nan)
    for row, index in zip(found, classes, strict=True):
        one, other = (prediction == index) & known, mask == index
        if one.any() and other.any():
            row[:] = 100 * dice(one, other), hd95(one, other, spacing)
        elif one.any() or other.any():
            row[:] = 0, largest
    return found


def dice(one: Mask, other: Mask) -> float:
    r"""Return :math:`2|A \cap B| / (|A| + |B|)` of two sets of voxels.

    Not defined where both are empty; see :func:`scores`.
    """
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def hd95(one: Mask, other: Mask, spacing: Spacing = (1.0, 1.0, 1.0)) -> float:
    r"""Return the 95th percentile of the distances of two surfaces.

    The surface :math:`S` of a set is its voxels of which one of the six
    neighbours is not in it; beyond the volume there is nothing. With
    :math:`d(a, S) = \min_{b \in S} |a - b|` between the middles of voxels,
    it is the percentile, linearly interpolated, of the joined distances
    :math:`d(a, S_B)` of all :math:`a \in S_A` and :math:`d(b, S_A)` of all
    :math:`b \in S_B`. This is medpy's ``hd95``, which Luo et al. use; others
    take the larger one of two percentiles.

    Args:
        one: ``(D, H, W)``, not empty.
        other: As ``one``.
        spacing: Distances of neighbouring voxels along the three axes.

    Returns:
        The distance, in units of ``spacing``.
    """
    (box,) = ndimage.find_objects((one | other).astype(np.uint8))
    surfaces = [s[box] & ~ndimage.binary_erosion(s[box]) for s in (one, other)]
    distances = [
        ndimage.distance_transform_edt(~to, sampling=spacing)[start]
        for start, to in (surfaces, surfaces[::-1])
    ]
    return float(np.percentile(np.concatenate(distances), 95))


def _spacing(value: Sequence[float]) -> Spacing:
    try:
        plane, row, column = map(float, value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            'expected a spacing of three numbers, of slices, rows and '
            f'columns, got {value!r}'
        ) from error
    if not all(0 < step < math.inf for step in (plane, row, column)):
        raise ValueError(f'expected a spacing above 0, got {value!r}')
    return plane, row, column


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of what is counted, NaN if nothing is."""
    counted = values[np.isfinite(values)]
    return round(float(counted.mean()), 2) if counted.size else math.nan

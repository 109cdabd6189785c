"""The data sets of the field, with labels of any kind.

Each is a ``SparseSegDataset`` with the classes, file names and numbering of
the label files that its users have.
"""

from typing import Any

from mmseg.datasets import (
    ADE20KDataset,
    BaseSegDataset,
    CityscapesDataset,
    PascalVOCDataset,
)
from mmseg.registry import DATASETS

from ..labels.simulate.toy import CLASSES, PALETTE
from .sparse_seg import SparseSegDataset

#: Class index of Cityscapes' label ids 0 to 33; 255 = not evaluated. The
#: licence plate, id -1, is 255 in 8-bit files.
CITYSCAPES_LABEL_IDS = (
    *(255,) * 7,
    0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12,
    13, 14, 15, 255, 255, 16, 17, 18,
)  # fmt: skip


@DATASETS.register_module()
class SparsePascalVOCDataset(SparseSegDataset):
    """PASCAL VOC 2012: 21 classes, 0 is the background."""

    METAINFO = PascalVOCDataset.METAINFO


@DATASETS.register_module()
class SparseADE20KDataset(SparseSegDataset):
    """ADE20K, scene parsing: label files count the 150 classes from 1.

    0 is "other or unlabelled" there: it is neither a class nor a label.
    """

    METAINFO = ADE20KDataset.METAINFO

    def __init__(
        self, *args: Any, reduce_zero_label: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, reduce_zero_label=reduce_zero_label, **kwargs)


@DATASETS.register_module()
class SparseCityscapesDataset(SparseSegDataset):
    """Cityscapes with the raw label ids, 0 to 33, of its own files.

    The ids that the benchmark does not evaluate mean "no label". For files
    that hold train ids give ``label_map=None`` and their ``seg_map_suffix``.
    """

    METAINFO = CityscapesDataset.METAINFO

    def __init__(
        self,
        *args: Any,
        img_suffix: str = '_leftImg8bit.png',
        seg_map_suffix: str = '_gtFine_labelIds.png',
        label_map: Any = CITYSCAPES_LABEL_IDS,
        **kwargs: Any,
    ) -> None:
        kwargs |= dict(
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            label_map=label_map,
        )
        super().__init__(*args, **kwargs)


def _bit_palette(count: int) -> list[list[int]]:
    """Return VOC's colours: the bits of the index, dealt out to the channels.

    VOC's own 21 are the first of them.
    """
    return [
        [
            sum((index >> (3 * k + c) & 1) << (7 - k) for k in range(3))
            for c in range(3)
        ]
        for index in range(count)
    ]


@DATASETS.register_module()
class SparseCOCODataset(SparseSegDataset):
    """COCO objects: the background and 80 classes in order of their ids.

    Label files hold 0 for the background and 1 to 80, not COCO's category
    ids, which have gaps and reach 90.
    """

    METAINFO = dict(
        classes=(
            'background', 'person', 'bicycle', 'car', 'motorcycle',
            'airplane', 'bus', 'train', 'truck', 'boat', 'traffic light',
            'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird',
            'cat', 'dog', 'horse', 'sheep', 'cow', 'elephant', 'bear',
            'zebra', 'giraffe', 'backpack', 'umbrella', 'handbag', 'tie',
            'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
            'baseball bat', 'baseball glove', 'skateboard', 'surfboard',
            'tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife',
            'spoon', 'bowl', 'banana', 'apple', 'sandwich', 'orange',
            'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake',
            'chair', 'couch', 'potted plant', 'bed', 'dining table', 'toilet',
            'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone',
            'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book',
            'clock', 'vase', 'scissors', 'teddy bear', 'hair drier',
            'toothbrush',
        ),
        palette=_bit_palette(81),
    )  # fmt: skip


@DATASETS.register_module()
class ToyShapesDataset(BaseSegDataset):
    """Textured shapes on cluttered grounds, as :func:`make_toy_dataset` makes.

    Label maps are index PNGs with a palette; 255 is "no label here".
    """

    METAINFO = dict(classes=CLASSES, palette=PALETTE)

    def __init__(
        self,
        img_suffix: str = '.png',
        seg_map_suffix: str = '.png',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs
        )


@DATASETS.register_module()
class SparseToyShapesDataset(SparseSegDataset):
    """The toy shapes of ``make_toy_dataset``: 7 classes, 0 the background."""

    METAINFO = ToyShapesDataset.METAINFO

    def __init__(
        self, *args: Any, img_suffix: str = '.png', **kwargs: Any
    ) -> None:
        super().__init__(*args, img_suffix=img_suffix, **kwargs)


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid with the 11 classes of the SegNet split, 360x480 pixels.

    Label maps are index PNGs; 255 is void in dense masks and "no label here"
    in sparse ones. Source: Brostow, Fauqueur, Cipolla, "Semantic object
    classes in video", Pattern Recognition Letters 2009.
    """

    METAINFO = dict(
        classes=(
            'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign',
            'fence', 'car', 'pedestrian', 'bicyclist',
        ),
        palette=[
            [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128],
            [60, 40, 222], [128, 128, 0], [192, 128, 128], [64, 64, 128],
            [64, 0, 128], [64, 64, 0], [0, 128, 192],
        ],
    )  # fmt: skip

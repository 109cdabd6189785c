"""What the shipped dataset configs read: files, numbers, their meaning."""

from dataclasses import dataclass, field

SIZE = (64, 48)


@dataclass
class Case:
    """Where the files of a data set lie and what their numbers mean."""

    train: tuple[str, str | None]  # image and label map
    val: tuple[str, str]
    raw: tuple[int, ...] = (0, 1, 255)  # values of the training file
    seen: tuple[int, ...] = (0, 1, 255)  # what of it reaches the model
    val_raw: tuple[int, ...] = (0, 1, 255)
    val_seen: tuple[int, ...] = (0, 1, 255)
    lists: dict[str, str] = field(default_factory=dict)
    tags: tuple[int, ...] | None = None  # class indices
    classes: int = 0
    background: int | None = 0  # what is no tag
    supervision: str | None = None


def camvid(folder):
    return Case(
        ('images/train/a.jpg', f'{folder}/train/a.png'),
        ('images/val/b.jpg', 'masks/val/b.png'),
    )


def toy(folder, **more):
    return Case(
        ('images/train/a.png', f'{folder}/train/a.png'),
        ('images/val/b.png', 'masks/val/b.png'),
        **more,
    )


def voc(folder, split='trainaug', **more):
    sets = 'ImageSets/Segmentation'
    return Case(
        ('JPEGImages/a.jpg', f'{folder}/a.png' if folder else None),
        ('JPEGImages/b.jpg', 'SegmentationClass/b.png'),
        lists={f'{sets}/{split}.txt': 'a\n', f'{sets}/val.txt': 'b\n'},
        **more,
    )


def context(**more):
    sets = 'ImageSets/SegmentationContext'
    return Case(
        ('JPEGImages/a.jpg', 'ScribbleContext/a.png'),
        ('JPEGImages/b.jpg', 'SegmentationClassContext/b.png'),
        lists={f'{sets}/train.txt': 'a\n', f'{sets}/val.txt': 'b\n'},
        raw=(0, 1, 59, 255),
        val_raw=(0, 1, 59, 255),
        **more,
    )


CASES = {
    'acdc_dense': toy('masks'),
    'acdc_scribble': toy('scribbles'),
    'camvid_dense': camvid('masks'),
    'camvid_point': camvid('points'),
    'camvid_point_sparse': camvid('points'),
    'camvid_scribble': camvid('scribbles'),
    'camvid_whole_dense': camvid('masks'),
    'camvid_whole_point': camvid('points'),
    'camvid_whole_scribble': camvid('scribbles'),
    'toy_dense': toy('masks'),
    'toy_point': toy('masks'),
    'toy_scribble': toy('scribbles'),
    'toy_tag': toy(
        'masks', raw=(0, 2, 6), seen=(255,), tags=(2, 6), classes=7,
        supervision='tag',
    ),
    'toy_hybrid': toy(
        'masks', raw=(0, 2, 6), seen=(0, 2, 6), tags=(2, 6), classes=7,
        supervision='dense', lists={'hybrid.txt': 'a dense\n'},
    ),
    'voc12_dense': voc('SegmentationClassAug', 'aug'),
    'voc12_point': voc('PointAug'),
    'voc12_scribble': voc('ScribbleAug'),
    'voc12_scribble_colour': voc('ScribbleAug'),
    'voc12_scribble_384': voc('ScribbleAug'),
    'voc12_tag': voc(
        None, seen=(255,), tags=(3, 20), classes=21, supervision='tag'
    ),
    'voc12_tag_320': voc(
        None, seen=(255,), tags=(3, 20), classes=21, supervision='tag'
    ),
    'voc12_hybrid': Case(
        ('JPEGImages/a.jpg', 'SegmentationClass/a.png'),
        ('JPEGImages/b.jpg', 'SegmentationClass/b.png'),
        raw=(0, 3, 255), seen=(0, 3, 255), tags=(3, 20), classes=21,
        supervision='dense',
        lists={
            'ImageSets/Segmentation/hybrid_1464.txt': 'a dense\n',
            'ImageSets/Segmentation/val.txt': 'b\n',
        },
    ),
    'pcontext60_scribble': context(
        seen=(0, 1, 59, 255), val_seen=(0, 1, 59, 255)
    ),
    'pcontext59_scribble': context(seen=(0, 58, 255), val_seen=(0, 58, 255)),
    'pcontext60_scribble_512': context(
        seen=(0, 1, 59, 255), val_seen=(0, 1, 59, 255)
    ),
    'pcontext60_scribble_384': context(
        seen=(0, 1, 59, 255), val_seen=(0, 1, 59, 255)
    ),
    'pcontext59_scribble_512': context(
        seen=(0, 58, 255), val_seen=(0, 58, 255)
    ),
    'cityscapes_block': Case(
        ('leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png',
         'gtBlock20/train/ulm/ulm_000000_000019_gtFine_labelIds.png'),
        ('leftImg8bit/val/bonn/bonn_000000_000019_leftImg8bit.png',
         'gtFine/val/bonn/bonn_000000_000019_gtFine_labelTrainIds.png'),
        raw=(0, 7, 9, 33, 255), seen=(0, 18, 255),
        val_raw=(0, 18, 255), val_seen=(0, 18, 255), supervision='block',
    ),
    'ade20k_block': Case(
        ('images/training/ADE_train_00000001.jpg',
         'annotations_block20/training/ADE_train_00000001.png'),
        ('images/validation/ADE_val_00000001.jpg',
         'annotations/validation/ADE_val_00000001.png'),
        raw=(0, 1, 150, 255), seen=(0, 149, 255),
        val_raw=(0, 1, 150), val_seen=(0, 149, 255), supervision='block',
    ),
    'coco14_tag': Case(
        ('train2014/COCO_train2014_000000000009.jpg', None),
        ('val2014/COCO_val2014_000000000042.jpg',
         'masks/val2014/COCO_val2014_000000000042.png'),
        seen=(255,), val_raw=(0, 80, 255), val_seen=(0, 80, 255),
        tags=(1, 80), classes=81, supervision='tag',
    ),
    'coco17_hybrid': Case(
        ('train2017/a.jpg', 'masks/train2017/a.png'),
        ('val2017/b.jpg', 'masks/val2017/b.png'),
        raw=(0, 80, 255), seen=(0, 80, 255), val_raw=(0, 80, 255),
        val_seen=(0, 80, 255), tags=(1, 80), classes=81,
        supervision='dense', lists={'hybrid_20k.txt': 'a dense\n'},
    ),
    'camvid_tile_hybrid': Case(
        ('train/images/a.png', 'train/masks/a.png'),
        ('val/images/b.png', 'val/masks/b.png'),
        raw=(0, 10, 255), seen=(0, 10, 255), val_raw=(0, 10, 255),
        val_seen=(0, 10, 255), tags=(0, 10), classes=11, background=None,
        supervision='dense', lists={'train/hybrid.txt': 'a dense\n'},
    ),
    'camvid_tile_tag': Case(
        ('train/images/a.png', None),
        ('val/images/b.png', 'val/masks/b.png'),
        val_raw=(0, 10, 255), val_seen=(0, 10, 255), seen=(255,),
        tags=(0, 10), classes=11, supervision='tag', background=None,
    ),
    'camvid_tile_tag_224': Case(
        ('train/images/a.png', None),
        ('val/images/b.png', 'val/masks/b.png'),
        val_raw=(0, 10, 255), val_seen=(0, 10, 255), seen=(255,),
        tags=(0, 10), classes=11, supervision='tag', background=None,
    ),
    'custom_sparse': Case(
        ('images/train/a.jpg', 'labels/train/a.png'),
        ('images/val/b.jpg', 'masks/val/b.png'),
        lists={'train.txt': 'a point object\n'}, tags=(1,), classes=2,
        supervision='point',
    ),
}  # fmt: skip

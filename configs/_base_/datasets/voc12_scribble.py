# PASCAL VOC 2012, trainaug images with the ScribbleSup scribbles.
#
# data/VOCdevkit/VOC2012/ is mmseg's folder; beside SegmentationClassAug lies
# ScribbleAug/, an 8-bit PNG an image: class index on the strokes, 255 = no
# label here. 0 is background and is labelled too. Validation reads the dense
# SegmentationClass only.
#
# The images' long side is 500 pixels nearly always, so that scale=(500, 500)
# resizes by the printed 0.5-2.0 of their own size and tests them at it.
# Padding is left to the data preprocessor: `Pad` would hide it from `valid`.
_base_ = 'mmseg::_base_/datasets/pascal_voc12.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 2.0),
         keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 512)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]  # fmt: skip
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(500, 500), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        data_prefix=dict(seg_map_path='ScribbleAug'),
        ann_file='ImageSets/Segmentation/trainaug.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice']),
    dict(type='BoundaryIoUMetric'),
]
test_evaluator = val_evaluator

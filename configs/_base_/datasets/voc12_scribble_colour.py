# The images and scribbles of voc12_scribble.py with mmseg's own pipelines: a
# short side of 512 resized by 0.5-2.0, crop, flip, photometric distortion.
# Multi-scale testing is 0.5-1.75 of that size, each with its mirror image;
# mmseg's own tta_pipeline scales the image as it is in the file.
_base_ = 'mmseg::_base_/datasets/pascal_voc12.py'
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        data_prefix=dict(seg_map_path='ScribbleAug'),
        ann_file='ImageSets/Segmentation/trainaug.txt',
    ),
)
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(int(2048 * ratio), int(512 * ratio)),
              keep_ratio=True)
         for ratio in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)],
        [dict(type='RandomFlip', prob=0.0, direction='horizontal'),
         dict(type='RandomFlip', prob=1.0, direction='horizontal')],
        [dict(type='LoadAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]  # fmt: skip
val_evaluator = [
    dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice']),
    dict(type='BoundaryIoUMetric'),
]
test_evaluator = val_evaluator

# COCO 2014 with image-level tags alone, 80 classes and the background.
#
# data/coco14/ holds train2014/ and val2014/ with the images, the tags of the
# training images in tags/train2014/labels.json (which lists the images too),
# and dense masks of the val images in masks/val2014/: 0 = background, 1..80
# the classes in order of their category ids. Samples have `gt_label`, and 255
# everywhere; those for validation tags too, from their masks.
dataset_type = 'SparseCOCODataset'
data_root = 'data/coco14'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    # 640 pixels is the long side of most images.
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.5, 2.0),
         keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 512)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSparseInputs'),
]  # fmt: skip
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(640, 640), keep_ratio=True),
    dict(type='LoadSparseAnnotations'),
    dict(type='PackSparseInputs', num_classes=81, background=0),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale_factor=ratio, keep_ratio=True)
         for ratio in (0.5, 0.75, 1.0, 1.25, 1.5)],
        [dict(type='RandomFlip', prob=0.0, direction='horizontal'),
         dict(type='RandomFlip', prob=1.0, direction='horizontal')],
        [dict(type='LoadSparseAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]  # fmt: skip
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        supervision='tag',
        data_root=data_root,
        data_prefix=dict(img_path='train2014'),
        ann_file='tags/train2014/labels.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        supervision='dense',
        data_root=data_root,
        data_prefix=dict(img_path='val2014', seg_map_path='masks/val2014'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

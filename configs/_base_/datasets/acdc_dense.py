# ACDC with dense masks: slices of cardiac MR, as convert_acdc writes them into
# data/acdc; 192x192 crops of slices whose longer side is 205 to 384.
dataset_type = 'SparseSegDataset'
data_root = 'data/acdc'
classes = ('background', 'right ventricle', 'myocardium', 'left ventricle')
crop_size = (192, 192)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='RandomResize', scale=(256, 256), ratio_range=(0.8, 1.5),
         keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]  # fmt: skip
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(256, 256), keep_ratio=True),
    dict(type='LoadSparseAnnotations'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(size, size), keep_ratio=True)
         for size in (192, 256, 320)],
        [dict(type='RandomFlip', prob=0.0, direction='horizontal'),
         dict(type='RandomFlip', prob=1.0, direction='horizontal')],
        [dict(type='LoadSparseAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]  # fmt: skip
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        classes=classes,
        supervision='dense',
        data_root=data_root,
        data_prefix=dict(img_path='images/train', seg_map_path='masks/train'),
        img_suffix='.png',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        classes=classes,
        supervision='dense',
        data_root=data_root,
        data_prefix=dict(img_path='images/val', seg_map_path='masks/val'),
        img_suffix='.png',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# Pixels of all slices are counted together, by VolumeMetric the voxels of
# each volume: patient021_frame01_slice_0 is the first slice of one.
val_evaluator = [
    dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice']),
    dict(type='BoundaryIoUMetric'),
    dict(type='VolumeMetric', pattern=r'(?P<volume>.+)_slice_(?P<slice>\d+)'),
]
test_evaluator = val_evaluator

# CamVid with points, by transforms that keep them; else as camvid_point.py.
_base_ = './camvid_point.py'
crop_size = (256, 256)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='SparseRandomResize', scale=(480, 360), ratio_range=(0.75, 2.0),
         keep_ratio=True),
    dict(type='SparseRandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]  # fmt: skip
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

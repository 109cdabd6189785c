# As camvid_tile_tag.py, with tiles enlarged to 168x224, multiples of a patch
# of 14 pixels.
_base_ = './camvid_tile_tag.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='RandomResize', scale=(224, 168), ratio_range=(1.0, 1.25),
         keep_ratio=True),
    dict(type='RandomCrop', crop_size=(168, 224)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSparseInputs'),
]  # fmt: skip
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 168), keep_ratio=True),
    dict(type='LoadSparseAnnotations'),
    dict(type='PackSparseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

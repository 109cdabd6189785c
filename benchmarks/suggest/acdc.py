"""DINOv2's maps of ACDC, for benchmark_suggest."""

_base_ = [
    '../../configs/_base_/models/segformer_dinov2-s_camvid.py',
    '../../configs/_base_/datasets/acdc_scribble.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
default_scope = 'mmseg'
model = dict(
    data_preprocessor=dict(size=(252, 252)),
    backbone=dict(stem_channels=None),
    decode_head=dict(
        in_channels=[384, 384],
        in_index=[0, 1],
        num_classes=4,
        norm_cfg=dict(_delete_=True, type='BN'),
    ),
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(252, 252), keep_ratio=False),
    dict(type='LoadSparseAnnotations'),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

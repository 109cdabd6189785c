# A MiT small enough for two CPU cores and 64x64 pixels: one layer a stage,
# keys reduced less, the last stage at 1/16 as the third.
_base_ = 'mmseg::_base_/models/segformer_mit-b0.py'
model = dict(
    data_preprocessor=dict(size=(64, 64)),
    backbone=dict(
        embed_dims=16,
        num_layers=(1, 1, 1, 1),
        strides=(4, 2, 2, 1),
        sr_ratios=(4, 2, 1, 1),
        drop_path_rate=0.0,
    ),
    decode_head=dict(
        in_channels=(16, 32, 80, 128),
        channels=64,
        num_classes=7,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)

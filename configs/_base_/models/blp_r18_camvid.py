# BLPHead of 64 channels on ResNet-18, as small runs on CamVid use it. Local
# aggregation compares 12 channels: 64 would cost more than all the rest.
_base_ = 'mmseg::_base_/models/upernet_r50.py'
model = dict(
    type='SparseEncoderDecoder',
    pretrained='open-mmlab://resnet18_v1c',
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(depth=18),
    decode_head=dict(
        type='BLPHead',
        in_channels=[64, 128, 256, 512],
        channels=64,
        num_classes=11,
        local_aggregation=dict(channels=12),
        loss_decode=dict(_delete_=True, type='BLPLoss'),
    ),
    auxiliary_head=None,
)

# BLPHead of 64 channels on MiT-B0, as small runs on CamVid use it. Local
# aggregation compares 12 channels: 64 would cost more than all the rest.
_base_ = './segformer_mit-b0_camvid.py'
model = dict(
    type='SparseEncoderDecoder',
    decode_head=dict(
        _delete_=True,
        type='BLPHead',
        in_channels=[32, 64, 160, 256],
        in_index=[0, 1, 2, 3],
        channels=64,
        num_classes=11,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        local_aggregation=dict(channels=12),
        loss_decode=dict(type='BLPLoss'),
    ),
)

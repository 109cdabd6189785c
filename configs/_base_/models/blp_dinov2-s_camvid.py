# BLPHead of 64 channels on the stem and a frozen DINOv2 ViT-S/14. As on
# MiT-B0, the head's own labels begin after a quarter of the iterations.
_base_ = './segformer_dinov2-s_camvid.py'
model = dict(
    type='SparseEncoderDecoder',
    decode_head=dict(
        _delete_=True,
        type='BLPHead',
        in_channels=[48, 96, 384, 384],
        in_index=[0, 1, 2, 3],
        channels=64,
        num_classes=11,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        local_aggregation=dict(channels=12),
        self_training_begin=250,
        loss_decode=dict(type='BLPLoss'),
    ),
)

# MiT-B0 with a 128-channel SegFormer head, as small runs on CamVid use it.
_base_ = 'mmseg::_base_/models/segformer_mit-b0.py'
model = dict(
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='data/weights/mit_b0_tinyimagenet.pth',
        )
    ),
    decode_head=dict(
        channels=128,
        num_classes=11,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)

# UPerNet with Swin-B, weights from ImageNet-22k, for the 21 classes of VOC.
_base_ = 'mmseg::_base_/models/upernet_swin.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/swin/swin_base_patch4_window7_224_22k_20220317-4f79f7c0.pth'
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        embed_dims=128,
        depths=[2, 2, 18, 2],
        num_heads=[4, 8, 16, 32],
    ),
    decode_head=dict(
        in_channels=[128, 256, 512, 1024],
        num_classes=21,
        loss_decode=dict(avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        in_channels=512,
        num_classes=21,
        loss_decode=dict(avg_non_ignore=True),
    ),
)

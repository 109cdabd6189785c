# SegFormer with MiT-B4 for the 21 classes of VOC. Patch strides 4, 2, 2, 1 as
# SASFormer's authors released it: stage 4 stays at 1/16 of the image.
_base_ = 'mmseg::_base_/models/segformer_mit-b0.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b4_20220624-d588d980.pth'
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        embed_dims=64,
        num_layers=[3, 8, 27, 3],
        strides=[4, 2, 2, 1],
    ),
    decode_head=dict(
        in_channels=[64, 128, 320, 512],
        num_classes=21,
        loss_decode=dict(avg_non_ignore=True),
    ),
)

# AFA: MiT-B1 with AFAHead, for the 21 classes of VOC. Patch strides 4, 2, 2,
# 1: stage 4 stays at 1/16 of the image; it has 2 layers of 8 attention heads.
_base_ = 'mmseg::_base_/models/segformer_mit-b0.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b1_20220624-02e5a6a1.pth'
model = dict(
    type='AFASegmentor',
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        embed_dims=64,
        strides=[4, 2, 2, 1],
    ),
    decode_head=dict(
        type='AFAHead',
        in_channels=[64, 128, 320, 512],
        num_classes=21,
        attention_heads=16,
        affinity_weight=0.1,
        loss_decode=dict(
            _delete_=True, type='BalancedCrossEntropyLoss', loss_weight=0.1
        ),
    ),
    # 1e-7 to bring the energy to the size of the others, and 0.01 of eq. 12.
    regularizers=[
        dict(type='DenseCRFLoss', loss_weight=1e-9, loss_name='loss_reg')
    ],
)

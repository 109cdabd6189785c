# SETR-PUP with ViT-L/16 for the 21 classes of VOC. The weights are those
# that mmseg converted for Segmenter (ViT-L/16, 384 pixels), with the mean and
# standard deviation that they were trained with; mmseg's own SETR configs
# want a file that the user has to convert.
_base_ = 'mmseg::_base_/models/setr_pup.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segmenter/vit_large_p16_384_20220308-d4efb41d.pth'
model = dict(
    data_preprocessor=dict(size=(512, 512), mean=[127.5] * 3, std=[127.5] * 3),
    pretrained=None,
    backbone=dict(
        img_size=(512, 512),
        drop_rate=0.0,
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
    ),
    decode_head=dict(num_classes=21, loss_decode=dict(avg_non_ignore=True)),
    auxiliary_head=[
        dict(
            type='SETRUPHead',
            in_channels=1024,
            channels=256,
            in_index=index,
            num_classes=21,
            dropout_ratio=0,
            norm_cfg=dict(type='SyncBN', requires_grad=True),
            num_convs=1,
            up_scale=4,
            kernel_size=3,
            align_corners=False,
            loss_decode=dict(
                type='CrossEntropyLoss', loss_weight=0.4, avg_non_ignore=True
            ),
        )
        for index in range(3)
    ],
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)

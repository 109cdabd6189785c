# largefov_r101_voc12.py on VGG16, as the first DeepLab has it; 81 classes.
_base_ = './largefov_r101_voc12.py'
model = dict(
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='DilatedVGG',
        depth=16,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth',
        ),
    ),
    decode_head=dict(in_channels=512, in_index=0, num_classes=81),
)

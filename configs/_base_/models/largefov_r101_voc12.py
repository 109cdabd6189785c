# After DeepLabV1: ResNet-101 at 1/8 of the image and a field of view that is
# large by a 3x3 convolution of dilation 12 to 1024 channels; two of them, one
# for masks and one for pseudo labels. 21 classes.
_base_ = 'mmseg::_base_/models/fcn_r50-d8.py'
model = dict(
    type='DualBranchEncoderDecoder',
    pretrained='open-mmlab://resnet101_v1c',
    data_preprocessor=dict(size=(328, 328)),
    backbone=dict(depth=101),
    decode_head=dict(
        num_convs=1,
        dilation=12,
        channels=1024,
        concat_input=False,
        num_classes=21,
        loss_decode=dict(avg_non_ignore=True),
    ),
    auxiliary_head=None,
)

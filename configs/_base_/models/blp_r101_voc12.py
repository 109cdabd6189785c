# BLPSeg: UPerNet with ResNet-101 and BLPHead, for the 21 classes of VOC. Its
# own labels as in the paper and its authors' release.
_base_ = 'mmseg::_base_/models/upernet_r50.py'
model = dict(
    type='SparseEncoderDecoder',
    pretrained='open-mmlab://resnet101_v1c',
    data_preprocessor=dict(size=(384, 384)),
    backbone=dict(depth=101),
    decode_head=dict(
        type='BLPHead',
        num_classes=21,
        self_training_begin=10000,
        self_training_confidence=0.9,
        self_training_normalizer='joint',
        self_training_sample=None,
        loss_decode=dict(_delete_=True, type='BLPLoss'),
    ),
    auxiliary_head=None,
)

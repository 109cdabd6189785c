# DeepLabV3+ with ResNet-50 at stride 8 for the 21 classes of VOC.
_base_ = 'mmseg::_base_/models/deeplabv3plus_r50-d8.py'
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=21, loss_decode=dict(avg_non_ignore=True)),
    auxiliary_head=dict(num_classes=21, loss_decode=dict(avg_non_ignore=True)),
)

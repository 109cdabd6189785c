# A classifier of the 20 tags of VOC, for activation maps: ResNet-50 at 1/16 of
# the image with average pooling. AFAHead's decoder comes with it and learns
# nothing: the segmentation begins after the training ends.
_base_ = 'mmseg::_base_/models/fcn_r50-d8.py'
model = dict(
    type='AFASegmentor',
    data_preprocessor=dict(size=(328, 328)),
    backbone=dict(dilations=(1, 1, 1, 2), strides=(1, 2, 2, 1)),
    decode_head=dict(
        _delete_=True,
        type='AFAHead',
        in_channels=[256, 512, 1024, 2048],
        in_index=[0, 1, 2, 3],
        channels=256,
        num_classes=21,
        attention_heads=None,
        pooling='gap',
    ),
    auxiliary_head=None,
    propagation=None,
    label_refiner=False,
    segmentation_begin=10**9,
    propagation_begin=10**9,
)

# mmseg's UNet with 16 base channels, as is usual on ACDC, from scratch. It
# halves the image four times: slices are padded to multiples of 16 in testing.
_base_ = 'mmseg::_base_/models/fcn_unet_s5-d16.py'
model = dict(
    data_preprocessor=dict(size=(192, 192), test_cfg=dict(size_divisor=16)),
    backbone=dict(base_channels=16),
    decode_head=dict(
        in_channels=16,
        channels=16,
        num_classes=4,
        loss_decode=dict(avg_non_ignore=True),
    ),
    auxiliary_head=None,
    test_cfg=dict(_delete_=True, mode='whole'),
)

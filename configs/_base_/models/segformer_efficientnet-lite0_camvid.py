# An example of timm's networks: EfficientNet-Lite0 by mmseg's TIMMBackbone,
# which needs timm, below the head of MiT-B0. With pretrained=True timm fetches
# its ImageNet weights, which want images normalised as here.
_base_ = './segformer_mit-b0_camvid.py'
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='TIMMBackbone',
        model_name='tf_efficientnet_lite0',
        pretrained=False,
        out_indices=(1, 2, 3, 4),
    ),
    decode_head=dict(in_channels=[24, 40, 112, 320]),
)

# AFAHead on the MiT of the toy shapes. Stages 3 and 4 are at 1/8 of the image:
# 1/16 of 64 pixels would be 4 tokens a side. PAR works at the full size. Its
# distances and the radius are about as long, measured in images, as on crops
# of 320 and 512. Training shows one size, which the largest scale must be.
_base_ = './segformer_mit-tiny_toy.py'
model = dict(
    type='AFASegmentor',
    backbone=dict(strides=(4, 2, 1, 1)),
    decode_head=dict(
        type='AFAHead',
        attention_heads=8,
        scaled_attention=True,
        loss_decode=dict(
            _delete_=True, type='BalancedCrossEntropyLoss', loss_weight=0.1
        ),
    ),
    label_refiner=dict(type='PixelAdaptiveRefinement', dilations=(1, 2, 4, 8)),
    refine_scale=1.0,
    cam_scales=(1.0, 0.5),
    radius=2,
    test_cfg=dict(pseudo_labels=True),
)

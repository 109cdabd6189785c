# AFAHead of 128 channels on MiT-B0, for tiles of CamVid. It has no background.
# Stage 4 stays at 1/16 of the image; it has 2 layers of 8 attention heads. The
# radius is a quarter of its 8x10 tokens, as 8 is of the 32x32 of a 512 crop.
# PAR sees tiles of 60x80: of the paper's dilations, 1, 2 and 4 are left.
_base_ = './segformer_mit-b0_camvid.py'
model = dict(
    type='AFASegmentor',
    data_preprocessor=dict(size=(120, 160)),
    backbone=dict(strides=[4, 2, 2, 1]),
    decode_head=dict(
        type='AFAHead',
        background=None,
        attention_heads=16,
        loss_decode=dict(
            _delete_=True,
            type='BalancedCrossEntropyLoss',
            background=None,
            loss_weight=0.1,
        ),
    ),
    label_refiner=dict(type='PixelAdaptiveRefinement', dilations='auto'),
    radius=2,
    test_cfg=dict(pseudo_labels=True),
)

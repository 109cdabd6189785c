# AFAHead of 96 channels on the stem and a frozen DINOv2 ViT-S/14, for tiles of
# CamVid at 168x224: 12x16 tokens, and whole tokens at scales 0.5 and 1.5, too.
# The classifier sees the last layer. The affinity learns weights of the 12
# heads of two layers. Tiles are cropped at random, so that no maps are kept.
_base_ = './segformer_dinov2-s_camvid.py'
model = dict(
    type='AFASegmentor',
    data_preprocessor=dict(size=(168, 224)),
    backbone=dict(cache_dir=None, attention_layers=(3, 4)),
    decode_head=dict(
        type='AFAHead',
        background=None,
        attention_stage=0,
        attention_heads=12,
        loss_decode=dict(
            _delete_=True,
            type='BalancedCrossEntropyLoss',
            background=None,
            loss_weight=0.1,
        ),
    ),
    label_refiner=dict(type='PixelAdaptiveRefinement', dilations='auto'),
    radius=3,
    test_cfg=dict(pseudo_labels=True),
)

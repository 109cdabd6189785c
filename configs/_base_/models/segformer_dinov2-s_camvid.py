# DINOv2's ViT-S/14, frozen, and a stem that sees the image at strides 4 and 8;
# SegFormer's head reads both. Layers 6 and 12 are kept on disk, so that the
# transformer runs once an image: 1.3 MB for an image of 364x490, delete the
# folder to free the space. The weights: see docs/datasets.md.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(364, 490),
    ),
    backbone=dict(
        type='FrozenBackbone',
        cache_dir='work_dirs/features',
        autocast='bfloat16',
        stem_channels=(48, 96),
        norm_cfg=norm_cfg,
        backbone=dict(
            type='VisionTransformer',
            img_size=518,
            patch_size=14,
            embed_dims=384,
            num_layers=12,
            num_heads=6,
            mlp_ratio=4,
            qkv_bias=True,
            final_norm=True,
            norm_cfg=dict(type='LN', eps=1e-6),
            interpolate_mode='bicubic',
            out_indices=(5, 11),
            init_cfg=dict(
                type='Pretrained',
                checkpoint='data/weights/vit_s14_dinov2.pth',
            ),
        ),
    ),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[48, 96, 384, 384],
        in_index=[0, 1, 2, 3],
        channels=96,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

# A DCTN small enough for a CPU and 64x64 pixels, for 7 classes.
_base_ = './dctn_svt-s.py'
widths = (16, 32, 64, 64)
model = dict(
    data_preprocessor=dict(size=(64, 64)),
    backbone=dict(
        heatmap_channels=7,
        low_channels=16,
        embed_dims=widths,
        num_heads=(1, 2, 4, 4),
        mlp_ratios=(2, 2, 2, 2),
        depths=(2, 2, 2, 2),
        sr_ratios=(4, 2, 1, 1),
        drop_path_rate=0.0,
        stream_init_cfg=None,
    ),
    decode_head=dict(in_channels=widths, low_channels=16, num_classes=7),
)

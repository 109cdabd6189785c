# Table 5, row 3.
_base_ = '../dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=2048,
            feature_from='decode_head.fpn_bottleneck',
            kernel=('xy', 'feature'),
        )
    ]
)

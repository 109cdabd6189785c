# Table 4, row 3: without the feature regularized loss.
_base_ = '../dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=2048,
            feature_from='decode_head.fpn_bottleneck',
            feature_loss_weight=(0.001, 0.0),
        )
    ]
)

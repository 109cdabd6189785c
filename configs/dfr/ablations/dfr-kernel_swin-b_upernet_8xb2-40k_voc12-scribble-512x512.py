# Table 4, row 2: no feature head. The kernel has the shared feature itself,
# 2048 channels, and the paper's sigma_feature of 50.
_base_ = '../dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='DFRLoss',
            feature_from='decode_head.fpn_bottleneck',
            feature_channels=None,
            feature_loss_weight=0.0,
        )
    ]
)

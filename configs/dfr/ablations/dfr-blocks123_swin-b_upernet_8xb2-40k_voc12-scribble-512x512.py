# Table 6: of the pyramid's four levels, only these make up the shared feature.
_base_ = '../dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    decode_head=dict(type='FusedLevelsUPerHead', levels=(0, 1, 2)),
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=1536,
            feature_from='decode_head.fpn_bottleneck',
        )
    ],
)

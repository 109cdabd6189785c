# Table 7, row 1: the scribbles supervise the head.
_base_ = '../dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=2048,
            feature_from='decode_head.fpn_bottleneck',
            supervision='labels',
        )
    ]
)

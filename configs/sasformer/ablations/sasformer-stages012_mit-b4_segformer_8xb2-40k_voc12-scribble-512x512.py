# Table 3, exp7.
_base_ = '../sasformer_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='AttentionAffinityLoss',
            stages=(0, 1, 2),
            loss_weight=1.2,
        )
    ]
)

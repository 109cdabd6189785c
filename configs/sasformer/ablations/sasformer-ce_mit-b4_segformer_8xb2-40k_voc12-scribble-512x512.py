# Table 5, CE.
_base_ = '../sasformer_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='AttentionAffinityLoss',
            distance='ce',
            loss_weight=1.2,
        )
    ]
)

# A control: attention to all positions alike.
_base_ = '../sasformer_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py'
model = dict(
    regularizers=[
        dict(type='AttentionAffinityLoss', loss_weight=1.2, uniform=True)
    ]
)

# The deep feature in the kernel, no loss of its own: row 2 of table 4.
_base_ = '../dfr_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py'
model = dict(
    regularizers=[
        dict(
            type='DFRLoss',
            feature_channels=None,
            feature_loss_weight=0.0,
            background=None,
        )
    ]
)

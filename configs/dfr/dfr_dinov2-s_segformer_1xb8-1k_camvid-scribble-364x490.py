# F has a quarter of the head's 96 channels; sigma_feature is 50 for 128
# channels and grows with the root of their number.
_base_ = (
    '../baselines/ce_dinov2-s_segformer_1xb8-1k_camvid-scribble-364x490.py'
)
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=96,
            feature_channels=24,
            sigma_feature=21.7,
            background=None,
        )
    ],
)

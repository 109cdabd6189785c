# F has a quarter of the head's 128 channels; sigma_feature is 50 for 128
# channels and grows with the root of their number.
_base_ = '../baselines/ce_mit-b0_segformer_1xb8-1k_acdc-scribble-192x192.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=128,
            feature_channels=32,
            sigma_feature=25.0,
        )
    ],
)

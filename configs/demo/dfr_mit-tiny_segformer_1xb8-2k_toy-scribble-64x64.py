# F has a quarter of the head's 64 channels; sigma_feature is 50 for 128
# channels and grows with the root of their number.
_base_ = './ce_mit-tiny_segformer_1xb8-2k_toy-scribble-64x64.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=64,
            feature_channels=16,
            sigma_feature=17.7,
        )
    ],
)

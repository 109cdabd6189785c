# Colours as in the paper; its 1 for the feature would leave that tree idle.
_base_ = './ce_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[dict(type='TreeEnergyLoss', sigma_feature=10.0)],
)

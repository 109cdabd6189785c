# Colours as in the paper; its 1 for the feature would leave that tree idle.
_base_ = './ce_mit-tiny_segformer_1xb8-2k_toy-scribble-64x64.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[dict(type='TreeEnergyLoss', sigma_feature=10.0)],
)

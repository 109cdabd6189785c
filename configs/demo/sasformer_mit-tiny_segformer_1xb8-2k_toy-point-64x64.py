_base_ = './ce_mit-tiny_segformer_1xb8-2k_toy-point-64x64.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[dict(type='AttentionAffinityLoss', loss_weight=0.2)],
)

_base_ = '../baselines/ce_mit-b0_segformer_1xb8-1k_acdc-scribble-192x192.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[dict(type='AttentionAffinityLoss', loss_weight=1.2)],
)

# BLPSeg's head with its own labels, and SASFormer's loss.
_base_ = '../blpseg/blpseg_mit-b0_upernet_1xb8-1k_acdc-scribble-192x192.py'
model = dict(
    regularizers=[dict(type='AttentionAffinityLoss', loss_weight=1.2)],
)

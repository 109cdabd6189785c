_base_ = '../baselines/ce_vit-l_setr-pup_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[
        dict(type='AttentionAffinityLoss', stages=(0,), loss_weight=1.2)
    ],
)

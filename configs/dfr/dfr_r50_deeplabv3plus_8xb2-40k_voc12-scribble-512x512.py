_base_ = '../baselines/ce_r50_deeplabv3plus_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[dict(type='DFRLoss', in_channels=512)],
)

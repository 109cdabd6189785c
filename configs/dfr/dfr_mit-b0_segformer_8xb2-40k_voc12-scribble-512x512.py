_base_ = '../baselines/ce_mit-b0_segformer_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[dict(type='DFRLoss', in_channels=256)],
)

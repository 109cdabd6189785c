_base_ = '../baselines/ce_mit-b0_segformer_1xb8-2k_camvid-point-256x256.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[dict(type='DFRLoss', in_channels=128, background=None)],
)

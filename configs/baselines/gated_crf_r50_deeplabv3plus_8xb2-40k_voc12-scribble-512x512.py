_base_ = './ce_r50_deeplabv3plus_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    type='SparseEncoderDecoder',
    regularizers=[
        dict(
            type='GatedCRFLoss',
            kernels=[
                dict(weight=0.9, sigma_xy=6.0, sigma_rgb=0.5),
                dict(weight=0.1, sigma_xy=6.0),
            ],
        )
    ],
)

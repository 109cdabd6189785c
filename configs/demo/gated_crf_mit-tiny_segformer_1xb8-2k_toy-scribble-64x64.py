# RGBXY and XY kernels; DFR's sigmas and weight, so that the two compare.
_base_ = './ce_mit-tiny_segformer_1xb8-2k_toy-scribble-64x64.py'
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

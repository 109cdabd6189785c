# RGBXY and XY kernels; DFR's sigmas and weight, so that the two compare.
_base_ = './ce_unet-16_fcn_1xb8-6k_acdc-scribble-192x192.py'
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

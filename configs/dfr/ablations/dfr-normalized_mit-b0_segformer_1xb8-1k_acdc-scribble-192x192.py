# sigma_feature in units of F's own spread, so that the kernel sees F, and the
# head's learning rate for the convolution that makes F.
_base_ = '../dfr_mit-b0_segformer_1xb8-1k_acdc-scribble-192x192.py'
model = dict(
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=128,
            feature_channels=32,
            sigma_feature=1.0,
            normalize_feature=True,
        )
    ],
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'regularizers': dict(lr_mult=5.0)})
)

# Table 10, lambda_3, times 1e-7.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(
    regularizers=[
        dict(type='DenseCRFLoss', loss_weight=2e-9, loss_name='loss_reg')
    ]
)

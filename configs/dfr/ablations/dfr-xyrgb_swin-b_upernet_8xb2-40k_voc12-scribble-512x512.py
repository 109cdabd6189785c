# Table 5, row 2; no deep feature, so no head: Gated CRF.
_base_ = '../dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py'
model = dict(
    regularizers=[
        dict(
            type='DFRLoss',
            kernel=('xy', 'rgb'),
        )
    ]
)

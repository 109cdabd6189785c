# Table II: focal loss.
_base_ = '../blpseg_r101_upernet_2xb5-42k_voc12-scribble-384x384.py'
model = dict(
    decode_head=dict(
        scribble_loss=False,
        loss_decode=dict(_delete_=True, type='PartialFocalLoss'),
    )
)

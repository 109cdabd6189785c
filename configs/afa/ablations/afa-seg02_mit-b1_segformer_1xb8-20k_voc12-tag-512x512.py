# Table 10, lambda_1.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(decode_head=dict(loss_decode=dict(loss_weight=0.2)))

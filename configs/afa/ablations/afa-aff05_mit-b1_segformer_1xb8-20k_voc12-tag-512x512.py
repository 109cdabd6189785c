# Table 10, lambda_2.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(decode_head=dict(affinity_weight=0.5))

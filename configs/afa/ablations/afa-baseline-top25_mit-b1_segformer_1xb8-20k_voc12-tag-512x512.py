# Table 1.
_base_ = './afa-baseline-pseudo_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(decode_head=dict(pooling=0.25))

# Table 2, row 2, and table 3 without AFA: no affinity, no L_reg.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(
    propagation=None,
    decode_head=dict(attention_heads=None),
    regularizers=[],
)

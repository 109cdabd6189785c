# Table 2, row 1: activation maps are the labels.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(
    label_refiner=False,
    propagation=None,
    decode_head=dict(attention_heads=None),
    regularizers=[],
)

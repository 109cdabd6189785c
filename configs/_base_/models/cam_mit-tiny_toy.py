# The classifier alone of afa_mit-tiny_toy.py: nothing else begins.
_base_ = './afa_mit-tiny_toy.py'
model = dict(
    decode_head=dict(attention_heads=None),
    label_refiner=False,
    propagation=None,
    segmentation_begin=10**9,
    propagation_begin=10**9,
    test_cfg=dict(pseudo_labels=False),
)

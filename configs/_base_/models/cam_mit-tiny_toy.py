# The classifier alone of afa_mit-tiny_toy.py: nothing else begins.
_base_ = './afa_mit-tiny_toy.py'
model = dict(
    decode_head=dict(attention_heads=None),
    label_refiner=False,
    propagation=None,
    cam_scales=(1.0, 0.5, 1.5),
    segmentation_begin=10**9,
    propagation_begin=10**9,
    test_cfg=dict(pseudo_labels=False),
)

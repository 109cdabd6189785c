# Table 6, last row: predictions refined by a dense CRF, at half the size.
_base_ = '../afa_mit-b1_segformer_1xb8-80k_coco14-tag-512x512.py'
model = dict(test_cfg=dict(refiner=dict(type='DenseCRF', scale=0.5)))

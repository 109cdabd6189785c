# Table 2, last row: predictions refined by a dense CRF, at half the size.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(test_cfg=dict(refiner=dict(type='DenseCRF', scale=0.5)))

# Table VII, with CRF: predictions refined at half the size.
_base_ = '../blpseg_r101_upernet_2xb5-42k_voc12-scribble-384x384.py'
model = dict(test_cfg=dict(refiner=dict(type='DenseCRF', scale=0.5)))

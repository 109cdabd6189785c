# Table VIII, with CRF: predictions refined at half the size.
_base_ = '../blpseg_r101_upernet_2xb5-20k_pcontext60-scribble-384x384.py'
model = dict(test_cfg=dict(refiner=dict(type='DenseCRF', scale=0.5)))

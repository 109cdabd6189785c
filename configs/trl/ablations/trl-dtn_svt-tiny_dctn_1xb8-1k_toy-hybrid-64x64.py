# Table 3, DTN: streams that do not cross.
_base_ = '../stages/trl-dctn1_svt-tiny_dctn_1xb8-1k_toy-hybrid-64x64.py'
model = dict(backbone=dict(with_cross=False))

# Table 3: no warm-up module.
_base_ = '../stages/trl-dctn1_svt-tiny_dctn_1xb8-1k_toy-hybrid-64x64.py'
model = dict(backbone=dict(warm_up=False))

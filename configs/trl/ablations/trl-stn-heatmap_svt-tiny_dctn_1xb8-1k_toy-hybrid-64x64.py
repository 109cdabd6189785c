# Table 2: one stream, of the heat maps.
_base_ = '../stages/trl-dctn1_svt-tiny_dctn_1xb8-1k_toy-hybrid-64x64.py'
model = dict(backbone=dict(streams=('heatmap',)))

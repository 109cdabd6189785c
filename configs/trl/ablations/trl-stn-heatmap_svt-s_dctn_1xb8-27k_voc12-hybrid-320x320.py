# Table 2: one stream, of the heat maps.
_base_ = '../stages/trl-dctn1_svt-s_dctn_1xb8-27k_voc12-hybrid-320x320.py'
model = dict(backbone=dict(streams=('heatmap',)))

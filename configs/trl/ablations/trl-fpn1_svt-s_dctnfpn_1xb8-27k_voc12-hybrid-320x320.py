# Table 3: FPN in the first round.
_base_ = '../stages/trl-dctn1_svt-s_dctn_1xb8-27k_voc12-hybrid-320x320.py'
model = dict(decode_head=dict(type='DCTNFPNHead'))

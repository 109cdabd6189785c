_base_ = './trl-dctn1_svt-s_dctn_1xb8-75k_coco17-hybrid-320x320.py'
model = dict(decode_head=dict(type='DCTNFPNHead'))

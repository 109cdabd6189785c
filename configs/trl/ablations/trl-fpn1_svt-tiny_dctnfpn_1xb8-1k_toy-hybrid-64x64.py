# Table 3: FPN in the first round.
_base_ = '../stages/trl-dctn1_svt-tiny_dctn_1xb8-1k_toy-hybrid-64x64.py'
model = dict(
    decode_head=dict(type='DCTNFPNHead', fpn_channels=32, channels=32)
)

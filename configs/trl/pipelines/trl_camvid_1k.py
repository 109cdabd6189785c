# TRL on tiles of CamVid in about half an hour on one core: half the iterations
# of trl_camvid.py, half the batch of DCTN, activation maps of two scales.
split = 'data/camvid_tiles/train/hybrid.txt'
dense_masks = 'data/camvid_tiles/train/masks'
background = None
classifier = '../stages/trl-classifier_mit-b0_segformer_1xb8-1k_camvidtile-hybrid-120x160.py'  # noqa: E501
dctn1 = (
    '../stages/trl-dctn1_svt-tiny_dctn_1xb4-1k_camvidtile-hybrid-120x160.py'
)
dctn2 = (
    '../stages/trl-dctn2_svt-tiny_dctnfpn_1xb4-1k_camvidtile-hybrid-120x160.py'
)
final = '../trl_mit-b0_segformer_1xb8-1k_camvidtile-hybrid-120x160.py'

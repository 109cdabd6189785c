# Table 3: FPN in the first round.
split = 'work_dirs/toy_hybrid/hybrid.txt'
shared = 'work_dirs/trl_toy'
dense_masks = 'work_dirs/toy_hybrid/masks/train'
classifier = (
    '../stages/trl-classifier_mit-tiny_segformer_1xb8-2k_toy-hybrid-64x64.py'
)
dctn1 = './trl-fpn1_svt-tiny_dctnfpn_1xb8-1k_toy-hybrid-64x64.py'

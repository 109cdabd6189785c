# TRL on COCO 2017: 20k strong images, 98k weak ones, whose masks measure the
# pseudo labels and teach nothing.
split = 'data/coco17/hybrid_20k.txt'
dense_masks = 'data/coco17/masks/train2017'
classifier = (
    '../stages/trl-classifier_r50_segformer_1xb16-75k_coco17-hybrid-328x328.py'
)
dctn1 = '../stages/trl-dctn1_svt-s_dctn_1xb8-75k_coco17-hybrid-320x320.py'
dctn2 = '../stages/trl-dctn2_svt-s_dctnfpn_1xb8-75k_coco17-hybrid-320x320.py'
final = '../trl_r101_fcn_1xb4-296k_coco17-hybrid-328x328.py'

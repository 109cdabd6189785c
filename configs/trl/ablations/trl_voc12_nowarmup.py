# Table 3: no warm-up module.
split = 'data/VOCdevkit/VOC2012/ImageSets/Segmentation/hybrid_1464.txt'
shared = 'work_dirs/trl_voc12'
dense_masks = 'data/VOCdevkit/VOC2012/SegmentationClassAug'
classifier = (
    '../stages/trl-classifier_r50_segformer_1xb16-10k_voc12-hybrid-328x328.py'
)
dctn1 = './trl-nowarmup_svt-s_dctn_1xb8-27k_voc12-hybrid-320x320.py'

"""A detector for each class of a labelled data set; `aegmm_detect.od` offers it."""

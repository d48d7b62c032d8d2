"""One file for each box: features, rules, models, imbalance, calibration, decision."""

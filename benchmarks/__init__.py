"""Measured comparisons with peers and floors; each module prints ratios taken in one run."""

"""Measures of runs, the denoising report, the tables and figures of the paper."""

"""Measures of runs, the report on denoising, and the tables and figures of the paper."""

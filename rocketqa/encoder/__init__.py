"""The ERNIE encoder without arithmetic on padding: its layers, packed rows, CPU kernels."""

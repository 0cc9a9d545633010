"""ERNIE without arithmetic on padding: the layer, packed rows, and the CPU kernels between its products."""

"""Training: the sampling of its rows, schedule, batches, loop, optimizer, log, dev measure."""

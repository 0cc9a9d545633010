"""The training loop: schedule, batches, optimizer, log, and the measure on a dev set."""

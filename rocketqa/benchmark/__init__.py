"""What `rocketqa benchmark` measures: speed, memory, search, the building of data."""

"""What `rocketqa benchmark` measures, and the contenders that it compares with."""

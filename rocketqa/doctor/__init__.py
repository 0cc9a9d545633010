"""The checks of `rocketqa doctor`: what this machine really does, measured in small."""

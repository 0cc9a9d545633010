"""The encoders in use: the inference engine, and exported graphs for deployment."""

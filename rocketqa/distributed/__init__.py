"""The processes of a launch: who they are, and how they notice that one has failed."""

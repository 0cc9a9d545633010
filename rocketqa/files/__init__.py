"""What lies between the verbs: tab-separated files, runs, collections, and everything that can be wrong with them."""

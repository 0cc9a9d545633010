"""Texts to token ids: the tokenizer, and stores of texts that were tokenised once."""

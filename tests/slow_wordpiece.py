"""Google BERT's tokenizer, written out slowly: what our WordPiece must equal."""

import unicodedata


def google_bert(text: str, vocabulary: dict[str, int]) -> list[int]:
    """Google BERT's BasicTokenizer and WordpieceTokenizer, as the released code has them."""
    pieces = []
    for word in words_of(text):
        pieces += pieces_of(word, vocabulary)
    return pieces


def words_of(text: str) -> list[str]:
    """Returns the lower-case words and punctuation marks of a text, without accents."""
    words = ""
    for token in cleaned(text).split():
        for char in unicodedata.normalize("NFD", token.lower()):
            is_ascii_symbol = ord(char) < 128 and not char.isalnum()
            category = unicodedata.category(char)
            if is_ascii_symbol or category.startswith("P"):
                words += f" {char} "
            elif category != "Mn":
                words += char
        words += " "
    return words.split()


def cleaned(text: str) -> str:
    """Returns a text without control characters, with spaces around Chinese characters.

    Blanks of every kind become spaces.
    """
    characters = ""
    for char in text:
        category = unicodedata.category(char)
        if char in " \t\n\r" or category == "Zs":
            characters += " "
        elif ord(char) not in (0, 0xFFFD) and not category.startswith("C"):
            is_chinese = 0x4E00 <= ord(char) <= 0x9FFF
            characters += f" {char} " if is_chinese else char
    return characters


def pieces_of(word: str, vocabulary: dict[str, int]) -> list[int]:
    """Returns the longest pieces of a word from its begin on; [UNK] where one is missing."""
    pieces = []
    begin = 0
    while begin < len(word):
        prefix = "##" if begin else ""
        ends = range(len(word), begin, -1)
        known = [end for end in ends if prefix + word[begin:end] in vocabulary]
        if not known or len(word) > 100:
            return [vocabulary["[UNK]"]]
        pieces.append(vocabulary[prefix + word[begin : known[0]]])
        begin = known[0]
    return pieces

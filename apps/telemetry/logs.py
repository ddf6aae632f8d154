"""Cutting a log's bytes into text."""

import codecs


def whole_text(data: bytes, *, final: bool) -> tuple[str, int]:
    """The text of the bytes and how many of them it took.

    A character that is cut off at the end is left for the next piece, unless there is none. Bytes
    that are no text show as replacement characters: a log may hold anything.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=final)
    pending, _ = decoder.getstate()
    return text, len(data) - len(pending)

"""How bytes of unknown origin are handed to a browser without doing anything there."""

import unicodedata
from urllib.parse import quote

# what a browser only ever draws; everything else is a file to save
INLINE_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"}
)
_BY_ENDING = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "bmp": "image/bmp",
}
MAX_NAME_CHARACTERS = 150
_ASCII_NAME = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$&+-.^_`|~()[]{}@=,"
)


def media_type_of(path: str) -> str:
    """A picture's type by its ending, "" for everything else."""
    return _BY_ENDING.get(path.rpartition(".")[2].lower(), "")


def content_type(media_type: str) -> str:
    """The type to declare: a picture's own, else one that no browser opens."""
    return media_type if media_type in INLINE_TYPES else "application/octet-stream"


def content_disposition(filename: str, media_type: str) -> str:
    """The header of RFC 6266, with the name in ASCII and, where it differs, in UTF-8 too."""
    kind = "inline" if media_type in INLINE_TYPES else "attachment"
    name = safe_name(filename)
    if not name:
        return kind
    plain = "".join(c if c in _ASCII_NAME else "_" for c in name)
    header = f'{kind}; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def safe_name(filename: str) -> str:
    """A name that cannot leave its folder, break a header or disguise what it is."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    # categories C: control, format (turns the direction of writing), unassigned; Z: odd spaces
    kept = "".join(c for c in last if c == " " or unicodedata.category(c)[0] not in "CZ")
    name = kept.strip(" .")
    if len(name) > MAX_NAME_CHARACTERS:  # keep the end: it says what kind of file it is
        stem, dot, extension = name.rpartition(".")
        ending = dot + extension[:20] if stem else ""
        name = name[: MAX_NAME_CHARACTERS - len(ending)] + ending
    return name

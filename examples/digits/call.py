"""How good an endpoint is, seen from outside: held-out digits, one HTTP call each.

    python call.py URL KEY digits.zip [COUNT]

Standard library only. Prints {"accuracy": ..., "calls": ..., "endpoint": ...}.
"""

import json
import random
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import PurePosixPath


def main(url: str, key: str, archive: str, count: int = 500) -> None:
    """Send ``count`` pictures of the archive's test folder, picked with a fixed seed."""
    with zipfile.ZipFile(archive) as digits:
        held_out = sorted(
            name
            for name in digits.namelist()
            if "test" in PurePosixPath(name).parts and name.endswith(".png")
        )
        chosen = random.Random(0).sample(held_out, count)
        right = sum(
            predicted(url, key, digits.read(name)) == PurePosixPath(name).parent.name
            for name in chosen
        )
    print(json.dumps({"accuracy": right / count, "calls": count, "endpoint": url}))  # noqa: T201


def predicted(url: str, key: str, picture: bytes) -> str:
    request = urllib.request.Request(
        url,
        data=picture,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "image/png"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            (prediction,) = json.load(answer)["predictions"]
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{error.code}: {error.read().decode('utf-8', 'replace')}") from None
    return str(prediction["label"])


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:4], *map(int, sys.argv[4:5]))

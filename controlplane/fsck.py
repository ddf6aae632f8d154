"""Whether rows and bytes agree, and bytes with their names: `python -m controlplane.fsck`.

Changes nothing. Ends with 1 where something is missing or damaged.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")
django.setup()

from django.utils import timezone  # noqa: E402  what follows needs Django set up

from apps.artifacts import services as artifacts  # noqa: E402
from apps.audit import services as audit  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m controlplane.fsck", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="compare sizes, and hash nothing")
    options = parser.parse_args()
    findings = artifacts.check_store(hashing=not options.fast)
    chain = audit.verify_chain(at=timezone.now())
    sys.stdout.write(json.dumps(asdict(findings) | {"audit_fault": chain.fault}) + "\n")
    if findings.mismatches or chain.fault:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

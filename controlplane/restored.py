"""What a database needs to be told after it came from a backup: `python -m controlplane.restored`.

Run it once, after `pg_restore` and before anything else is started. Numbers jump, so that none is
given twice; nothing is placed until the nodes were heard. Prints one line of JSON.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")
django.setup()

from django.utils import timezone  # noqa: E402  what follows needs Django set up

from apps.artifacts import services as artifacts  # noqa: E402
from apps.common.actors import SYSTEM  # noqa: E402
from apps.common.models import installation_id  # noqa: E402
from apps.fleet.models import Node  # noqa: E402
from apps.workloads import services as workloads  # noqa: E402


def restored(*, expected: UUID | None, gone_node: UUID | None) -> dict[str, Any]:
    """Make this installation one that was restored; refuse another one's database."""
    installation = installation_id()
    if expected is not None and installation != expected:
        raise SystemExit(
            f"this database is installation {installation}, and {expected} was expected: "
            "the backup and its manifest do not belong together"
        )
    at = timezone.now()
    restore = workloads.begin_restore(actor=SYSTEM, at=at)
    if gone_node and Node.objects.filter(pk=gone_node, removed_at=None).exists():
        workloads.give_up_node(node_id=gone_node, actor=SYSTEM, at=at)
    findings = artifacts.check_store(hashing=True)
    return {
        "installation": str(installation),
        "fence": restore.fence_to,
        "artifacts": findings.artifacts,
        "missing": findings.missing,
        "damaged": findings.damaged,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m controlplane.restored", description=__doc__)
    parser.add_argument(
        "--manifest", type=Path, help="of the backup: refuse the database of another installation"
    )
    parser.add_argument(
        "--gone-node", type=UUID, help="a node that is not coming back, its disk included"
    )
    options = parser.parse_args()
    expected = None
    if options.manifest:
        expected = UUID(json.loads(options.manifest.read_text())["installation"])
    found = restored(expected=expected, gone_node=options.gone_node)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()

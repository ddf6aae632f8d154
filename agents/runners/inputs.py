"""From what the daemon fetched to what a payload sees under DATAHALL_INPUTS."""

from agents.protocol.specs import ImportSpec, Input
from agents.runners.order import Order
from agents.runners.unpack import unpack

LIMITS = ImportSpec()  # an archive that an import took is held to the same limits ever after


def prepare(order: Order) -> None:
    """Make ``inputs/<name>``: the fetched files, or what their archives hold."""
    order.inputs.mkdir(exist_ok=True)
    for item in order.spec.inputs:
        _prepare(item, order)


def _prepare(item: Input, order: Order) -> None:
    fetched, target = order.fetched / item.name, order.inputs / item.name
    if not item.unpack:
        target.symlink_to(fetched, target_is_directory=True)
        return
    target.mkdir()
    for file in item.files:
        unpack(fetched / file.path, target, LIMITS)

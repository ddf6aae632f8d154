"""What the daemon leaves in a workspace for the runner."""

from pathlib import Path

import msgspec

from agents.protocol.specs import WorkloadSpec


class Order(msgspec.Struct, frozen=True):
    """``order.json``: the spec, and where things are on this node."""

    spec: WorkloadSpec
    workspace: Path
    environments: Path  # cache of virtual environments, shared by the project's workloads
    env: dict[str, str]  # the payload's whole environment
    host: str = "127.0.0.1"  # where others reach this node
    most_processes: int | None = None  # and threads; in a box, where they are counted by themselves

    @property
    def fetched(self) -> Path:
        return self.workspace / "fetched"

    @property
    def fetched_code(self) -> Path:
        return self.workspace / "fetched-code"

    @property
    def inputs(self) -> Path:
        return self.workspace / "inputs"

    @property
    def outputs(self) -> Path:
        return self.workspace / "outputs"

    @property
    def work(self) -> Path:
        return self.workspace / "work"

    @property
    def told(self) -> Path:
        return self.workspace / "told"

    @property
    def metrics_file(self) -> Path:
        return self.workspace / "metrics.jsonl"


def read_order(workspace: Path) -> Order:
    body = (workspace / "order.json").read_bytes()
    return msgspec.json.decode(body, type=Order, dec_hook=_decode_path)


def _decode_path(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise TypeError(kind)

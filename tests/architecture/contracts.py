"""An import contract that import-linter lacks: an app's doors belong to that app."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OwnDoorsContract(Contract):
    """Of every app in `container`, the modules named in `doors` may be imported only from inside
    that app and from the `allowed_importers`. The `shared` apps have no doors: they are there to be
    imported."""

    container = fields.StringField()
    shared = fields.ListField(subfield=fields.StringField())
    doors = fields.ListField(subfield=fields.StringField())
    allowed_importers = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        illegal = [
            (importer, door)
            for app in sorted(graph.find_children(self.container) - set(self.shared))
            for door in (f"{app}.{name}" for name in self.doors)
            for module in ({door} | graph.find_descendants(door) if door in graph.modules else ())
            for importer in sorted(graph.find_modules_that_directly_import(module))
            if not _inside(importer, app)
            and not any(_inside(importer, allowed) for allowed in self.allowed_importers)
        ]
        return ContractCheck(kept=not illegal, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, door in check.metadata["illegal"]:
            output.print_error(f"- {importer} -> {door}: call the app's services or selectors")


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")

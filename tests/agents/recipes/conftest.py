from tests.agents.runners.conftest import environments, run

__all__ = ["environments", "run"]

from typing import Any

import pytest

from apps.common import hub


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What watchers are told, in place of telling them."""
    messages: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(hub, "tell", lambda topic, message: messages.append((topic, message)))
    return messages

"""The bearer with which a workload that serves is called.

Derived from the workload and its fence, so that it is stored nowhere: the node gets it with the
yes to the start, and whoever may call derives it again.
"""

import hmac
from uuid import UUID

from django.conf import settings

_DOMAIN = b"datahall-workload-bearer-v1\0"


def bearer_of(workload_id: UUID, fence: int) -> str:
    """64 hexadecimal digits."""
    message = _DOMAIN + workload_id.bytes + fence.to_bytes(8, "big")
    return hmac.digest(settings.SECRET_KEY.encode(), message, "sha256").hex()

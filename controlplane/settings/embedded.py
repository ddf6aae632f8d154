"""The installation that `datahall up` starts: everything on this machine, from wheels."""

from controlplane.settings.base import *  # noqa: F403

"""The typed contract between control plane and agents: additive only, served as N and N-1."""

PROTOCOL_VERSION = 1

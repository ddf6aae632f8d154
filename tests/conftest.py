"""Fixtures for all tests. The servers they need are started by the plugin in tests/servers.py."""

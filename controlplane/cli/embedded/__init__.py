"""The private Postgres and Valkey of an installation, from wheels: no Docker, no root.

Standard library only: the tests start the same servers before Django's settings are read.
"""

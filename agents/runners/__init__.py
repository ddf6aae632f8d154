"""One process per workload: what the payload of a workload really runs."""

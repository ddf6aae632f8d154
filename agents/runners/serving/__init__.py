"""The parts of a replica: the door that talks, the engine that computes."""

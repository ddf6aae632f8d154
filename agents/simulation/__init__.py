"""Many nodes that are not there, in one process: real agents up to the point where work is done."""

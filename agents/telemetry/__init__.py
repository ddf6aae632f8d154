"""Reading hardware: what a host and its devices say, once a second."""

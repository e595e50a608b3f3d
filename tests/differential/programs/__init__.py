"""What is run under both engines. Each case has a trace of its own, named by its id."""

"""What the background thread reads: machine, process, container, interpreter, pipeline."""

"""Export from a real service: transports, exporters, and targets that misbehave."""

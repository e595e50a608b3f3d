"""What other programs call: console scripts, and the hooks of opentelemetry-instrument."""

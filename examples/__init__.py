"""Example services without one line about telemetry, and the demo that runs them."""

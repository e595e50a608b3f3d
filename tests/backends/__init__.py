"""The real programs that the tests talk to, and the helpers that drive them."""

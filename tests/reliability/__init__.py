"""The proof of docs/reliability.md: every fault, every ending, and a soak, by numbers."""

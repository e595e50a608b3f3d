"""`make demo`: the examples run instrumented, and what arrives is shown and checked."""

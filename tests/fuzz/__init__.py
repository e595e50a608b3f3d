"""Inputs from outside, mutated: `python -m tests.fuzz` (`make fuzz`).

`targets` says what is fuzzed and what must hold, `mutations` changes inputs, `coverage`
tells which reach new code. `corpus/` keeps inputs, those that once failed among them: a
failing input that is added there is a test from then on.
"""

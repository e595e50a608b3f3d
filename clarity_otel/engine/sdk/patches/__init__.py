"""The sdk engine's patches: one file per library, as in clarity_otel.patches."""

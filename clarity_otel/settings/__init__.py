"""Every setting of Clarity OTel: the table, how it is read, and the values of a process.

The data flow is: `variables` (the table) and `kinds` (how text becomes a value)
are read by `loading` (environment in, `Settings` out), which asks `otlp` for the
exporters' configuration. Importing it costs about 3 ms and no other package.
"""

from clarity_otel.settings.loading import Settings, load
from clarity_otel.settings.variables import VARIABLES, Variable

__all__ = ["VARIABLES", "Settings", "Variable", "load"]

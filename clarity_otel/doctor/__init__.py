"""`clarity doctor`: what is instrumented, what is not and why, and whether it arrives.

`examine` runs the checks in their order, each a file that returns `findings`: `versions`,
`engine`, `patches`, `application` (the app, imported by `imported` in a process of its own),
`agents`, `names`, `values` and `contradictions` (the settings), `targets` (`peers`, `proxies`,
`connecting`, `tls`, `http_export`, `grpc_export`), `spool`, `roundtrip` (sent by `sender`,
found again in `backends`), `clock` and `cost` (measured by `spans`). `report` shows the
findings, `command` is the command line.

Modules that run in an instrumented process import nothing of this package that imports
more than the standard library.
"""

"""Other people's test suites, and versions of libraries, with Clarity OTel inside.

`python -m tests.compat PACKAGE` runs a package's own tests bare and instrumented;
`python -m tests.compat.versions` lays the spans of both engines side by side for each
set of versions in `versions.toml`. `docs/compatibility.md` is written from what both keep
in `results.json`.
"""

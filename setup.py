"""The one fact pyproject.toml cannot say: the packages below mapped folders.

`entry_points/` is a folder at the top and the package `clarity_otel.entry_points`
once installed. A plain search would miss it, or ship a top-level `entry_points`.
`docs/runbooks` is shipped as data of the package, for the dashboard shows it.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["clarity_otel", "clarity_otel.*"]),
        "clarity_otel.entry_points",
        "clarity_otel.runbooks",
        *(f"clarity_otel.entry_points.{name}" for name in find_packages("entry_points")),
    ],
)

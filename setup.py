"""What pyproject.toml cannot say: the packages below mapped folders, and the bill of materials.

`entry_points/` is a folder at the top and the package `clarity_otel.entry_points`
once installed. A plain search would miss it, or ship a top-level `entry_points`.
`docs/runbooks` is shipped as data of the package, for the dashboard shows it. A wheel's
`.dist-info/sboms` (PEP 770) has no setting in setuptools yet.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel


class WheelWithSbom(bdist_wheel):
    """Puts sbom.cdx.json beside the wheel's metadata."""

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        """Make the folder of the metadata; called before the wheel is packed."""
        super().egg2dist(egginfo_path, distinfo_path)
        folder = Path(distinfo_path, "sboms")
        folder.mkdir(exist_ok=True)
        shutil.copy("sbom.cdx.json", folder)


setup(
    cmdclass={"bdist_wheel": WheelWithSbom},
    packages=[
        *find_packages(include=["clarity_otel", "clarity_otel.*"]),
        "clarity_otel.entry_points",
        "clarity_otel.runbooks",
        *(f"clarity_otel.entry_points.{name}" for name in find_packages("entry_points")),
    ],
)

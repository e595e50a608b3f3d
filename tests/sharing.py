"""How pytest-xdist's workers (`pytest -n 3`) share the tests out.

Most tests wait for a process, so two at a time take little more than half the time. A
file's tests stay on one worker, and so do the fixtures of its module; of some folders, all
files do. What measures runs after everything else, when the other workers are gone.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Their files share fixtures that take long: a browser and its dashboard, real backends, a
# wheel, a build of the native module for tests. They are given out first: nobody waits for
# such a folder at the end.
TOGETHER = (
    "tests/dashboard/",
    "tests/production/",
    "tests/packaging/",
    "tests/guard/",
    "tests/fuzz/",
)
# They compare times of the processor, which anything beside them blurs.
ALONE = ("tests/overhead/",)


def unit_of(nodeid: str) -> str:
    """Return what a test is given out with: its folder's name, or its file's."""
    folders = (folder for folder in TOGETHER + ALONE if nodeid.startswith(folder))
    return next(folders, nodeid.partition("::")[0])


def turn_of(unit: str) -> int:
    """Return when a unit's turn is: the folders first, what is alone last."""
    return 2 if unit in ALONE else unit not in TOGETHER


class Sharing(LoadScopeScheduling):
    """Gives out units, those of one turn as the base class orders them: many tests first."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a worker that has ended; the last one may begin with what is alone."""
        crashed = super().remove_node(node)
        for left in self.nodes:
            self._reschedule(left)
        return crashed

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        unit = min(self.workqueue, key=turn_of)
        if unit in ALONE:
            # A worker runs its last test only when it has another one, or is told to end.
            others = [other for other in self.nodes if other is not node]
            if any(not other.shutting_down for other in others):
                node.shutdown()
            if others:
                return
        self.workqueue.move_to_end(unit, last=False)
        super()._assign_work_unit(node)

"""Numbers that the processes of one service share, in memory-mapped files.

One folder for a service (`folder`) holds one directory of series (`directory`), which
every process appends to and which gives each series its place, and for each process one
file of numbers (`cells`) with that same numbering, so that a sum over processes is a sum
over arrays. A process that ended leaves its file, whose counters are added to those of
all that ended before, and it is removed (`members`). `values` puts prometheus_client's
own metrics there. A killed process loses nothing: the kernel keeps what it has written.
"""

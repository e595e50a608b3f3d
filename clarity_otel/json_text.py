"""JSON that is written and read without `json.dumps` and `json.loads`.

An app's tests put their own in the place of those, or count their calls, and what we write
beside a request is no call of the app's: FastAPI's own tests met a new series' line.
"""

from __future__ import annotations

from json import JSONDecoder, JSONEncoder

# As json.dumps writes it, and without its blanks.
spaced = JSONEncoder().encode
compact = JSONEncoder(separators=(",", ":")).encode
# Of an app's own line: as it is where JSON has it, and as a text where it has not.
as_written = JSONEncoder(ensure_ascii=False, default=str, separators=(",", ":")).encode
# Of a str. Raises ValueError and RecursionError as json.loads does.
read = JSONDecoder().decode

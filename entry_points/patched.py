"""Which libraries Clarity OTel's own patches cover, by the names of their instrumentors.

Their contrib instrumentors are not loaded on the native engine: two patches of one
library write each span twice.
"""

from __future__ import annotations

# Name in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS -> the distribution on PyPI; the
# standard library's have none.
PATCHED_LIBRARIES: dict[str, str] = {
    "fastapi": "fastapi",
    "starlette": "starlette",
    "redis": "redis",
    "httpx": "httpx",
    "botocore": "botocore",
    "aiobotocore": "aiobotocore",
    "threading": "",
}

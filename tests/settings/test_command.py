"""What a command line runs, and what the service is called after it."""

from __future__ import annotations

import pytest

from clarity_otel import command


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("uvicorn shop.app:app --port 8000", "shop"),
        ("uvicorn --host 127.0.0.1 --port 8000 main:app", "main"),
        ("uvicorn --factory company.shop.app:create_app", "shop"),
        ("gunicorn -k uvicorn_worker.UvicornWorker -b 0.0.0.0:80 shop.asgi:app", "shop"),
        ("gunicorn -w 4 shop.wsgi", "shop"),
        ("gunicorn --bind unix:app.sock shop.wsgi", "shop"),
        ("hypercorn --bind unix:run.sock shop.asgi:app", "shop"),
        ("gunicorn shop.wsgi -k uvicorn.workers.UvicornWorker -w 4", "shop"),
        ("gunicorn shop.wsgi:create_app() -w 4", "shop"),
        ("hypercorn --bind unix:/tmp/socket shop.app:app", "shop"),
        ("celery -A shop.tasks worker", "shop"),
        ("celery --app=shop worker", "shop"),
        ("fastapi run app/main.py", "main"),
        ("python app.py", "app"),
        ("python ./src/my_service.py --port 1", "my_service"),
        ("python -m shop", "shop"),
        ("python -m shop.cli run", "shop"),
        ("python3.12 -X dev -W error -m uvicorn shop.app:app", "shop"),
        ("python -Im shop", "shop"),
        ("python -u -- app.py", "app"),
        ("/venv/bin/my-service --port 1", "my-service"),
        ("pytest -q tests", "pytest"),
        ("python /srv/shop/__main__.py", "shop"),
        ("gunicorn -c gunicorn.conf.py", None),
        ("python -c pass", None),
        ("python -", None),
        ("python", None),
    ],
)
def test_service_name(line: str, name: str | None) -> None:
    """The name is that of the app's package or module; where nothing tells it, none."""
    assert command.service_name(command.parse(line.split())) == name


@pytest.mark.parametrize(
    ("line", "tool"),
    [
        ("python -m pip install x", "pip"),
        ("python -m pip.__main__", "pip"),
        ("python /usr/bin/pip3.12 install x", "pip"),
        ("python -I /x/pip/__pip-runner__.py", "__pip-runner__"),
        ("python setup.py build", "setup"),
        ("python /opt/build/app.py", "app"),
        ("python -c pip", ""),
    ],
)
def test_tool_name(line: str, tool: str) -> None:
    """A tool is known by its name alone: not by its version, folder or arguments."""
    assert command.tool_name(command.parse_interpreter(line.split())) == tool

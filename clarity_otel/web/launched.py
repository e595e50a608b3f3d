"""The dashboard's process beside an app: `clarity-instrument --dashboard` starts it.

It belongs to a session of its own, so that neither Ctrl-C nor the app's restarts reach it,
and ends when the last app that keeps it has. Its sockets are open already: what the app
sends, and a browser asks, before it is up waits in the kernel.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clarity_otel import diagnostics
from clarity_otel.web.running import Claim, Keepers, Running, open_private


def main(arguments: list[str]) -> int:
    """Serve; `arguments` are the store, and the descriptors of the claim and two sockets."""
    store, open_page = arguments[0], arguments[4] == "open"
    claim, web, otlp = (int(text) for text in arguments[1:4])
    try:
        return _serve(store, Claim(claim), web, otlp, open_page=open_page)
    except Exception as error:  # whatever it is, the app goes on without a dashboard
        diagnostics.error(
            f"The dashboard has ended, and the service runs without it: "
            f"{str(error).rstrip('.') or type(error).__name__}."
        )
        return 1


def _serve(store: str, claim: Claim, web: int, otlp: int, *, open_page: bool) -> int:
    from clarity_otel import masking
    from clarity_otel.settings import load
    from clarity_otel.store.production.engine import Given
    from clarity_otel.store.retention import Limits
    from clarity_otel.web.server import Addresses, Options, run, taken_over

    settings = load(os.environ)
    masking.configure(settings)  # what is wrong with the settings, the app says
    before = claim.read()
    if before is None:
        raise ValueError(f"{store}.dashboard does not hold where to listen")
    keepers = Keepers(store)
    log = open_private(f"{store}.log")

    def ready(addresses: Addresses) -> None:
        claim.publish(Running(before.address, before.token, before.otlp_http, addresses.otlp_grpc))
        # From now on nobody waits for this process to let go of a pipe that it was given.
        os.ftruncate(log, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if open_page:
            from clarity_otel.web import opening

            opening.open_page(before.address, before.token)

    options = Options(
        store=Path(store),
        limits=Limits(settings.store_limit, settings.store_days),
        token=before.token,
        web_socket=taken_over(web),
        otlp_socket=taken_over(otlp),
        is_over=keepers.are_gone,
        alertmanager=Given(settings.alertmanager_url or "", settings.alertmanager_headers),
    )
    run(options, ready)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    # The store is closed. A thread that does not end would keep the claim, and with it the next
    # dashboard of this store out.
    os._exit(code)

"""Who uses the demo's shop: some requests a second, at random times, until told to end."""

from __future__ import annotations

import asyncio
import random

import httpx

_PRODUCTS = ("lamp", "chair", "table", "vase")
_MOST_AT_ONCE = 64


async def visit(base_url: str, requests_per_s: float) -> None:
    """Send requests until cancelled. A shop that does not answer is asked again."""
    async with httpx.AsyncClient(base_url=base_url, timeout=10, trust_env=False) as client:
        under_way: set[asyncio.Task[None]] = set()
        while True:
            await asyncio.sleep(random.expovariate(requests_per_s))
            if len(under_way) < _MOST_AT_ONCE:
                task = asyncio.create_task(_one(client))
                under_way.add(task)
                task.add_done_callback(under_way.discard)


async def _one(client: httpx.AsyncClient) -> None:
    chance = random.random()
    try:
        if chance < 0.6:
            await client.get(f"/products/{random.choice(_PRODUCTS)}")
        elif chance < 0.65:
            await client.get(f"/products/{random.choice(('unicorn', 'perpetuum-mobile'))}")
        elif chance < 0.9:
            await client.post(
                "/orders",
                json={
                    "products": random.sample(_PRODUCTS, 2),
                    "email": f"ada{random.randrange(100)}@example.com",
                    "card": "4111 1111 1111 1111",
                },
            )
        elif chance < 0.97:
            headers = {"authorization": "Bearer demo"} if random.random() < 0.7 else {}
            await client.get("/account", headers=headers)
        else:
            await client.get("/wp-login.php")
    except httpx.HTTPError:
        return  # the shop is not up yet, or is being ended

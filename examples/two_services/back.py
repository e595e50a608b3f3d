"""The service behind: it takes orders and queues their delivery in SQS."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import boto3
from fastapi import FastAPI, Request
from pydantic import BaseModel

QUEUE_URL = os.environ.get("QUEUE_URL", "http://127.0.0.1:5000/123456789012/deliveries")


class Order(BaseModel):
    product: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    region = os.environ.get("AWS_REGION", "eu-central-1")
    app.state.sqs = boto3.client("sqs", region_name=region)
    yield


app = FastAPI(title="back", lifespan=lifespan)


@app.post("/orders")
async def take(order: Order, request: Request) -> dict[str, str]:
    """Queue the delivery. boto3 blocks, so it runs in the executor."""
    send = partial(
        request.app.state.sqs.send_message,
        QueueUrl=QUEUE_URL,
        MessageBody=json.dumps({"deliver": order.product}),
    )
    answer = await asyncio.get_running_loop().run_in_executor(None, send)
    return {"delivery": answer["MessageId"]}

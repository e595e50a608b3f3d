"""A plain Python program that reads the queue until it is asked to stop.

clarity-instrument python -m examples.two_services.worker
"""

import logging
import os
import signal
import threading

import boto3

QUEUE_URL = os.environ.get("QUEUE_URL", "http://127.0.0.1:5000/123456789012/deliveries")

logger = logging.getLogger("worker")


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    sqs = boto3.client("sqs", region_name=os.environ.get("AWS_REGION", "eu-central-1"))
    while not stop.is_set():
        answer = sqs.receive_message(
            QueueUrl=QUEUE_URL, WaitTimeSeconds=1, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            sent = {k: v["StringValue"] for k, v in message.get("MessageAttributes", {}).items()}
            logger.info("delivery %s with %s", message["Body"], sent)
            sqs.delete_message(QueueUrl=QUEUE_URL, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main()

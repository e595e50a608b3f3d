"""boto3 and aiobotocore against moto's server, whose address is in the environment."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import boto3
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.differential.cases import case


def dynamodb() -> None:
    client = boto3.client("dynamodb")
    with case("dynamodb create"):
        client.create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    with case("dynamodb put and get"):
        client.put_item(TableName="table", Item={"id": {"S": "1"}})
        client.get_item(TableName="table", Key={"id": {"S": "1"}}, ConsistentRead=True)
    with case("dynamodb query"):
        client.query(
            TableName="table",
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": "1"}},
            Limit=5,
        )
    with case("dynamodb error"), suppress(ClientError):
        client.get_item(TableName="missing", Key={"id": {"S": "1"}})


def queues() -> None:
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    with case("sqs create"):
        url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    with case("sqs send"):
        sqs.send_message(QueueUrl=url, MessageBody="body")
    with case("sqs send batch"):
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "body"}])
    with case("sqs receive"):
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    with case("sqs error"), suppress(ClientError):
        sqs.send_message(QueueUrl=f"{url}-missing", MessageBody="body")
    with case("sns create"):
        arn = sns.create_topic(Name="topic")["TopicArn"]
    with case("sns publish"):
        sns.publish(TopicArn=arn, Message="message")
    with case("sns publish batch"):
        sns.publish_batch(
            TopicArn=arn, PublishBatchRequestEntries=[{"Id": "1", "Message": "message"}]
        )


def others() -> None:
    s3, secrets = boto3.client("s3"), boto3.client("secretsmanager")
    functions = boto3.client("lambda")
    location = {"LocationConstraint": s3.meta.region_name}
    with case("s3 create"):
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration=location)
    with case("s3 put and get"):
        s3.put_object(Bucket="bucket", Key="key", Body=b"body")
        s3.get_object(Bucket="bucket", Key="key")["Body"].read()
    with case("s3 error"), suppress(ClientError):
        s3.get_object(Bucket="bucket", Key="missing")
    with case("secrets"):
        secret = secrets.create_secret(Name="secret", SecretString="hidden")
        secrets.get_secret_value(SecretId=secret["ARN"])
    with case("secrets error"), suppress(ClientError):
        secrets.get_secret_value(SecretId="missing")
    with case("lambda list"):
        functions.list_functions()
    with case("lambda error"), suppress(ClientError):
        functions.invoke(FunctionName="missing")
    with case("refused"), suppress(EndpointConnectionError):
        from botocore.config import Config

        once = Config(retries={"total_max_attempts": 1})
        closed = boto3.client("sts", endpoint_url="http://127.0.0.1:1", config=once)
        closed.get_caller_identity()


async def not_blocking() -> None:
    where = {
        "region_name": os.environ["AWS_DEFAULT_REGION"],
        "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
    }
    session = get_session()
    async with session.create_client("dynamodb", **where) as client:
        with case("async dynamodb"):
            await client.put_item(TableName="table", Item={"id": {"S": "2"}})
            await client.get_item(TableName="table", Key={"id": {"S": "2"}})
        with case("async dynamodb error"), suppress(ClientError):
            await client.get_item(TableName="missing", Key={"id": {"S": "1"}})
    async with session.create_client("sqs", **where) as client:
        with case("async sqs"):
            url = (await client.create_queue(QueueName="async"))["QueueUrl"]
            await client.send_message(QueueUrl=url, MessageBody="body")


if __name__ == "__main__":
    dynamodb()
    queues()
    others()
    asyncio.run(not_blocking())

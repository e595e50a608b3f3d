"""Put the shop's one product into DynamoDB and its counters into Redis.

python -m examples.shop.seed
"""

import os

import boto3
import redis
from botocore.exceptions import ClientError


def seed(redis_url: str, region: str) -> None:
    """Create the table `products` where it is missing, and write what the shop reads."""
    dynamodb = boto3.client("dynamodb", region_name=region)
    try:
        dynamodb.create_table(
            TableName="products",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
    dynamodb.get_waiter("table_exists").wait(TableName="products")
    item = {"id": {"S": "1"}, "name": {"S": "lamp"}, "price": {"N": "42"}, "stock": {"N": "7"}}
    dynamodb.put_item(TableName="products", Item=item)
    with redis.from_url(redis_url) as cache:
        cache.mset({"visits": 1, "discount": "10%", "orders": 0})


if __name__ == "__main__":
    seed(
        os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
        os.environ.get("AWS_REGION", "eu-central-1"),
    )

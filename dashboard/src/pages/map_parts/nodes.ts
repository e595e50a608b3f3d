import type { MapRow, ServiceRow } from "../../api/types";

export type Kind = "service" | "database" | "queue" | "AWS" | "HTTP";

export interface MapNode {
  name: string;
  kind: Kind;
  /** What its own server spans say; only services have that. */
  service?: ServiceRow;
  /** What its callers say, all together. */
  called: { rate: number; calls: number; errors: number | null };
}

/** OpenTelemetry's names of systems (db.system.name, messaging.system), and what AWS calls its own. */
const DATABASES =
  /^(redis|valkey|memcached|postgresql|mysql|mariadb|sqlite|mongodb|cassandra|elasticsearch|opensearch|clickhouse|couchdb|neo4j|influxdb|microsoft\.sql_server|oracle\.db|other_sql|mssql|cockroachdb)$/;
const QUEUES = /^(kafka|rabbitmq|activemq|rocketmq|pulsar|nats|jms|celery|gcp_pubsub|servicebus)$/;
const AWS =
  /^aws[._]|^(dynamodb|s3|sqs|sns|lambda|kinesis|firehose|kms|sts|ssm|ses|sesv2|sfn|eventbridge|cloudwatch|cloudwatch logs|secrets ?manager|cognito identity provider|bedrock runtime|ec2|ecs|rds data|appconfigdata)$|\.amazonaws\.com$/i;

/** Services, what they call, and how each is. */
export function nodesOf(calls: MapRow[], services: ServiceRow[]): MapNode[] {
  const own = new Map(services.map((row) => [row.service, row]));
  const callers = new Set(calls.map(({ service }) => service));
  const names = new Set([...own.keys(), ...callers, ...calls.map(({ peer }) => peer)]);
  return [...names].map((name) => {
    const incoming = calls.filter(({ peer }) => peer === name);
    const service = own.get(name);
    return {
      name,
      kind: service || callers.has(name) ? "service" : kindOf(name),
      ...(service ? { service } : {}),
      called: {
        rate: incoming.reduce((sum, row) => sum + row.rate, 0),
        calls: incoming.reduce((sum, row) => sum + row.calls, 0),
        errors: incoming.reduce(
          (sum: number | null, { errors }) =>
            sum === null || errors === null ? null : sum + errors,
          0,
        ),
      },
    };
  });
}

export function kindOf(peer: string): Kind {
  if (AWS.test(peer)) return "AWS";
  if (DATABASES.test(peer)) return "database";
  return QUEUES.test(peer) ? "queue" : "HTTP";
}

/** The share of calls that failed, 0 without calls; null where nobody tells. */
export function failed({ calls, errors }: Pick<MapRow, "calls" | "errors">): number | null {
  if (errors === null) return null;
  return calls > 0 ? errors / calls : 0;
}

/** How thick a line is, in pixels: by the logarithm of its rate beside the greatest. */
export function thickness_px(rate: number, most: number): number {
  return 1 + 3 * (most > 0 ? Math.log1p(rate) / Math.log1p(most) : 0);
}

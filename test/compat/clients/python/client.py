"""confluent-kafka behind the suites' operations: a JSON script on stdin, a JSON list of results on stdout.

Records travel in files of JSON lines (see harness/records.ts). Consumers assign partitions; no group is used.
"""
import base64
import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)

TIMEOUT_S = 30
# librdkafka's own names where they differ from the protocol's.
NAMES = {'TOPIC_EXCEPTION': 'INVALID_TOPIC_EXCEPTION', 'UNKNOWN_TOPIC_OR_PART': 'UNKNOWN_TOPIC_OR_PARTITION',
         'MSG_SIZE_TOO_LARGE': 'MESSAGE_TOO_LARGE', '_UNKNOWN_TOPIC': 'UNKNOWN_TOPIC_OR_PARTITION',
         'UNKNOWN': 'UNKNOWN_SERVER_ERROR'}


def name_of(error):
    return NAMES.get(error.name(), error.name())


def b64(data):
    return None if data is None else base64.b64encode(data).decode()


def unb64(text):
    return None if text is None else base64.b64decode(text)


def resolve(futures):
    """{key: future} -> {key: 'NONE' or the error's name}"""
    outcome = {}
    for key, future in futures.items():
        try:
            future.result(TIMEOUT_S)
            outcome[key] = 'NONE'
        except KafkaException as error:
            outcome[key] = name_of(error.args[0])
    return outcome


class Client:
    def __init__(self, bootstrap, settings):
        self.base = {'bootstrap.servers': bootstrap, 'client.id': 'confluent-kafka', **settings}
        self.admin = AdminClient(self.base)

    def create_topics(self, op):
        topics = [NewTopic(t['name'], t['partitions'], 1, config=t.get('configs', {})) for t in op['topics']]
        return resolve(self.admin.create_topics(topics, validate_only=op.get('validateOnly', False)))

    def delete_topics(self, op):
        return resolve(self.admin.delete_topics(op['names'], operation_timeout=TIMEOUT_S))

    def describe_topics(self, op):
        described = {}
        for name in op['names']:
            topic = self.admin.list_topics(name, timeout=TIMEOUT_S).topics[name]
            if topic.error is not None:
                described[name] = {'error': name_of(topic.error)}
            else:
                leaders = [topic.partitions[p].leader for p in sorted(topic.partitions)]
                described[name] = {'partitions': len(topic.partitions), 'leaders': leaders}
        return described

    def list_topics(self, op):
        return sorted(self.admin.list_topics(timeout=TIMEOUT_S).topics)

    def describe_cluster(self, op):
        cluster = self.admin.describe_cluster().result(TIMEOUT_S)
        nodes = [{'id': n.id, 'host': n.host, 'port': n.port} for n in cluster.nodes]
        return {'clusterId': cluster.cluster_id, 'controller': cluster.controller.id, 'brokers': nodes}

    def resource(self, op):
        kind = ResourceType.TOPIC if op['type'] == 'topic' else ResourceType.BROKER
        return kind, op['name']

    def describe_configs(self, op):
        kind, name = self.resource(op)
        futures = self.admin.describe_configs([ConfigResource(kind, name)])
        entries = list(futures.values())[0].result(TIMEOUT_S)
        return {key: {'value': e.value, 'default': e.is_default, 'synonyms': len(e.synonyms)} for key, e in entries.items()}

    def alter_configs(self, op):
        kind, name = self.resource(op)
        entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in op.get('set', {}).items()]
        entries += [ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE) for key in op.get('delete', [])]
        futures = self.admin.incremental_alter_configs([ConfigResource(kind, name, incremental_configs=entries)])
        return list(resolve(futures).values())[0]

    def create_partitions(self, op):
        return resolve(self.admin.create_partitions([NewPartitions(op['topic'], op['total'])]))[op['topic']]

    def delete_records(self, op):
        at = TopicPartition(op['topic'], op['partition'], op['before'])
        result = list(self.admin.delete_records([at]).values())[0].result(TIMEOUT_S)
        return {'lowWatermark': result.low_watermark}

    def list_offsets(self, op):
        at = op['at']
        named = {'earliest': OffsetSpec.earliest, 'latest': OffsetSpec.latest, 'maxTimestamp': OffsetSpec.max_timestamp}
        spec = named[at]() if at in named else OffsetSpec.for_timestamp(at)
        futures = self.admin.list_offsets({TopicPartition(op['topic'], op['partition']): spec})
        found = list(futures.values())[0].result(TIMEOUT_S)
        return {'offset': found.offset, 'timestamp': found.timestamp}

    def produce(self, op):
        producer = Producer({
            **self.base,
            'acks': str(op['acks']),
            'enable.idempotence': op.get('idempotent', False),
            'compression.codec': op['codec'],
            'linger.ms': op.get('lingerMs', 20),
            'message.max.bytes': op.get('maxMessageBytes', 8_000_000),
            'message.timeout.ms': TIMEOUT_S * 1000,
        })
        written = []
        failures = []

        def delivered(index):
            def callback(error, message):
                if error is not None:
                    failures.append(name_of(error))
                else:
                    offset = message.offset()
                    written[index] = [message.partition(), -1 if offset is None or op['acks'] == 0 else offset]
            return callback

        with open(op['file']) as lines:
            for line in lines:
                record = json.loads(line)
                written.append(None)
                producer.produce(
                    op['topic'],
                    partition=record['p'],
                    key=unb64(record['k']),
                    value=unb64(record['v']),
                    headers=[(name, unb64(value)) for name, value in record['h']],
                    timestamp=record.get('t', 0),
                    on_delivery=delivered(len(written) - 1),
                )
                producer.poll(0)
        left = producer.flush(TIMEOUT_S)
        if left or failures:
            raise Failure(failures[0] if failures else 'TIMED_OUT')
        return {'written': written}

    def consume(self, op):
        consumer = Consumer({
            **self.base,
            'group.id': 'never-joined',
            'enable.auto.commit': False,
            'enable.partition.eof': False,
            'fetch.wait.max.ms': 100,
            'auto.offset.reset': 'error',
            'check.crcs': True,
            'isolation.level': op.get('isolation', 'read_uncommitted'),
            'fetch.message.max.bytes': op.get('fetchBytes', 1_048_576),
        })
        wanted = {p['partition']: p['count'] for p in op['partitions']}
        starts = {'beginning': -2, 'end': -1}
        # Without a known leader librdkafka asks for the beginning only after half a second.
        consumer.list_topics(op['topic'], timeout=TIMEOUT_S)
        # A number assigns; anything else is librdkafka's own logical offset.
        consumer.assign([
            TopicPartition(op['topic'], p['partition'], starts.get(p['offset'], p['offset'])) for p in op['partitions']
        ])
        left = sum(wanted.values())
        deadline = time.monotonic() + TIMEOUT_S
        with open(op['file'], 'w') as out:
            while left > 0:
                if time.monotonic() > deadline:
                    raise Failure(f'TIMED_OUT with {left} records missing')
                for message in consumer.consume(500, 0.02):
                    if message.error() is not None:
                        if message.error().code() == KafkaError._TRANSPORT:
                            continue
                        raise Failure(name_of(message.error()))
                    if wanted[message.partition()] <= 0:
                        continue
                    wanted[message.partition()] -= 1
                    left -= 1
                    headers = [[name, b64(value)] for name, value in message.headers() or []]
                    out.write(json.dumps({
                        'p': message.partition(), 'o': message.offset(), 't': message.timestamp()[1],
                        'k': b64(message.key()), 'v': b64(message.value()), 'h': headers,
                    }) + '\n')
        consumer.close()
        return {'count': sum(p['count'] for p in op['partitions'])}


class Failure(Exception):
    pass


def main():
    script = json.load(sys.stdin)
    client = Client(script['bootstrap'], script.get('settings', {}))
    snake = lambda name: ''.join('_' + c.lower() if c.isupper() else c for c in name)
    results = []
    for op in script['operations']:
        try:
            results.append({'ok': getattr(client, snake(op['op']))(op)})
        except KafkaException as error:
            results.append({'error': name_of(error.args[0]), 'message': str(error)})
        except Failure as error:
            results.append({'error': str(error)})
    json.dump(results, sys.stdout)


if __name__ == '__main__':
    main()

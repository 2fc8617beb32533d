"""A member of a group that tells what it is assigned and what it reads.

usage: group_member.py BOOTSTRAP GROUP TOPIC PROTOCOL

A topic that begins with '^' is a pattern. Prints one JSON object a line: {"assigned": [partitions]}, {"revoked":
[partitions]} (before it lets go), {"read": [[partition, offset], ...]} (before it commits). Times are milliseconds
since the epoch. Leaves the group on SIGTERM.
"""
import json
import signal
import sys
import time

from confluent_kafka import Consumer

POLL_S = 0.2
BATCH = 200


def tell(what, value):
    sys.stdout.write(json.dumps({'at': time.time() * 1000, what: value}) + '\n')
    sys.stdout.flush()


def main():
    bootstrap, group, topic, protocol = sys.argv[1:5]
    config = {
        'bootstrap.servers': bootstrap,
        'group.id': group,
        'group.protocol': protocol,
        'client.id': 'member',
        'auto.offset.reset': 'earliest',
        'enable.auto.commit': False,
        'topic.metadata.refresh.interval.ms': 1000,
        'log_level': 0,
    }
    if protocol == 'classic':
        config.update({
            'session.timeout.ms': 6000,
            'heartbeat.interval.ms': 500,
            'partition.assignment.strategy': 'cooperative-sticky',
        })
    consumer = Consumer(config)
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    numbers = lambda partitions: [one.partition for one in partitions]
    gone = lambda _, partitions: tell('revoked', numbers(partitions))
    consumer.subscribe([topic], on_assign=lambda _, partitions: tell('assigned', numbers(partitions)), on_revoke=gone,
                       on_lost=gone)
    while not ending:
        messages = [one for one in consumer.consume(BATCH, POLL_S) if one.error() is None]
        if not messages:
            continue
        tell('read', [[one.partition(), one.offset()] for one in messages])
        try:
            consumer.commit(asynchronous=False)
        except Exception as error:  # Fenced meanwhile: others read these again.
            tell('failed', str(error))
    consumer.close()
    tell('closed', True)


main()

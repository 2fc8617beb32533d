"""A member of a group that tells what it is assigned, what it reads and what it committed.

usage: group_member.py BOOTSTRAP GROUP TOPIC PROTOCOL

A topic that begins with '^' is a pattern. Prints one JSON object a line: {"assigned": [partitions], "generation": number}
(the generation, or the member's epoch, where the client knows it), {"revoked": [partitions]} (before it lets go), {"read":
[[partition, first offset, last offset], ...]} (before it commits), {"committed": [[partition, offset to read next], ...]}
(once the broker has said so), {"failed": why}. Times ("at") are milliseconds since the epoch. Leaves the group on
SIGTERM.
"""
import json
import os
import signal
import sys
import time

from confluent_kafka import Consumer

POLL_S = 0.2
BATCH = 1000
METADATA_MAGIC = b'CGMDv2:'


def tell(what, value, **more):
    sys.stdout.write(json.dumps({'at': time.time() * 1000, what: value, **more}) + '\n')
    sys.stdout.flush()


def runs(messages):
    """[partition, first, last] of offsets that follow each other."""
    found = []
    latest = {}
    for message in messages:
        partition, offset = message.partition(), message.offset()
        run = latest.get(partition)
        if run is not None and run[2] + 1 == offset:
            run[2] = offset
        else:
            latest[partition] = run = [partition, offset, offset]
            found.append(run)
    return found


def generation(consumer):
    """The client shows it only within what it hands to transactional producers."""
    metadata = consumer.consumer_group_metadata()
    if not metadata.startswith(METADATA_MAGIC):
        return None
    start = len(METADATA_MAGIC)
    return int.from_bytes(metadata[start:start + 4], sys.byteorder, signed=True)


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
        'reconnect.backoff.max.ms': 1000,
        'log_level': 0,
    }
    if protocol == 'classic':
        config.update({
            'session.timeout.ms': 6000,
            'heartbeat.interval.ms': 500,
            'partition.assignment.strategy': os.environ.get('SLUICE_MEMBER_ASSIGNORS', 'cooperative-sticky'),
        })
    consumer = Consumer(config)
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    numbers = lambda partitions: [one.partition for one in partitions]
    taken = lambda on, partitions: tell('assigned', numbers(partitions), generation=generation(on))
    gone = lambda _, partitions: tell('revoked', numbers(partitions))
    consumer.subscribe([topic], on_assign=taken, on_revoke=gone, on_lost=gone)
    while not ending:
        messages = [one for one in consumer.consume(BATCH, POLL_S) if one.error() is None]
        if not messages:
            continue
        tell('read', runs(messages))
        try:
            committed = consumer.commit(asynchronous=False)
            tell('committed', [[one.partition, one.offset] for one in committed if one.error is None and one.offset >= 0])
        except Exception as error:  # Fenced meanwhile: others read these again.
            tell('failed', str(error))
    consumer.close()
    tell('closed', True)


main()

"""Producers and consumers with confluent-kafka that write down what they did, in the format of checker/history.ts.

usage: workload.py ROLE JSON

Roles: "produce", "read" (partitions assigned, from their start), "fresh" (the same, up to the ends found at the start, then
ends) and "member" (of a group, committing what it told). The JSON object has bootstrap, topic, partitions and process;
for producers first (their values count up from there) and rate (values a second); for members group and protocol. Ends, what is
under way finished, when its stdin is closed. With CLIENT_LOGS, a directory, in the environment, the client's own debug log goes there.
"""
import json
import logging
import logging.handlers
import os
import select
import sys
import time

from confluent_kafka import (
    OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition)

FLUSH_S = 90
BURST_S = 0.01
BATCH = 500
POLL_S = 0.1
METADATA_MAGIC = b'CGMDv2:'
# What a client of a cluster that fails over is well advised to set; the same for every system under test.
RESILIENT = {
    'reconnect.backoff.ms': 20,
    'reconnect.backoff.max.ms': 200,
    'retry.backoff.ms': 20,
    'retry.backoff.max.ms': 100,
    'topic.metadata.refresh.interval.ms': 2000,
    'topic.metadata.refresh.fast.interval.ms': 50,
    'socket.connection.setup.timeout.ms': 1000,
    'socket.timeout.ms': 5000,
    'log_level': 0,
}
LOGGED = 'broker,topic,metadata,cgrp,eos,protocol'
LOG_BYTES = 64 * 1024 * 1024
# Errors that say for certain that nothing was or will be written.
CERTAIN = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._PURGE_QUEUE, KafkaError._UNKNOWN_PARTITION}


def now():
    return time.monotonic_ns() // 1000


class Story:
    def __init__(self, settings):
        self.process = settings['process']

    def tell(self, kind, **more):
        sys.stdout.write(json.dumps({'type': kind, 'at': now(), 'process': self.process, **more}, separators=(',', ':')) + '\n')

    def note(self, what, **more):
        self.tell('note', note=what, **more)
        sys.stdout.flush()


class Reasons(logging.Handler):
    """Notes why the client gave its producer a new epoch: from then on no broker can tell what it wrote before."""

    def __init__(self, story):
        super().__init__()
        self.story = story

    def emit(self, record):
        message = record.getMessage()
        if message.startswith('DRAIN') and 'Beginning' in message:
            self.story.note('new producer epoch', reason=message)


def logger_of(story):
    logger = logging.getLogger(story.process)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    directory = os.environ.get('CLIENT_LOGS')
    if directory:
        file = logging.handlers.RotatingFileHandler(
            os.path.join(directory, story.process + '.log'), maxBytes=LOG_BYTES, backupCount=2)
        file.setFormatter(logging.Formatter('%(asctime)s %(message)s'))
        logger.addHandler(file)
    return logger


def logged(more=()):
    """Settings of a client that tells what `more` names, and everything of use where its log is kept."""
    if os.environ.get('CLIENT_LOGS'):
        return {'debug': LOGGED, 'log_level': 7}
    return {'debug': ','.join(more), 'log_level': 7} if more else {}


def told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def produce(settings, story):
    topic, partitions, rate = settings['topic'], settings['partitions'], settings['rate']
    completed = {'ok': [], 'info': [], 'fail': []}

    def delivered(error, message):
        value = int(message.value().split(b' ', 1)[0])
        if error is None:
            completed['ok'].append((message.partition(), message.offset(), value))
            return
        kind = 'fail' if error.code() in CERTAIN else 'info'
        completed[kind].append((message.partition(), None, value))
        story.note('send failed', error=error.name())

    def tell_completed():
        for kind, sends in completed.items():
            if sends:
                story.tell(kind, sends=sends)
                completed[kind] = []

    logger = logger_of(story)
    logger.addHandler(Reasons(story))
    producer = Producer({
        **RESILIENT,
        **logged(['eos']),
        'bootstrap.servers': settings['bootstrap'],
        'client.id': story.process,
        'acks': 'all',
        'enable.idempotence': True,
        # With several under way librdkafka writes twice by itself: the first may have been written and not yet
        # acknowledged, the second is refused, the third is out of order, and it begins all of them anew in a new epoch.
        'max.in.flight.requests.per.connection': 1,
        'linger.ms': 2,
        'request.timeout.ms': 5000,
        'message.timeout.ms': 300_000,
        'queue.buffering.max.messages': 100_000,
        'compression.type': settings.get('compression', 'none'),
        'error_cb': lambda error: story.note('fatal', error=error.name()) if error.fatal() else None,
    }, logger=logger)
    padding = [b' ' + os.urandom(length).hex().encode() for length in (3, 20, 60, 200)]
    value = settings['first']
    since = time.monotonic()
    owed = 0.0
    while not told_to_end():
        # By the clock: polling returns early where something was delivered.
        now_s = time.monotonic()
        owed += rate * (now_s - since)
        since = now_s
        burst = []
        while owed >= 1:
            burst.append((value % partitions, None, value))
            value += 1
            owed -= 1
        if burst:
            story.tell('invoke', sends=burst)
            for partition, _, number in burst:
                send(producer, topic, partition, b'%d' % number + padding[number % 4], delivered)
        producer.poll(BURST_S)
        tell_completed()
        sys.stdout.flush()
    until = time.monotonic() + FLUSH_S
    while len(producer) > 0 and time.monotonic() < until:
        producer.poll(0.05)
        tell_completed()
        sys.stdout.flush()
    tell_completed()
    story.note('producer ended', sent=value - settings['first'], unfinished=len(producer))


def send(producer, topic, partition, value, delivered):
    while True:
        try:
            producer.produce(topic, partition=partition, value=value, on_delivery=delivered)
            return
        except BufferError:
            producer.poll(0.05)


def consumer_settings(settings, story):
    return {
        **RESILIENT,
        **logged(),
        'bootstrap.servers': settings['bootstrap'],
        'client.id': story.process,
        'group.id': settings.get('group', story.process),
        'enable.auto.commit': False,
        'isolation.level': 'read_committed',
        'fetch.wait.max.ms': 100,
        'fetch.error.backoff.ms': 20,
    }


def tell_polled(messages, story):
    polls = []
    for message in messages:
        if message.error() is not None:
            story.note('read failed', error=message.error().name(), partition=message.partition())
        else:
            polls.append((message.partition(), message.offset(), int(message.value().split(b' ', 1)[0])))
    if polls:
        story.tell('ok', polls=polls)
    sys.stdout.flush()
    return polls


def read(settings, story, ends=None):
    """Reads to `ends` ([partition]), or on and on. A position that the cluster does not know is an error, not a jump."""
    consumer = Consumer({**consumer_settings(settings, story), 'auto.offset.reset': 'error'}, logger=logger_of(story))
    partitions = list(range(settings['partitions']))
    story.tell('assign', partitions=partitions)
    consumer.assign([TopicPartition(settings['topic'], each, OFFSET_BEGINNING) for each in partitions])
    if ends is not None:
        ends = {each: end_of(consumer, settings['topic'], each) for each in partitions}
    while not told_to_end():
        tell_polled(consumer.consume(BATCH, POLL_S), story)
        if ends is not None and all_reached(consumer, settings['topic'], ends):
            story.tell('fresh', partitions=partitions)
            break
    consumer.close()


def end_of(consumer, topic, partition):
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)[1]
        except KafkaException:
            if told_to_end():
                return 0


def all_reached(consumer, topic, ends):
    positions = consumer.position([TopicPartition(topic, each) for each in ends])
    return all(each.offset >= ends[each.partition] or ends[each.partition] == 0 for each in positions)


def generation(consumer):
    """The client shows it only within what it hands to transactional producers."""
    metadata = consumer.consumer_group_metadata()
    start = len(METADATA_MAGIC)
    if not metadata.startswith(METADATA_MAGIC):
        return None
    return int.from_bytes(metadata[start:start + 4], sys.byteorder, signed=True)


def member(settings, story):
    consumer = Consumer({
        **consumer_settings(settings, story),
        'auto.offset.reset': 'earliest',
        'group.protocol': settings.get('protocol', 'classic'),
        **({'session.timeout.ms': 6000, 'heartbeat.interval.ms': 500} if settings.get('protocol', 'classic') == 'classic' else {}),
    }, logger=logger_of(story))

    def assigned(client, partitions):
        known = generation(client)
        more = {} if known is None or known < 0 else {'generation': known}
        story.tell('assign', partitions=[each.partition for each in partitions], group=settings['group'], **more)

    consumer.subscribe([settings['topic']], on_assign=assigned)
    while not told_to_end():
        polls = tell_polled(consumer.consume(BATCH, POLL_S), story)
        if not polls:
            continue
        following = {}
        for partition, offset, _ in polls:
            following[partition] = offset + 1
        try:
            consumer.commit(
                offsets=[TopicPartition(settings['topic'], each, offset) for each, offset in following.items()],
                asynchronous=False)
        except KafkaException as error:
            # Fenced or cut off meanwhile: somebody reads these again.
            story.note('commit failed', error=error.args[0].name())
    consumer.close()
    story.note('member ended')


def main():
    role, settings = sys.argv[1], json.loads(sys.argv[2])
    story = Story(settings)
    if role == 'produce':
        produce(settings, story)
    elif role == 'read':
        read(settings, story)
    elif role == 'fresh':
        read(settings, story, ends={})
    else:
        member(settings, story)
    sys.stdout.flush()


if __name__ == '__main__':
    main()

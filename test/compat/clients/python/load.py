"""An idempotent producer under load that outlives its broker.

usage: load.py BOOTSTRAP TOPIC PARTITIONS RECORDS_A_SECOND

Writes 0, 1, 2, ... to every partition, with padding of many lengths. Prints "PARTITION NUMBER OFFSET" for each
acknowledged record and "failed REASON" for one given up. Ends, everything flushed, when its stdin is closed; the last
line is "sent COUNT".
"""
import os
import select
import sys
import time

from confluent_kafka import Producer

FLUSH_S = 60
BURST_S = 0.01


def main():
    bootstrap, topic, partitions, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    producer = Producer({
        'bootstrap.servers': bootstrap,
        'client.id': 'load',
        'acks': 'all',
        'enable.idempotence': True,
        'linger.ms': 5,
        'message.timeout.ms': 300_000,
        'reconnect.backoff.ms': 50,
        'reconnect.backoff.max.ms': 200,
        'retry.backoff.ms': 50,
        'socket.timeout.ms': 10_000,
        'queue.buffering.max.messages': 20_000,
        'log_level': 0,
    })
    out = sys.stdout

    def acknowledged(error, message):
        if error is not None:
            out.write(f'failed {error.name()}: {error.str()}\n')
        else:
            number = int(message.value()[:12])
            out.write(f'{message.partition()} {number} {message.offset()}\n')

    padding = [os.urandom(length).hex().encode() for length in (0, 5, 40, 150, 700, 3000)]
    number = 0
    sent = 0
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(max(1, int(rate * BURST_S / partitions))):
            value = b'%012d' % number + padding[number % 6 if number % 50 == 0 else number % 4]
            for partition in range(partitions):
                while True:
                    try:
                        producer.produce(topic, partition=partition, value=value, on_delivery=acknowledged)
                        sent += 1
                        break
                    except BufferError:
                        producer.poll(0.05)
            number += 1
        producer.poll(0)
        out.flush()
        due += BURST_S
        pause = due - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        else:
            due = time.monotonic()
    left = producer.flush(FLUSH_S)
    if left:
        out.write(f'failed {left} records never acknowledged\n')
    out.write(f'sent {sent}\n')
    out.flush()


if __name__ == '__main__':
    main()

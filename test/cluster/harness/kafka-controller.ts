/** Who the active controller of an Apache Kafka is: only DescribeQuorum tells, which Sluice does not declare. */
import type { Wire } from '../../support/wire.ts';

const DESCRIBE_QUORUM = 55;
const TOPIC = '__cluster_metadata';
const CORRELATION_ID = 9;
const ANSWER_TIMEOUT_MS = 2000;

/** Version 0, header version 2, with its size in front. */
function request(): Buffer {
  const name = Buffer.from(TOPIC);
  const header = Buffer.alloc(11);
  header.writeInt16BE(DESCRIBE_QUORUM, 0);
  header.writeInt32BE(CORRELATION_ID, 4);
  // No client id; then no tagged fields.
  header.writeInt16BE(-1, 8);
  const body = Buffer.concat([
    Buffer.from([2, name.length + 1]),
    name,
    // One partition, number 0, and the ends of three structures without tagged fields.
    Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]),
  ]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(header.length + body.length);
  return Buffer.concat([size, header, body]);
}

/** Undefined where the broker does not tell. Closes the connection. */
export async function kafkaController(wire: Wire): Promise<number | undefined> {
  try {
    await wire.write(request());
    const answer = await wire.read(ANSWER_TIMEOUT_MS);
    if (answer.kind !== 'frame') return undefined;
    // Correlation id, tags, error, one topic with its name, one partition: number, error, leader.
    const at = 4 + 1 + 2 + 1 + 1 + TOPIC.length + 1 + 4 + 2;
    return answer.frame.length >= at + 4 ? answer.frame.readInt32BE(at) : undefined;
  } catch {
    return undefined;
  } finally {
    wire.close();
  }
}

/**
 * A connection as a stranger holds it: sends whatever bytes it is given, right or wrong, and tells what came back: a
 * frame, the end of the connection, or nothing. Owned by tests; the product's own channel refuses to be this careless.
 */
import { connect, type Socket } from 'node:net';
import { decodeResponseFrame, encodeRequestFrame } from '../../src/protocol/frames.ts';
import type { Api, Field, Fields } from '../../src/protocol/schema.ts';
import { includesVersion } from '../../src/protocol/versions.ts';

/** A decoded message, or a part of one, as far as a test cares. */
export type Body = Record<string, unknown>;

export type Answer =
  | { readonly kind: 'reply'; readonly body: Body }
  | { readonly kind: 'closed' }
  /** Nothing came within the time. */
  | { readonly kind: 'silent' };

export type FrameAnswer = { readonly kind: 'frame'; readonly frame: Buffer } | Exclude<Answer, { kind: 'reply' }>;

const ANSWER_TIMEOUT_MS = 10_000;
const CLIENT_ID = 'wire';

export class Wire {
  readonly #address: { readonly port: number; readonly host: string };
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #frames: Buffer[] = [];
  #waiters: ((answer: FrameAnswer) => void)[] = [];
  #correlationId = 0;

  constructor(port: number, host = '127.0.0.1') {
    this.#address = { port, host };
  }

  get open(): boolean {
    return this.#socket !== undefined;
  }

  /** Opens a connection unless there is one. */
  async connect(): Promise<void> {
    if (this.#socket !== undefined) return;
    const socket = connect(this.#address);
    this.#received = Buffer.alloc(0);
    this.#frames = [];
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.setNoDelay(true);
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // A reset is one way of closing; `close` follows.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      for (const waiter of this.#waiters.splice(0)) waiter({ kind: 'closed' });
    });
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      if (this.#received.length < 4) return;
      const end = 4 + this.#received.readInt32BE(0);
      if (this.#received.length < end) return;
      const frame = this.#received.subarray(4, end);
      this.#received = this.#received.subarray(end);
      const waiter = this.#waiters.shift();
      if (waiter === undefined) this.#frames.push(frame);
      else waiter({ kind: 'frame', frame });
    }
  }

  /** Sends bytes as they are, over a new connection if the last one was closed. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.connect();
    this.#socket!.write(bytes);
  }

  /** The next frame without its size. Answers come in the order of the calls. */
  read(timeoutMs: number = ANSWER_TIMEOUT_MS): Promise<FrameAnswer> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve({ kind: 'frame', frame });
    if (this.#socket === undefined) return Promise.resolve({ kind: 'closed' });
    return new Promise((resolve) => {
      const waiter = (answer: FrameAnswer): void => {
        clearTimeout(timer);
        resolve(answer);
      };
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((each) => each !== waiter);
        resolve({ kind: 'silent' });
      }, timeoutMs);
      this.#waiters.push(waiter);
    });
  }

  /** The frame of a request; fields that the version does not have are left out of `body`. */
  frame(api: Api, version: number, body: Body): Buffer {
    this.#correlationId += 1;
    const header = { correlationId: this.#correlationId, clientId: CLIENT_ID };
    return Buffer.concat(encodeRequestFrame(api, version, header, fitted(api.request.fields, version, body)));
  }

  async ask(api: Api, version: number, body: Body, timeoutMs?: number): Promise<Answer> {
    await this.write(this.frame(api, version, body));
    const answer = await this.read(timeoutMs);
    // An answer that came late would be taken for that of the next request.
    if (answer.kind === 'silent') this.close();
    return decodeAnswer(api, version, answer);
  }

  /** As `ask`, for tests that only go on with a reply. */
  async reply(api: Api, version: number, body: Body, timeoutMs?: number): Promise<Body> {
    const answer = await this.ask(api, version, body, timeoutMs);
    if (answer.kind !== 'reply') throw new Error(`${api.name} version ${version}: ${answer.kind} in place of a reply`);
    return answer.body;
  }

  /** One more connection to the same address. */
  another(): Wire {
    return new Wire(this.#address.port, this.#address.host);
  }

  /** Lets the peer see the end of our stream. */
  end(): void {
    this.#socket?.end();
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    for (const waiter of this.#waiters.splice(0)) waiter({ kind: 'closed' });
  }
}

export function decodeAnswer(api: Api, version: number, answer: FrameAnswer): Answer {
  if (answer.kind !== 'frame') return answer;
  return { kind: 'reply', body: decodeResponseFrame(api, version, answer.frame).body as Body };
}

/** `body` without the fields that `version` lacks, at any depth: one body serves all versions of an API. */
export function fitted(fields: Fields, version: number, body: Body): Body {
  const kept: Body = {};
  for (const [name, value] of Object.entries(body)) {
    const field = fields[name];
    if (field === undefined) throw new Error(`there is no field ${name}`);
    if (includesVersion(field.versions, version)) kept[name] = fittedValue(field, version, value);
  }
  return kept;
}

function fittedValue(field: Field, version: number, value: unknown): unknown {
  if (value === null || value === undefined) return value;
  if (field.kind === 'struct') return fitted(field.fields!, version, value as Body);
  if (field.kind !== 'array') return value;
  return (value as unknown[]).map((element) => fittedValue(field.element!, version, element));
}

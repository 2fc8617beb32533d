/**
 * The way to the active controller from any broker: clients' requests as they came (in an Envelope), and this broker's
 * own. Where this node is the active controller they are answered here. Waits while there is no controller, within limits.
 */
import type { Clock } from '../base/clock.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { Channel } from '../network/channel.ts';
import { FRAME_PREFIX_BYTES } from '../network/frame-reader.ts';
import { envelope } from '../protocol/apis/envelope.ts';
import { joinParts } from '../protocol/codec.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../protocol/frames.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../protocol/schema.ts';

export interface ControllerGatewayDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly quorum: Pick<MetadataQuorum, 'isActiveController' | 'controllerAddress' | 'obstacle'>;
  readonly connect: (address: { readonly host: string; readonly port: number }) => Promise<Channel>;
  /** Answers a request frame here: both without their size. Undefined where it makes no sense. */
  readonly answer: (frame: Buffer) => Promise<Buffer | undefined>;
}

const RETRY_MS = 50;
const ENVELOPE_VERSION = envelope.request.versions.to;
const NO_ADDRESS = Buffer.alloc(0);

export class ControllerGateway {
  readonly #timeoutMs: number;
  readonly #patienceMs: number;
  readonly #dependencies: ControllerGatewayDependencies;
  #channel: { readonly address: string; readonly opening: Promise<Channel> } | undefined;
  #closed = false;

  /** `timeoutMs` bounds what a request may take, `patienceMs` the wait for a controller to send it to. */
  constructor(
    options: { readonly timeoutMs: number; readonly patienceMs: number },
    dependencies: ControllerGatewayDependencies,
  ) {
    this.#timeoutMs = options.timeoutMs;
    this.#patienceMs = options.patienceMs;
    this.#dependencies = dependencies;
  }

  /** Whether this node answers what is for the controller. */
  get isHere(): boolean {
    return this.#dependencies.quorum.isActiveController();
  }

  /**
   * Passes on a client's request, header included and without its size, and resolves with the response, header included.
   * Undefined where no controller took it in time, and where this node has become the controller.
   */
  async forward(frame: Buffer): Promise<Buffer | undefined> {
    const body = { requestData: frame, requestPrincipal: null, clientHostAddress: NO_ADDRESS };
    const deadlineMs = this.#now() + this.#patienceMs;
    while (!this.isHere && !this.#closed && this.#now() < deadlineMs) {
      try {
        const channel = await this.#open();
        const answer = await channel.request(envelope, ENVELOPE_VERSION, body, { timeoutMs: this.#timeoutMs });
        if (answer.errorCode === ErrorCode.NONE && answer.responseData !== null) return answer.responseData;
        if (answer.errorCode !== ErrorCode.NOT_CONTROLLER) return undefined;
      } catch (error) {
        this.#dependencies.logger.debug('a request did not reach the controller', { reason: messageOf(error) });
      }
      // There will be none for a while.
      if (this.#dependencies.quorum.obstacle !== undefined) return undefined;
      await this.#pause();
    }
    return undefined;
  }

  /**
   * Makes a request of this broker's own, in the newest version. Waits for a controller that takes it; rejects with a
   * SluiceError where there is none in time, and where one took it and the answer was lost: the outcome is then unknown.
   */
  async request<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    body: EncodableFields<Req>,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<DecodedFields<Res>> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const version = api.request.versions.to;
    const deadlineMs = this.#now() + Math.min(timeoutMs, this.#patienceMs);
    for (;;) {
      if (this.isHere) return this.#answerHere(api, version, body);
      try {
        const channel = await this.#open();
        return await channel.request(api, version, body, { timeoutMs });
      } catch (error) {
        if (!neverSent(error) || this.#closed || this.#now() >= deadlineMs) throw error;
      }
      await this.#pause();
    }
  }

  async #answerHere<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    version: number,
    body: EncodableFields<Req>,
  ): Promise<DecodedFields<Res>> {
    const frame = joinParts(encodeRequestFrame(api, version, { correlationId: 0, clientId: 'controller' }, body));
    const response = await this.#dependencies.answer(frame.subarray(FRAME_PREFIX_BYTES));
    if (response === undefined) throw new SluiceError('NOT_CONTROLLER', `${api.name} was not answered`);
    return decodeResponseFrame(api, version, response).body;
  }

  /** The one channel to the controller as it is known now. Rejects with NO_CONTROLLER where none is. */
  async #open(): Promise<Channel> {
    const address = this.#dependencies.quorum.controllerAddress();
    if (address === undefined) {
      const why = this.#dependencies.quorum.obstacle ?? 'there is no active controller at the moment';
      throw new SluiceError('NO_CONTROLLER', why, { retriable: true });
    }
    const key = `${address.host}:${address.port}`;
    const known = this.#channel;
    if (known?.address === key) {
      const channel = await known.opening.catch(() => undefined);
      if (channel?.open === true) return channel;
    }
    if (this.#channel === known) {
      if (known !== undefined) closeQuietly(known.opening);
      this.#channel = { address: key, opening: this.#dependencies.connect(address) };
    }
    return this.#channel!.opening;
  }

  #now(): number {
    return this.#dependencies.clock.monotonicMs();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#dependencies.clock.after(RETRY_MS, resolve);
    });
  }

  /** Refuses what waits. */
  close(): void {
    this.#closed = true;
    if (this.#channel !== undefined) closeQuietly(this.#channel.opening);
  }
}

function closeQuietly(opening: Promise<Channel>): void {
  opening.then(
    (channel) => channel.close(),
    () => undefined,
  );
}

/** Whether a failed request has certainly not been acted on. */
function neverSent(error: unknown): boolean {
  return error instanceof SluiceError && ['NO_CONTROLLER', 'BROKER_UNREACHABLE', 'CHANNEL_CLOSED'].includes(error.code);
}

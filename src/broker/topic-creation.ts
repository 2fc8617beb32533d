/** Creates topics on first use (`auto.create.topics.enable`): one attempt at a time a topic, whoever asks for it. */
import type { Controller } from '../controller/controller.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

type Outcomes = ReadonlyMap<string, ErrorCode>;

const CREATION_TIMEOUT_MS = 30_000;

export class TopicCreation {
  readonly #controller: Controller;
  readonly #enabled: () => boolean;
  readonly #underWay = new Map<string, Promise<Outcomes>>();

  constructor(options: { readonly enabled: () => boolean }, dependencies: { readonly controller: Controller }) {
    this.#enabled = options.enabled;
    this.#controller = dependencies.controller;
  }

  /** Tries to create all; answers the error of each that does not exist afterwards. */
  async create(names: readonly string[]): Promise<Outcomes> {
    const failures = new Map<string, ErrorCode>();
    if (!this.#enabled()) return failures;
    this.#begin(names.filter((name) => !this.#underWay.has(name)));
    await Promise.all(
      names.map(async (name) => {
        const outcomes = await this.#underWay.get(name);
        const errorCode = outcomes?.get(name) ?? ErrorCode.UNKNOWN_SERVER_ERROR;
        if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) failures.set(name, errorCode);
      }),
    );
    return failures;
  }

  /** One request for all, so that the limit on what a request may create holds here too. */
  #begin(names: readonly string[]): void {
    if (names.length === 0) return;
    const attempt = this.#attempt(names).finally(() => {
      for (const name of names) this.#underWay.delete(name);
    });
    for (const name of names) this.#underWay.set(name, attempt);
  }

  async #attempt(names: readonly string[]): Promise<Outcomes> {
    const { topics } = await this.#controller.createTopics({
      topics: names.map((name) => ({ name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] })),
      timeoutMs: CREATION_TIMEOUT_MS,
      validateOnly: false,
    });
    return new Map(topics.map(({ name, errorCode }) => [name, (errorCode ?? ErrorCode.NONE) as ErrorCode]));
  }
}

/** Creates topics on first use (`auto.create.topics.enable`): one attempt at a time a topic, whoever asks for it. */
import type { Controller } from '../controller/controller.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

export class TopicCreation {
  readonly #controller: Controller;
  readonly #enabled: () => boolean;
  readonly #underWay = new Map<string, Promise<ErrorCode>>();

  constructor(options: { readonly enabled: () => boolean }, dependencies: { readonly controller: Controller }) {
    this.#enabled = options.enabled;
    this.#controller = dependencies.controller;
  }

  /** Tries to create all; answers the error of each that does not exist afterwards. */
  async create(names: readonly string[]): Promise<ReadonlyMap<string, ErrorCode>> {
    const failures = new Map<string, ErrorCode>();
    if (!this.#enabled()) return failures;
    await Promise.all(
      names.map(async (name) => {
        const errorCode = await this.#createOnce(name);
        if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) failures.set(name, errorCode);
      }),
    );
    return failures;
  }

  #createOnce(name: string): Promise<ErrorCode> {
    let attempt = this.#underWay.get(name);
    if (attempt === undefined) {
      attempt = this.#attempt(name).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, attempt);
    }
    return attempt;
  }

  async #attempt(name: string): Promise<ErrorCode> {
    const { topics } = await this.#controller.createTopics({
      topics: [{ name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }],
      timeoutMs: 30_000,
      validateOnly: false,
    });
    const errorCode = topics[0]?.errorCode;
    return (errorCode as ErrorCode | undefined) ?? ErrorCode.UNKNOWN_SERVER_ERROR;
  }
}

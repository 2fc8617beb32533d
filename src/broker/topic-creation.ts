/** Creates topics on first use (`auto.create.topics.enable`): one attempt at a time a topic, whoever asks for it. */
import { SluiceError } from '../base/errors.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { CreateTopics } from './controller-requests.ts';

type Outcomes = ReadonlyMap<string, ErrorCode>;

export class TopicCreation {
  readonly #create: CreateTopics;
  readonly #enabled: () => boolean;
  readonly #underWay = new Map<string, Promise<Outcomes>>();

  constructor(options: { readonly enabled: () => boolean }, dependencies: { readonly create: CreateTopics }) {
    this.#enabled = options.enabled;
    this.#create = dependencies.create;
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
    const topics = names.map((name) => {
      return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] };
    });
    try {
      const answer = await this.#create(topics);
      return new Map(answer.topics.map(({ name, errorCode }) => [name, outcomeOf(errorCode ?? ErrorCode.NONE)]));
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      return new Map(names.map((name) => [name, ErrorCode.LEADER_NOT_AVAILABLE]));
    }
  }
}

/** Without a controller there will be a topic later, perhaps: the client asks again. */
function outcomeOf(errorCode: number): ErrorCode {
  return errorCode === ErrorCode.NOT_CONTROLLER ? ErrorCode.LEADER_NOT_AVAILABLE : (errorCode as ErrorCode);
}

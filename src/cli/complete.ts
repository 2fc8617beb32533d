/** What may stand at the end of a command line that is being typed, as the grammar has it. Pure; names come from elsewhere. */
import type { Command, Option } from 'commander';
import { brokerOptions } from '../config/broker-options.ts';
import { topicOptions } from '../config/topic-options.ts';
import type { ConnectionOptions } from './connection-options.ts';

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** Names that only a cluster or the user's configuration knows. */
export type NameKind = 'topics' | 'groups' | 'brokers' | 'profiles';

export interface Completion {
  /** What is typed already of the word; candidates begin with it. */
  readonly prefix: string;
  readonly candidates: readonly Candidate[];
  readonly names: NameKind | undefined;
  readonly files: boolean;
  /** Where to ask for names. */
  readonly connection: ConnectionOptions;
}

/** What the placeholder of an argument or option stands for. */
const NAMES: Readonly<Record<string, NameKind>> = {
  ...{ topic: 'topics', topics: 'topics', 'name[:partitions]': 'topics' },
  ...{ group: 'groups', groups: 'groups', broker: 'brokers', profile: 'profiles', profiles: 'profiles' },
};
const FILES = new Set(['file', 'files', 'dir', 'directories']);
const WORDS: Readonly<Record<string, readonly string[]>> = {
  offset: ['start', 'end', '-10', '+10', '@-1h', ':end'],
  time: ['now', '-1h', '-1d'],
  duration: ['5s', '1m', '1h'],
  format: ['value', 'key-value', 'json'],
  state: ['stable', 'empty', 'preparing-rebalance', 'completing-rebalance', 'dead'],
  type: ['classic', 'consumer'],
};

/** `words` are those behind the command's name; the last one is being typed and may be empty. */
export function completionOf(program: Command, words: readonly string[]): Completion {
  const current = words.at(-1) ?? '';
  const line = new Line(program);
  for (const word of words.slice(0, -1)) line.take(word);
  const { command, waiting, connection } = line;
  const none = { prefix: current, candidates: [], names: undefined, files: false, connection };
  if (waiting !== undefined) return { ...none, ...valuesOf(waiting, line) };
  const assigned = /^(--[^=]+)=(.*)$/s.exec(current);
  if (assigned !== null) {
    const option = line.option(assigned[1]!);
    const values: Values = option === undefined ? {} : valuesOf(option, line);
    const candidates = (values.candidates ?? []).map(({ word, description }) => {
      return { word: `${assigned[1]}=${word}`, description };
    });
    return { ...none, candidates };
  }
  if (current.startsWith('-') && !line.onlyArguments) return { ...none, candidates: line.options() };
  if (command.commands.length > 0) {
    const candidates = command.commands.map((each) => ({ word: each.name(), description: each.description() }));
    return { ...none, candidates };
  }
  const { registeredArguments: places } = command;
  const place = places[line.args.length] ?? (places.at(-1)?.variadic ? places.at(-1) : undefined);
  if (place === undefined) return { ...none, candidates: line.options() };
  if (place.argChoices !== undefined) return { ...none, candidates: plain(place.argChoices) };
  const ofType = command.parent?.name() === 'config' ? line.args[0] : undefined;
  return { ...none, ...byPlaceholder(ofType ?? place.name()) };
}

/** A command line read up to the word that is being typed. */
class Line {
  command: Command;
  /** The option whose value comes next. */
  waiting: Option | undefined;
  /** Arguments of the command so far. */
  readonly args: string[] = [];
  /** Behind `--`. */
  onlyArguments = false;
  connection: { -readonly [K in keyof ConnectionOptions]: string } = {};
  readonly #given = new Set<string>();

  constructor(program: Command) {
    this.command = program;
  }

  take(word: string): void {
    if (this.waiting !== undefined) {
      this.#note(this.waiting, word);
      this.waiting = undefined;
    } else if (word === '--') this.onlyArguments = true;
    else if (word.startsWith('-') && word !== '-' && !this.onlyArguments) this.#takeOption(word);
    else {
      const next = this.command.commands.find((each) => each.name() === word || each.aliases().includes(word));
      if (next === undefined) this.args.push(word);
      else this.command = next;
    }
  }

  #takeOption(word: string): void {
    const [, name, value] = /^(-[^-]|--[^=]+)=?(.*)$/s.exec(word) ?? [];
    const option = this.option(name ?? '');
    if (option === undefined) return;
    this.#given.add(option.attributeName());
    if (!option.required && !option.optional) return;
    if (value) this.#note(option, value);
    else if (option.required) this.waiting = option;
  }

  #note(option: Option, value: string): void {
    const name = option.attributeName();
    if (name === 'brokers' || name === 'profile') this.connection[name] = value;
  }

  option(flag: string): Option | undefined {
    return this.command.options.find(({ long, short }) => long === flag || short === flag);
  }

  /** Those that are not given yet, or may be given again. */
  options(): Candidate[] {
    return this.command.options
      .filter(
        (option) => !option.hidden && (Array.isArray(option.defaultValue) || !this.#given.has(option.attributeName())),
      )
      .map(({ long, short, description }) => ({ word: long ?? short ?? '', description }))
      .concat({ word: '--help', description: 'tell about this command' });
  }
}

type Values = Partial<Pick<Completion, 'candidates' | 'names' | 'files'>>;

const ASSIGNING = new Set(['--config', '--set', '--append', '--subtract']);
const NAMING = new Set(['--reset', '--option']);

function valuesOf(option: Option, line: Line): Values {
  if (option.argChoices !== undefined) return { candidates: plain(option.argChoices) };
  const placeholder = /[<[]([^>\]]*\]?[^>\]]*)[>\]]$/.exec(option.flags)?.[1] ?? '';
  const configs = configsOf(line);
  if (configs !== undefined && ASSIGNING.has(option.long ?? '')) return { candidates: assignments(configs) };
  if (configs !== undefined && NAMING.has(option.long ?? '')) return { candidates: describedBy(configs) };
  return byPlaceholder(placeholder);
}

function byPlaceholder(placeholder: string): Values {
  if (Object.hasOwn(NAMES, placeholder)) return { names: NAMES[placeholder] };
  if (FILES.has(placeholder)) return { files: true };
  return Object.hasOwn(WORDS, placeholder) ? { candidates: plain(WORDS[placeholder]!) } : {};
}

function plain(words: readonly string[]): Candidate[] {
  return words.map((word) => ({ word, description: '' }));
}

/** What the configs that a command is about may be. */
function configsOf({ command, args }: Line): Described | undefined {
  const noun = command.parent?.name();
  if (noun === 'topics' || (noun === 'config' && args[0] === 'topic')) return topicOptions;
  const isBroker = command.name() === 'start' || command.name() === 'explain' || args[0] === 'broker';
  return isBroker ? brokerOptions : undefined;
}

type Described = Readonly<Record<string, { readonly doc: string; readonly internal?: boolean }>>;

function describedBy(options: Described): Candidate[] {
  return Object.entries(options)
    .filter(([, { internal }]) => internal !== true)
    .map(([word, { doc }]) => ({ word, description: doc }));
}

function assignments(options: Described): Candidate[] {
  return describedBy(options).map(({ word, description }) => ({ word: `${word}=`, description }));
}

/** `sluice profile`: names for clusters, so that nobody types addresses twice. */
import type { Command } from 'commander';
import { SluiceError } from '../base/errors.ts';
import { parseBootstrapServers } from '../client/bootstrap.ts';
import { type JsonOptions, jsonOption } from './connection-options.ts';
import { printRows, type Row, remark } from './output.ts';
import { namedProfile, type Profiles, profilesPath, readProfiles, writeProfiles } from './profiles.ts';

interface CreateOptions extends JsonOptions {
  readonly brokers: string;
  readonly use: boolean;
}

const COLUMNS = ['name', 'brokers', 'current'];
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

export function addProfileCommand(program: Command): void {
  const profile = program
    .command('profile')
    .description('names for clusters: create, use, list, delete')
    .addHelpText('after', () => `\nProfiles are kept in ${profilesPath()}.`);
  const command = (usage: string, description: string): Command =>
    profile.command(usage).description(description).addOption(jsonOption());

  command('create <name>', 'name a cluster, or give a name other brokers; the first one is used at once')
    .requiredOption('-b, --brokers <list>', 'HOST:PORT of one or more brokers, with commas between')
    .option('--use', 'use it from now on', false)
    .action(create);
  command('use [profile]', 'use a profile wherever no brokers are given; without a name, use none').action(use);
  command('list', 'list profiles').action((options: JsonOptions) => {
    show(readProfiles(), options);
  });
  command('delete <profiles...>', 'forget profiles').action(forget);
}

function create(name: string, options: CreateOptions): void {
  if (!NAME.test(name)) {
    throw new SluiceError('INVALID_ARGUMENT', `${name}: a profile's name has letters, digits, dots, dashes`);
  }
  parseBootstrapServers(options.brokers);
  const { current, profiles } = readProfiles();
  const changed = { ...profiles, [name]: { brokers: options.brokers } };
  const next = { current: options.use || current === null ? name : current, profiles: changed };
  writeProfiles(next);
  show(next, options, [name]);
}

function use(name: string | undefined, options: JsonOptions): void {
  if (name !== undefined) namedProfile(name);
  const next = { ...readProfiles(), current: name ?? null };
  writeProfiles(next);
  if (name !== undefined || options.json) show(next, options, name === undefined ? [] : [name]);
  else remark('no profile is used any more');
}

function forget(names: readonly string[], options: JsonOptions): void {
  for (const name of names) namedProfile(name);
  const { current, profiles } = readProfiles();
  const left = Object.fromEntries(Object.entries(profiles).filter(([name]) => !names.includes(name)));
  writeProfiles({ current: current !== null && names.includes(current) ? null : current, profiles: left });
  printRows(
    names.map((name) => ({ name, deleted: true })),
    { json: options.json, columns: ['name', 'deleted'] },
  );
}

function show({ current, profiles }: Profiles, { json }: JsonOptions, names = Object.keys(profiles)): void {
  const rows = names.map((name): Row => ({ name, brokers: profiles[name]!.brokers, current: name === current }));
  printRows(rows, { json, columns: COLUMNS });
}

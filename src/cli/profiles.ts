/**
 * Named places to connect to, kept in one file of the user's: `$XDG_CONFIG_HOME/sluice/profiles.json`, where the one in
 * use is named as well.
 */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { disk } from '../base/disk.ts';
import { messageOf, SluiceError } from '../base/errors.ts';

export interface Profile {
  readonly brokers: string;
}

export interface Profiles {
  /** Name of the profile in use; null where there is none. */
  readonly current: string | null;
  readonly profiles: Readonly<Record<string, Profile>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function profilesPath(environment: Environment = process.env): string {
  return join(environment['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'sluice', 'profiles.json');
}

/** Throws a SluiceError PROFILES_UNREADABLE for a file that is not what this command writes. */
export function readProfiles(environment: Environment = process.env): Profiles {
  const path = profilesPath(environment);
  if (!disk.exists(path)) return { current: null, profiles: {} };
  try {
    const { current = null, profiles = {} } = JSON.parse(disk.readFile(path).toString('utf8')) as Partial<Profiles>;
    const isWhole = Object.values(profiles).every(({ brokers }) => typeof brokers === 'string');
    if (!isWhole) throw new Error('a profile has no brokers');
    return { current, profiles };
  } catch (error) {
    throw new SluiceError('PROFILES_UNREADABLE', `${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
      remedy: 'Mend the file, or remove it and create the profiles again.',
    });
  }
}

export function writeProfiles(profiles: Profiles, environment: Environment = process.env): void {
  const path = profilesPath(environment);
  try {
    disk.makeDirectory(dirname(path));
    disk.replaceFile(path, Buffer.from(`${JSON.stringify(profiles, undefined, 2)}\n`));
  } catch (error) {
    throw new SluiceError('PROFILES_UNWRITABLE', `${path} cannot be written: ${messageOf(error)}`, {
      cause: error,
      remedy: 'Set XDG_CONFIG_HOME to a directory that you may write to.',
    });
  }
}

/** Throws a SluiceError UNKNOWN_PROFILE. */
export function namedProfile(name: string, environment: Environment = process.env): Profile {
  const { profiles } = readProfiles(environment);
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return profile;
  const known = Object.keys(profiles);
  throw new SluiceError('UNKNOWN_PROFILE', `there is no profile ${name}`, {
    remedy:
      known.length === 0
        ? `Make it with sluice profile create ${name} --brokers HOST:PORT`
        : `Choose from ${known.join(', ')}, or make it with sluice profile create ${name} --brokers HOST:PORT`,
  });
}

/** The profile in use, if there is one. */
export function currentProfile(environment: Environment = process.env): Profile | undefined {
  const { current, profiles } = readProfiles(environment);
  return current !== null && Object.hasOwn(profiles, current) ? profiles[current] : undefined;
}

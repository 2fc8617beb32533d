import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { brokersOf } from './connection-options.ts';
import { namedProfile, profilesPath, readProfiles, writeProfiles } from './profiles.ts';

const home = makeTemporaryDirectory('sluice-profiles');
const environment = { XDG_CONFIG_HOME: home };

beforeEach(() => {
  rmSync(join(home, 'sluice'), { recursive: true, force: true });
});
after(() => {
  rmSync(home, { recursive: true, force: true });
});

test('profiles are kept where the user keeps configuration', () => {
  assert.deepEqual(readProfiles(environment), { current: null, profiles: {} });
  const profiles = { current: 'one', profiles: { one: { brokers: 'a:1' } } };
  writeProfiles(profiles, environment);
  assert.equal(profilesPath(environment), join(home, 'sluice', 'profiles.json'));
  assert.deepEqual(readProfiles(environment), profiles);
});

test('a file that is none of ours is told, and never overwritten unread', () => {
  writeProfiles({ current: null, profiles: {} }, environment);
  for (const text of ['', '{', '[1]', '{"profiles":{"one":{}}}', '{"profiles":{"one":null}}']) {
    writeFileSync(profilesPath(environment), text);
    if (text === '[1]') assert.deepEqual(readProfiles(environment), { current: null, profiles: {} });
    else assert.throws(() => readProfiles(environment), { code: 'PROFILES_UNREADABLE' }, text);
  }
});

test('the brokers are those that were named most explicitly', () => {
  const profiles = { one: { brokers: 'one:1' }, two: { brokers: 'two:2' }, three: { brokers: 'three:3' } };
  writeProfiles({ current: 'three', profiles }, environment);
  const all = { ...environment, SLUICE_BROKERS: 'environment:0', SLUICE_PROFILE: 'two' };
  const withoutBrokers = { ...environment, SLUICE_PROFILE: 'two' };
  assert.equal(brokersOf({ brokers: 'flag:1', profile: 'one' }, all), 'flag:1');
  assert.equal(brokersOf({ profile: 'one' }, all), 'one:1');
  assert.equal(brokersOf({}, all), 'environment:0');
  assert.equal(brokersOf({}, withoutBrokers), 'two:2');
  assert.equal(brokersOf({}, environment), 'three:3');
  writeProfiles({ current: null, profiles }, environment);
  assert.equal(brokersOf({}, environment), 'localhost:9092');
});

test('a profile that is not there is refused with those that are', () => {
  writeProfiles({ current: null, profiles: { one: { brokers: 'a:1' } } }, environment);
  for (const name of ['none', 'constructor', '__proto__']) {
    assert.throws(() => namedProfile(name, environment), { code: 'UNKNOWN_PROFILE', remedy: /Choose from one/ }, name);
  }
});

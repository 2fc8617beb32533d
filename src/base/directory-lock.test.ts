import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { disk } from './disk.ts';
import { libc } from './libc.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const parent = makeTemporaryDirectory('sluice-lock');
after(() => rmSync(parent, { recursive: true, force: true }));

const diskUrl = new URL(import.meta.url.endsWith('.ts') ? './disk.ts' : './disk.js', import.meta.url).href;

function fresh(name: string): string {
  const directory = join(parent, name);
  mkdirSync(directory);
  return directory;
}

/** Takes the lock in another process, which then holds it until its standard input ends. */
async function holdInChild(directory: string, ffi: boolean): Promise<{ pid: number; kill: () => Promise<void> }> {
  const script = `const { disk } = await import(${JSON.stringify(diskUrl)});
    const lock = disk.lock(process.argv[1]); console.log('held'); process.stdin.on('end', () => lock.release()).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    env: { ...process.env, SLUICE_NO_FFI: ffi ? '0' : '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    pid: child.pid!,
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

for (const ffi of [true, false]) {
  const skip = ffi && libc === undefined ? 'koffi is not available' : false;
  const how = ffi ? 'with fcntl' : 'without fcntl';

  test(`a directory held by another process ${how} is refused until that process dies`, { skip }, async () => {
    const directory = fresh(`child-${ffi}`);
    const child = await holdInChild(directory, ffi);
    assert.throws(() => disk.lock(directory), {
      code: 'DIRECTORY_LOCKED',
      message: new RegExp(`in use by process ${child.pid}`),
    });
    await child.kill();
    disk.lock(directory).release();
  });
}

test('a directory is held once within one process, also under another spelling of its path', () => {
  const directory = fresh('same-process');
  const lock = disk.lock(directory);
  assert.throws(() => disk.lock(`${directory}/../same-process/`), { code: 'DIRECTORY_LOCKED' });
  lock.release();
  lock.release();
  const next = disk.lock(directory);
  assert.throws(() => disk.lock(directory), { code: 'DIRECTORY_LOCKED' });
  next.release();
  assert.deepEqual(readdirSync(directory), libc === undefined ? [] : ['.lock']);
});

test('an owner file whose process id was reused, or that is garbage, is taken over', () => {
  const directory = fresh('stale');
  for (const content of ['1 1\n', '999999999 5\n', '', 'garbage', `${process.ppid} 12345\n`]) {
    writeFileSync(join(directory, '.lock.owner'), content);
    disk.lock(directory).release();
    assert.equal(existsSync(join(directory, '.lock.owner')), false);
  }
});

const python = spawnSync('python3', ['--version']).status === 0;
test('a lock taken by another program with fcntl, as Apache Kafka does, is respected', {
  skip: libc === undefined ? 'koffi is not available' : !python && 'python3 is not installed',
}, async () => {
  const directory = fresh('foreign');
  const child = spawn(
    'python3',
    [
      '-c',
      'import fcntl,sys,time\nf=open(sys.argv[1],"a+")\nfcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\nprint("held",flush=True)\ntime.sleep(60)',
      join(directory, '.lock'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  assert.throws(() => disk.lock(directory), { code: 'DIRECTORY_LOCKED', message: new RegExp(`process ${child.pid}`) });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = disk.lock(directory);
  const probe = spawnSync('python3', [
    '-c',
    'import fcntl,sys\nf=open(sys.argv[1],"a+")\nfcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)',
    join(directory, '.lock'),
  ]);
  assert.notEqual(probe.status, 0, 'the foreign program is refused in turn');
  lock.release();
});

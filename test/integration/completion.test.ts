/** Completion as a shell does it: the script is loaded and run by the shell itself, against a broker in this process. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { MAIN, SluiceCommand } from '../support/sluice-command.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

let broker: TestBroker;
let wire: Wire;
let home = '';
let brokers = '';

before(async () => {
  home = makeTemporaryDirectory('sluice-completion');
  broker = await startTestBroker();
  wire = broker.wire();
  brokers = `127.0.0.1:${broker.port}`;
  await makeTopic(wire, 'orders');
  await makeTopic(wire, 'orders-eu');
  const sluice = new SluiceCommand({ brokers });
  await sluice.output(['groups', 'reset-offsets', 'billing', '--topic', 'orders', '--to-earliest', '--execute']);
  const shim = join(home, 'sluice');
  writeFileSync(shim, `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`);
  chmodSync(shim, 0o755);
  writeFileSync(join(home, 'input.txt'), '');
});

after(async () => {
  wire.close();
  await broker.close();
  rmSync(home, { recursive: true, force: true });
});

function run(program: string, args: readonly string[], at = brokers): Promise<{ stdout: string; stderr: string }> {
  const env = {
    ...{ PATH: `${home}:${process.env['PATH']}`, HOME: home, XDG_CONFIG_HOME: home },
    ...{ SLUICE_BROKERS: at, LC_ALL: 'C.UTF-8' },
  };
  return new Promise((resolve) => {
    execFile(program, args, { cwd: home, env }, (_, stdout, stderr) => resolve({ stdout, stderr }));
  });
}

/** What bash offers when the tab key is pressed behind `line`. */
async function bash(line: string, at = brokers): Promise<string[]> {
  const script = `
    source <(sluice completion bash)
    COMP_LINE=${quoted(line)}; COMP_POINT=\${#COMP_LINE}
    _sluice_complete
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await run('bash', ['-c', script], at);
  assert.equal(stderr.replaceAll(/.*compopt.*\n/g, ''), '');
  return stdout.split('\n').filter(Boolean);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function isThere(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0;
}

describe('bash', () => {
  it('completes commands, options, values and paths', async () => {
    assert.deepEqual(await bash('sluice top'), ['topics']);
    assert.deepEqual(await bash('sluice topics l'), ['list']);
    assert.deepEqual(await bash('sluice produce orders --comp'), ['--compression']);
    assert.deepEqual(await bash('sluice produce orders -z z'), ['zstd']);
    assert.deepEqual(await bash('sluice produce orders in'), ['input.txt']);
    assert.deepEqual(await bash('sluice topics create x --config retention.m'), ['retention.ms=']);
  });

  it('completes names that the cluster has', async () => {
    assert.deepEqual(await bash('sluice consume '), ['orders', 'orders-eu']);
    assert.deepEqual(await bash('sluice topics describe orders-'), ['orders-eu']);
    assert.deepEqual(await bash('sluice groups describe b'), ['billing']);
    assert.deepEqual(await bash('sluice cluster drain '), ['1']);
    assert.deepEqual(await bash(`sluice consume -b ${brokers} orders-`, 'localhost:1'), ['orders-eu']);
  });

  it('keeps what it has of a word with a colon or an equals sign', async () => {
    assert.deepEqual(await bash('sluice consume orders -o :e'), ['end']);
    assert.deepEqual(await bash('sluice produce orders --compression=z'), ['zstd']);
  });

  it('stays silent, and not for long, where nobody answers', async () => {
    assert.deepEqual(await bash('sluice consume ', 'localhost:1'), []);
    const deaf: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => deaf.once('listening', resolve));
    const startedMs = Date.now();
    const { port } = deaf.address() as { port: number };
    assert.deepEqual(await bash('sluice consume ', `127.0.0.1:${port}`), []);
    assert.ok(Date.now() - startedMs < 5000, 'a shell waits for a second and a start of Node');
    deaf.close();
  });
});

describe('other shells', () => {
  it('fish completes as bash does', { skip: !isThere('fish') }, async () => {
    const complete = async (line: string) => {
      const { stdout } = await run('fish', ['-c', `sluice completion fish | source; complete -C ${quoted(line)}`]);
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((each) => each.split('\t')[0]);
    };
    assert.deepEqual(await complete('sluice consume orders-'), ['orders-eu']);
    assert.deepEqual(await complete('sluice topics l'), ['list']);
    assert.deepEqual(await complete('sluice produce orders in'), ['input.txt']);
  });

  it('zsh loads its script and offers what there is', { skip: !isThere('zsh') }, async () => {
    const script = `
      compdef() { print "compdef $*" }
      _describe() { local name=$2; print -l -- "\${(@P)name}" }
      _files() { print files }
      source <(sluice completion zsh)
      words=(sluice consume orders-); CURRENT=3; PREFIX=orders-; _sluice
      words=(sluice produce orders ''); CURRENT=4; PREFIX=; _sluice
      words=(sluice consume ''); CURRENT=3; PREFIX=; _sluice`;
    const { stdout, stderr } = await run('zsh', ['-f', '-c', script]);
    assert.equal(stderr, '');
    assert.deepEqual(stdout.trim().split('\n'), [
      ...['compdef _sluice sluice', 'orders-eu:1 partition', 'files'],
      ...['orders:1 partition', 'orders-eu:1 partition'],
    ]);
  });
});

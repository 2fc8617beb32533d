/** The README's real cluster, followed to the letter on three hosts of their own: its files, its commands, one host lost. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endChild, endWithThisProcess } from '../compat/harness/program.ts';
import { sluiceMain } from '../compat/harness/sluice.ts';
import { createNetwork, type Host } from './harness/network.ts';
import { insideSandbox } from './harness/sandbox.ts';
import { zooKeeperInstalled } from './harness/zookeeper.ts';

const MACHINES = 3;
const ZOOKEEPER_PROGRAM = '/usr/share/zookeeper/bin/zkServer.sh';
const READY_MS = 60_000;

interface Machine {
  readonly number: number;
  readonly host: Host;
  readonly home: string;
}

function section(): { readonly files: readonly string[]; readonly commands: readonly string[] } {
  const readme = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');
  const [, after = ''] = readme.split('## A real cluster\n');
  const [text = ''] = after.split('\n## ');
  const blocks = (language: string): string[] =>
    [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map((match) => match[1]!);
  return { files: blocks('properties'), commands: blocks('sh').join('').trim().split('\n') };
}

/** The README's text with this world's addresses and directories. */
function here(text: string, machines: readonly Machine[], self?: Machine): string {
  let changed = text.replaceAll('/var/lib/', `${self?.home}/`);
  for (const { number, host } of machines) changed = changed.replaceAll(`10.0.0.${number}`, host.address);
  return changed;
}

function start(machine: Machine, command: readonly string[], output: string[]): ChildProcess {
  const [program, ...parameters] = [...machine.host.prefix, ...command];
  const child = spawn(program!, parameters, { stdio: ['ignore', 'pipe', 'pipe'], cwd: machine.home });
  endWithThisProcess(child);
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => void output.push(text));
  }
  return child;
}

async function until(what: string, holds: () => boolean, output: readonly string[]): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `${what}:\n${output.join('').slice(-4000)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Runs a line of the README in a shell in which `sluice` is this build. */
function run(line: string): string {
  const sluice = `sluice() { ${process.execPath} ${sluiceMain()} "$@"; }`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `${sluice}; set -o pipefail; ${line}`], {
    encoding: 'utf8',
    timeout: READY_MS,
  });
  assert.equal(status, 0, `${line}\n${stdout}\n${stderr}`);
  return stdout;
}

test("the README's cluster of three machines comes up as told and goes on without one of them", {
  skip: (!insideSandbox() || !zooKeeperInstalled()) && 'needs network namespaces and ZooKeeper',
}, async (context) => {
  const { files, commands } = section();
  const [zooCfg, serverProperties] = files;
  assert.ok(zooCfg !== undefined && serverProperties !== undefined && commands.length === 4);
  const root = mkdtempSync(join(tmpdir(), 'readme-cluster-'));
  const network = await createNetwork();
  const children: ChildProcess[] = [];
  context.after(async () => {
    await Promise.all(children.map((child) => endChild(child, 5000)));
    await network.close();
    rmSync(root, { recursive: true, force: true, maxRetries: 3 });
  });
  const machines: Machine[] = [];
  for (let number = 1; number <= MACHINES; number++) {
    const home = join(root, String(number));
    mkdirSync(join(home, 'zookeeper'), { recursive: true });
    machines.push({ number, home, host: await network.addHost(`m${number}`) });
  }

  const output: string[][] = [];
  for (const machine of machines) {
    writeFileSync(join(machine.home, 'zookeeper', 'myid'), `${machine.number}\n`);
    // Without its own port for administration two servers of one test could not run on one machine.
    writeFileSync(join(machine.home, 'zoo.cfg'), here(zooCfg, machines, machine));
    const command = [ZOOKEEPER_PROGRAM, 'start-foreground', join(machine.home, 'zoo.cfg')];
    children.push(start(machine, ['env', `ZOO_LOG_DIR=${machine.home}`, ...command], []));
  }
  for (const machine of machines) {
    const own = serverProperties
      .replace('node.id=1', `node.id=${machine.number}`)
      .replace('listeners=PLAINTEXT://10.0.0.1', `listeners=PLAINTEXT://10.0.0.${machine.number}`);
    writeFileSync(join(machine.home, 'server.properties'), here(own, machines, machine));
    const lines: string[] = [];
    output.push(lines);
    children.push(start(machine, [process.execPath, sluiceMain(), 'start', '--config', 'server.properties'], lines));
  }
  for (const lines of output) await until('a broker is ready', () => lines.join('').includes('is ready'), lines);

  const told = commands.map((line) => run(here(line, machines)));
  assert.match(told[0]!, /zookeeper/i);
  assert.match(told[3]!, /PARTITION/);

  const lost = machines[0]!;
  // Its ZooKeeper server and its broker.
  children[0]!.kill('SIGKILL');
  children[MACHINES]!.kill('SIGKILL');
  const left = machines.slice(1).map(({ host }) => `${host.address}:9092`);
  assert.ok(!left.some((address) => address.startsWith(`${lost.host.address}:`)));
  run(`seq 1001 2000 | sluice produce orders --brokers ${left.join(',')}`);
  const read = run(`sluice consume orders --from-beginning --max 2000 --format '%v\\n' --brokers ${left.join(',')}`);
  const values = read.trim().split('\n').map(Number);
  assert.deepEqual(
    values.sort((one, other) => one - other),
    Array.from({ length: 2000 }, (_, index) => index + 1),
  );
});

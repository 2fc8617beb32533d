/** Goes through all checks in an order in which each can rely on those before, and tells what was found. */
import { systemClock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { BrokerId } from '../../base/units.ts';
import { Admin } from '../../client/admin/admin.ts';
import { Cluster } from '../../client/cluster.ts';
import { type ClusterState, clusterState } from '../cluster-state.ts';
import { colours } from '../colours.ts';
import { clusterOptionsOf } from '../connection-options.ts';
import type { DoctorOptions } from '../doctor.ts';
import { ExitCode } from '../exit-codes.ts';
import { printJson, printLine, remark } from '../output.ts';
import { minInSyncReplicas } from '../show-topics.ts';
import { checkStamps } from './clock-checks.ts';
import * as clusterChecks from './cluster-checks.ts';
import { checkAdvertised, checkBootstrap } from './connection-checks.ts';
import { type Finding, Findings, type Severity } from './findings.ts';
import { checkMachine, thisMachine } from './machine-checks.ts';
import { probeByWriting } from './write-probe.ts';

/** A doctor does not wait as long as a program would. */
const PATIENCE = '5s';

export async function runDoctor(options: DoctorOptions): Promise<void> {
  const findings = new Findings(options.json ? undefined : (finding) => show(finding, options.verbose));
  checkMachine(thisMachine(), findings);
  const clusterOptions = clusterOptionsOf({ ...options, timeout: options.timeout ?? PATIENCE }, 'sluice-doctor');
  await using cluster = new Cluster(clusterOptions);
  const reached = await checkConnections(cluster, findings);
  if (reached !== undefined) await checkCluster(cluster, findings, { ...options, reached });
  conclude(findings, options);
  if (reached === undefined) process.exitCode = ExitCode.UNREACHABLE;
  else if (findings.count('error') > 0) process.exitCode = ExitCode.FAILED;
}

/** The brokers that answer where they tell clients to connect; undefined where nobody answers at all. */
async function checkConnections(cluster: Cluster, findings: Findings): Promise<ReadonlySet<BrokerId> | undefined> {
  const { bootstrap, connection } = cluster.options;
  const told = await checkBootstrap(bootstrap, connection, findings);
  if (told === undefined) return undefined;
  const brokers = await checkAdvertised(told, bootstrap, connection, findings);
  clusterChecks.checkVersions(brokers, findings);
  return new Set(brokers.keys());
}

type Step = readonly [check: string, look: () => Promise<void>];

async function checkCluster(
  cluster: Cluster,
  findings: Findings,
  { reached, write }: DoctorOptions & { readonly reached: ReadonlySet<BrokerId> },
): Promise<void> {
  const admin = new Admin(cluster);
  let state: ClusterState;
  try {
    state = await clusterState(admin, { sizes: false });
  } catch (error) {
    const remedy = 'Mend what is told above first: a client that cannot reach a broker cannot ask it.';
    findings.error('cluster', `the cluster cannot be asked: ${messageOf(error)}`, remedy);
    return;
  }
  clusterChecks.checkBrokers(state, findings);
  // What is wrong with one that does not answer has been told; asking it more only takes time.
  const up = state.brokers.filter(({ id, fenced }) => !fenced && reached.has(id)).map(({ id }) => id);
  const perBroker = up.flatMap((id): Step[] => [
    ['disk', async () => clusterChecks.checkDisks(await admin.describeLogDirectories({ brokers: [id] }), findings)],
    ['settings', () => clusterChecks.checkSettings(admin, id, findings)],
  ]);
  const steps: readonly Step[] = [
    [
      'partitions',
      async () =>
        clusterChecks.checkPartitions(state, { minInSync: await minInSyncReplicas(admin, topicsOf(state)) }, findings),
    ],
    ...perBroker,
    ['throttle', () => clusterChecks.checkMoves(admin, state, findings)],
    ['clock', () => checkStamps(admin, systemClock.wallMs(), findings)],
    ['write', async () => void (write && (await probeByWriting(cluster, admin, up, findings)))],
  ];
  for (const [check, step] of steps) {
    // One question that fails must not keep the others from being asked.
    await step().catch((error: unknown) => {
      findings.warning(
        check,
        `${check}: could not be looked at: ${messageOf(error)}`,
        'Run the doctor again; see the log of the brokers.',
      );
    });
  }
}

function topicsOf({ partitions }: ClusterState): string[] {
  return [...new Set(partitions.map(({ topic }) => topic))];
}

const SIGNS: Readonly<Record<Severity, string>> = {
  ok: colours.green('✓'),
  note: colours.cyan('·'),
  warning: colours.yellow('!'),
  error: colours.red('✗'),
};

function show({ severity, message, remedy }: Finding, verbose: boolean): void {
  if (severity === 'ok' && !verbose) return;
  printLine(`${SIGNS[severity]} ${message}`);
  if (remedy !== null) printLine(`  ${colours.dim('→')} ${remedy}`);
}

function conclude(findings: Findings, { json }: DoctorOptions): void {
  const [errors, warnings] = [findings.count('error'), findings.count('warning')];
  if (json) {
    printJson({ errors, warnings, findings: findings.all });
    return;
  }
  const inOrder = `${findings.count('ok')} things are in order`;
  if (errors + warnings === 0) remark(`${inOrder}, nothing is wrong`);
  else remark(`${errors} error${errors === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}; ${inOrder}`);
}

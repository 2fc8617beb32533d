/** Environment variables as options: KAFKA_LOG_RETENTION_MS is log.retention.ms, as in Kafka's container image. */
import { findBrokerOption } from './broker-options.ts';

const PREFIX = 'KAFKA_';

/**
 * The option that a variable sets, or undefined where there is none (KAFKA_HOME, KAFKA_OPTS, ...). One underscore is a
 * dot, two are an underscore, three are a dash.
 */
export function optionForVariable(variable: string): string | undefined {
  if (!variable.startsWith(PREFIX)) return undefined;
  const name = variable
    .slice(PREFIX.length)
    .toLowerCase()
    .replace(/_+/g, (run) => (run.length === 1 ? '.' : run.length === 2 ? '_' : run.length === 3 ? '-' : run));
  return findBrokerOption(name) === undefined ? undefined : name;
}

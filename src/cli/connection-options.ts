import { Option } from 'commander';

/** `--brokers HOST:PORT,...`: where every command that contacts a server begins. */
export function brokersOption(): Option {
  return new Option('--brokers <list>', 'HOST:PORT of one or more brokers, separated by commas')
    .env('SLUICE_BROKERS')
    .default('localhost:9092');
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON instead of a table').default(false);
}

/** Connection options in front of the command, where users of kubectl and rpk put them: every command takes them behind. */

const WITH_VALUE = new Set(['-b', '--brokers', '--profile', '--timeout']);
const SWITCHES = new Set(['--json']);

/** `--brokers a:1 topics list` → `topics list --brokers a:1`. What else stands in front stays there. */
export function behindTheCommand(args: readonly string[]): string[] {
  let at = 0;
  for (let next = args[at]; next !== undefined; next = args[at]) {
    if (WITH_VALUE.has(next)) at += 2;
    else if (SWITCHES.has(next) || WITH_VALUE.has(next.replace(/=.*$/s, ''))) at++;
    else break;
  }
  const leading = args.slice(0, at);
  const rest = args.slice(at);
  // Nothing behind a double dash is an option.
  const end = rest.includes('--') ? rest.indexOf('--') : rest.length;
  return rest.length === 0 ? [...args] : [...rest.slice(0, end), ...leading, ...rest.slice(end)];
}

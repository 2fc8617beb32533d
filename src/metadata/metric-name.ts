/**
 * The name under which a topic stands in metrics, where a dot and an underscore are one, or undefined for a name that
 * has neither and so cannot be taken for another.
 */
export function metricName(topic: string): string | undefined {
  return /[._]/.test(topic) ? topic.replaceAll('.', '_') : undefined;
}

/** Kafka's options of groups as the coordinator uses them, units last. Read anew for each use: some change at run time. */
export interface GroupSettings {
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  /** Wait for more members before a new group starts. */
  readonly initialRebalanceDelayMs: number;
  /** Most members of a classic group. */
  readonly maxMembers: number;
  readonly offsetMetadataMaxLength: number;
  readonly offsetsRetentionMs: number;
  readonly offsetsRetentionCheckMs: number;
}

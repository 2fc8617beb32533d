import { api, array, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('ListPartitionReassignmentsRequest', '0', '0+', {
  timeoutMs: int32('0+', { default: 60000 }),
  topics: array(
    '0+',
    {
      name: string('0+'),
      partitionIndexes: array('0+', int32('0+')),
    },
    { nullable: '0+', default: null },
  ),
});

const response = message('ListPartitionReassignmentsResponse', '0', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+' }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      replicas: array('0+', int32('0+')),
      addingReplicas: array('0+', int32('0+')),
      removingReplicas: array('0+', int32('0+')),
    }),
  }),
});

export const listPartitionReassignments = api({ key: 46, name: 'ListPartitionReassignments', request, response });

export type ListPartitionReassignmentsRequest = Decoded<typeof request>;
export type ListPartitionReassignmentsResponse = Encodable<typeof response>;

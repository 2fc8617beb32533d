import { api, array, bool, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('AlterPartitionReassignmentsRequest', '0-1', '0+', {
  timeoutMs: int32('0+', { default: 60000 }),
  allowReplicationFactorChange: bool('1+', { default: true }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      replicas: array('0+', int32('0+'), { nullable: '0+', default: null }),
    }),
  }),
});

const response = message('AlterPartitionReassignmentsResponse', '0-1', '0+', {
  throttleTimeMs: int32('0+'),
  allowReplicationFactorChange: bool('1+', { default: true, ignorable: true }),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+' }),
  responses: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    }),
  }),
});

export const alterPartitionReassignments = api({ key: 45, name: 'AlterPartitionReassignments', request, response });

export type AlterPartitionReassignmentsRequest = Decoded<typeof request>;
export type AlterPartitionReassignmentsResponse = Encodable<typeof response>;

import { api, array, type Decoded, type Encodable, int16, int32, int64, message, uuid } from '../schema.ts';

const request = message('AssignReplicasToDirsRequest', '0', '0+', {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
  directories: array('0+', {
    id: uuid('0+'),
    topics: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
      }),
    }),
  }),
});

const response = message('AssignReplicasToDirsResponse', '0', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  directories: array('0+', {
    id: uuid('0+'),
    topics: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  }),
});

export const assignReplicasToDirs = api({ key: 73, name: 'AssignReplicasToDirs', request, response });

export type AssignReplicasToDirsRequest = Decoded<typeof request>;
export type AssignReplicasToDirsResponse = Encodable<typeof response>;

import { api, array, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('AlterReplicaLogDirsRequest', '1-2', '2+', {
  dirs: array('0+', {
    path: string('0+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', int32('0+')),
    }),
  }),
});

const response = message('AlterReplicaLogDirsResponse', '1-2', '2+', {
  throttleTimeMs: int32('0+'),
  results: array('0+', {
    topicName: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
    }),
  }),
});

export const alterReplicaLogDirs = api({ key: 34, name: 'AlterReplicaLogDirs', request, response });

export type AlterReplicaLogDirsRequest = Decoded<typeof request>;
export type AlterReplicaLogDirsResponse = Encodable<typeof response>;

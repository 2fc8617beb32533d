import { api, array, bool, type Decoded, type Encodable, int16, int32, message, string, uuid } from '../schema.ts';

const request = message('MetadataRequest', '0-13', '9+', {
  topics: array(
    '0+',
    {
      topicId: uuid('10+', { ignorable: true }),
      name: string('0+', { nullable: '10+' }),
    },
    { nullable: '1+' },
  ),
  allowAutoTopicCreation: bool('4+', { default: true }),
  includeClusterAuthorizedOperations: bool('8-10'),
  includeTopicAuthorizedOperations: bool('8+'),
});

const response = message('MetadataResponse', '0-13', '9+', {
  throttleTimeMs: int32('3+', { ignorable: true }),
  brokers: array('0+', {
    nodeId: int32('0+'),
    host: string('0+'),
    port: int32('0+'),
    rack: string('1+', { nullable: '1+', default: null, ignorable: true }),
  }),
  clusterId: string('2+', { nullable: '2+', default: null, ignorable: true }),
  controllerId: int32('1+', { default: -1, ignorable: true }),
  topics: array('0+', {
    errorCode: int16('0+'),
    name: string('0+', { nullable: '12+' }),
    topicId: uuid('10+', { ignorable: true }),
    isInternal: bool('1+', { default: false, ignorable: true }),
    partitions: array('0+', {
      errorCode: int16('0+'),
      partitionIndex: int32('0+'),
      leaderId: int32('0+'),
      leaderEpoch: int32('7+', { default: -1, ignorable: true }),
      replicaNodes: array('0+', int32('0+')),
      isrNodes: array('0+', int32('0+')),
      offlineReplicas: array('5+', int32('0+'), { ignorable: true }),
    }),
    topicAuthorizedOperations: int32('8+', { default: -2147483648 }),
  }),
  clusterAuthorizedOperations: int32('8-10', { default: -2147483648 }),
  errorCode: int16('13+', { ignorable: true }),
});

export const metadata = api({ key: 3, name: 'Metadata', request, response });

export type MetadataRequest = Decoded<typeof request>;
export type MetadataResponse = Encodable<typeof response>;

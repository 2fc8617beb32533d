import { api, array, type Decoded, type Encodable, int8, int16, int32, message, string } from '../schema.ts';

const request = message('ElectLeadersRequest', '0-2', '2+', {
  electionType: int8('1+'),
  topicPartitions: array(
    '0+',
    {
      topic: string('0+'),
      partitions: array('0+', int32('0+')),
    },
    { nullable: '0+' },
  ),
  timeoutMs: int32('0+', { default: 60000 }),
});

const response = message('ElectLeadersResponse', '0-2', '2+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('1+'),
  replicaElectionResults: array('0+', {
    topic: string('0+'),
    partitionResult: array('0+', {
      partitionId: int32('0+'),
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    }),
  }),
});

export const electLeaders = api({ key: 43, name: 'ElectLeaders', request, response });

export type ElectLeadersRequest = Decoded<typeof request>;
export type ElectLeadersResponse = Encodable<typeof response>;

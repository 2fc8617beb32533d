import {
  api,
  array,
  bool,
  type Decoded,
  type Encodable,
  int8,
  int16,
  int32,
  message,
  string,
  uuid,
} from '../schema.ts';

const request = message('CreateTopicsRequest', '2-7', '5+', {
  topics: array('0+', {
    name: string('0+'),
    numPartitions: int32('0+'),
    replicationFactor: int16('0+'),
    assignments: array('0+', {
      partitionIndex: int32('0+'),
      brokerIds: array('0+', int32('0+')),
    }),
    configs: array('0+', {
      name: string('0+'),
      value: string('0+', { nullable: '0+' }),
    }),
  }),
  timeoutMs: int32('0+', { default: 60000 }),
  validateOnly: bool('1+', { default: false }),
});

const response = message('CreateTopicsResponse', '2-7', '5+', {
  throttleTimeMs: int32('2+', { ignorable: true }),
  topics: array('0+', {
    name: string('0+'),
    topicId: uuid('7+', { ignorable: true }),
    errorCode: int16('0+'),
    errorMessage: string('1+', { nullable: '0+', ignorable: true }),
    topicConfigErrorCode: int16('5+', { tag: 0, ignorable: true }),
    numPartitions: int32('5+', { default: -1, ignorable: true }),
    replicationFactor: int16('5+', { default: -1, ignorable: true }),
    configs: array(
      '5+',
      {
        name: string('5+'),
        value: string('5+', { nullable: '5+' }),
        readOnly: bool('5+'),
        configSource: int8('5+', { default: -1, ignorable: true }),
        isSensitive: bool('5+'),
      },
      { nullable: '5+', ignorable: true },
    ),
  }),
});

export const createTopics = api({ key: 19, name: 'CreateTopics', request, response });

export type CreateTopicsRequest = Decoded<typeof request>;
export type CreateTopicsResponse = Encodable<typeof response>;

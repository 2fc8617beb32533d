import {
  api,
  array,
  bool,
  type Decoded,
  type Encodable,
  int16,
  int32,
  int64,
  message,
  string,
  uuid,
} from '../schema.ts';

const request = message('OffsetFetchRequest', '1-10', '6+', {
  groupId: string('0-7'),
  topics: array(
    '0-7',
    {
      name: string('0-7'),
      partitionIndexes: array('0-7', int32('0-7')),
    },
    { nullable: '2-7' },
  ),
  groups: array('8+', {
    groupId: string('8+'),
    memberId: string('9+', { nullable: '9+', default: null, ignorable: true }),
    memberEpoch: int32('9+', { default: -1, ignorable: true }),
    topics: array(
      '8+',
      {
        name: string('8-9', { ignorable: true }),
        topicId: uuid('10+', { ignorable: true }),
        partitionIndexes: array('8+', int32('8+')),
      },
      { nullable: '8+' },
    ),
  }),
  requireStable: bool('7+', { default: false }),
});

const response = message('OffsetFetchResponse', '1-10', '6+', {
  throttleTimeMs: int32('3+', { ignorable: true }),
  topics: array('0-7', {
    name: string('0-7'),
    partitions: array('0-7', {
      partitionIndex: int32('0-7'),
      committedOffset: int64('0-7'),
      committedLeaderEpoch: int32('5-7', { default: -1, ignorable: true }),
      metadata: string('0-7', { nullable: '0-7' }),
      errorCode: int16('0-7'),
    }),
  }),
  errorCode: int16('2-7', { default: 0, ignorable: true }),
  groups: array('8+', {
    groupId: string('8+'),
    topics: array('8+', {
      name: string('8-9', { ignorable: true }),
      topicId: uuid('10+', { ignorable: true }),
      partitions: array('8+', {
        partitionIndex: int32('8+'),
        committedOffset: int64('8+'),
        committedLeaderEpoch: int32('8+', { default: -1, ignorable: true }),
        metadata: string('8+', { nullable: '8+' }),
        errorCode: int16('8+'),
      }),
    }),
    errorCode: int16('8+', { default: 0 }),
  }),
});

export const offsetFetch = api({ key: 9, name: 'OffsetFetch', request, response });

export type OffsetFetchRequest = Decoded<typeof request>;
export type OffsetFetchResponse = Encodable<typeof response>;

import { api, array, bool, type Decoded, type Encodable, int16, int32, int64, message, string } from '../schema.ts';

const request = message('DescribeLogDirsRequest', '1-5', '2+', {
  topics: array(
    '0+',
    {
      topic: string('0+'),
      partitions: array('0+', int32('0+')),
    },
    { nullable: '0+' },
  ),
});

const response = message('DescribeLogDirsResponse', '1-5', '2+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('3+', { ignorable: true }),
  results: array('0+', {
    errorCode: int16('0+'),
    logDir: string('0+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        partitionSize: int64('0+'),
        offsetLag: int64('0+'),
        isFutureKey: bool('0+'),
      }),
    }),
    totalBytes: int64('4+', { default: -1, ignorable: true }),
    usableBytes: int64('4+', { default: -1, ignorable: true }),
    isCordoned: bool('5+', { default: false, ignorable: true }),
  }),
});

export const describeLogDirs = api({ key: 35, name: 'DescribeLogDirs', request, response });

export type DescribeLogDirsRequest = Decoded<typeof request>;
export type DescribeLogDirsResponse = Encodable<typeof response>;

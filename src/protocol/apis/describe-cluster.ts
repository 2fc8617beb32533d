import { api, array, bool, type Decoded, type Encodable, int8, int16, int32, message, string } from '../schema.ts';

const request = message('DescribeClusterRequest', '0-2', '0+', {
  includeClusterAuthorizedOperations: bool('0+'),
  endpointType: int8('1+', { default: 1 }),
  includeFencedBrokers: bool('2+'),
});

const response = message('DescribeClusterResponse', '0-2', '0+', {
  throttleTimeMs: int32('0+'),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+', default: null }),
  endpointType: int8('1+', { default: 1 }),
  clusterId: string('0+'),
  controllerId: int32('0+', { default: -1 }),
  brokers: array('0+', {
    brokerId: int32('0+'),
    host: string('0+'),
    port: int32('0+'),
    rack: string('0+', { nullable: '0+', default: null }),
    isFenced: bool('2+'),
  }),
  clusterAuthorizedOperations: int32('0+', { default: -2147483648 }),
});

export const describeCluster = api({ key: 60, name: 'DescribeCluster', request, response });

export type DescribeClusterRequest = Decoded<typeof request>;
export type DescribeClusterResponse = Encodable<typeof response>;

import { api, array, bool, bytes, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('DescribeGroupsRequest', '0-6', '5+', {
  groups: array('0+', string('0+')),
  includeAuthorizedOperations: bool('3+'),
});

const response = message('DescribeGroupsResponse', '0-6', '5+', {
  throttleTimeMs: int32('1+', { ignorable: true }),
  groups: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('6+', { nullable: '6+', default: null }),
    groupId: string('0+'),
    groupState: string('0+'),
    protocolType: string('0+'),
    protocolData: string('0+'),
    members: array('0+', {
      memberId: string('0+'),
      groupInstanceId: string('4+', { nullable: '4+', default: null, ignorable: true }),
      clientId: string('0+'),
      clientHost: string('0+'),
      memberMetadata: bytes('0+'),
      memberAssignment: bytes('0+'),
    }),
    authorizedOperations: int32('3+', { default: -2147483648 }),
  }),
});

export const describeGroups = api({ key: 15, name: 'DescribeGroups', request, response });

export type DescribeGroupsRequest = Decoded<typeof request>;
export type DescribeGroupsResponse = Encodable<typeof response>;

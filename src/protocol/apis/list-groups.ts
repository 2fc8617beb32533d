import { api, array, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('ListGroupsRequest', '0-5', '3+', {
  statesFilter: array('4+', string('4+')),
  typesFilter: array('5+', string('5+')),
});

const response = message('ListGroupsResponse', '0-5', '3+', {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
  groups: array('0+', {
    groupId: string('0+'),
    protocolType: string('0+'),
    groupState: string('4+', { ignorable: true }),
    groupType: string('5+', { ignorable: true }),
  }),
});

export const listGroups = api({ key: 16, name: 'ListGroups', request, response });

export type ListGroupsRequest = Decoded<typeof request>;
export type ListGroupsResponse = Encodable<typeof response>;

import { api, array, type Decoded, type Encodable, int16, int32, message, string } from '../schema.ts';

const request = message('DeleteGroupsRequest', '0-2', '2+', {
  groupsNames: array('0+', string('0+')),
});

const response = message('DeleteGroupsResponse', '0-2', '2+', {
  throttleTimeMs: int32('0+'),
  results: array('0+', {
    groupId: string('0+'),
    errorCode: int16('0+'),
  }),
});

export const deleteGroups = api({ key: 42, name: 'DeleteGroups', request, response });

export type DeleteGroupsRequest = Decoded<typeof request>;
export type DeleteGroupsResponse = Encodable<typeof response>;

import { api, array, type Decoded, type Encodable, int16, int32, message, string, uuid } from '../schema.ts';

const request = message('DeleteTopicsRequest', '1-6', '4+', {
  topics: array('6+', {
    name: string('6+', { nullable: '6+', default: null }),
    topicId: uuid('6+'),
  }),
  topicNames: array('0-5', string('0+'), { ignorable: true }),
  timeoutMs: int32('0+'),
});

const response = message('DeleteTopicsResponse', '1-6', '4+', {
  throttleTimeMs: int32('1+', { ignorable: true }),
  responses: array('0+', {
    name: string('0+', { nullable: '6+' }),
    topicId: uuid('6+', { ignorable: true }),
    errorCode: int16('0+'),
    errorMessage: string('5+', { nullable: '5+', default: null, ignorable: true }),
  }),
});

export const deleteTopics = api({ key: 20, name: 'DeleteTopics', request, response });

export type DeleteTopicsRequest = Decoded<typeof request>;
export type DeleteTopicsResponse = Encodable<typeof response>;

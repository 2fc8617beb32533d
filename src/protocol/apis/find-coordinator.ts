import { api, array, type Decoded, type Encodable, int8, int16, int32, message, string } from '../schema.ts';

const request = message('FindCoordinatorRequest', '0-6', '3+', {
  key: string('0-3'),
  keyType: int8('1+', { default: 0 }),
  coordinatorKeys: array('4+', string('4+')),
});

const response = message('FindCoordinatorResponse', '0-6', '3+', {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0-3'),
  errorMessage: string('1-3', { nullable: '1-3', ignorable: true }),
  nodeId: int32('0-3'),
  host: string('0-3'),
  port: int32('0-3'),
  coordinators: array('4+', {
    key: string('4+'),
    nodeId: int32('4+'),
    host: string('4+'),
    port: int32('4+'),
    errorCode: int16('4+'),
    errorMessage: string('4+', { nullable: '4+', ignorable: true }),
  }),
});

export const findCoordinator = api({ key: 10, name: 'FindCoordinator', request, response });

export type FindCoordinatorRequest = Decoded<typeof request>;
export type FindCoordinatorResponse = Encodable<typeof response>;

import type { Api, DecodedFields, EncodableFields } from '../protocol/schema.ts';

/** What an API's request is made from. */
export type RequestBody<A> = A extends Api<infer Req, infer _Res> ? EncodableFields<Req> : never;
/** What an API's answer is read into. */
export type ResponseBody<A> = A extends Api<infer _Req, infer Res> ? DecodedFields<Res> : never;

import { clientSuite } from './harness/suite.ts';

clientSuite('confluent-kafka');

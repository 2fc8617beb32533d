import { clientSuite } from './harness/suite.ts';

clientSuite('franz-go');

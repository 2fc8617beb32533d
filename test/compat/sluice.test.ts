import { clientSuite } from './harness/suite.ts';

clientSuite('sluice');

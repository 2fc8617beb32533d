/** The public interface of the package. */
export { SluiceError } from './base/errors.ts';
export { type EmbeddedBroker, type EmbeddedBrokerOptions, startBroker } from './broker/embedded.ts';

/** What a client takes from outside, so that a whole cluster with its clients can run on simulated time and network. */
import { type Clock, systemClock } from '../base/clock.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { type Channel, type ChannelOptions, connect } from '../network/channel.ts';

export interface ClientDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: (options: ChannelOptions) => Promise<Channel>;
}

/** The real clock, randomness and sockets. */
export const systemDependencies: ClientDependencies = {
  clock: systemClock,
  random: systemRandom,
  connect: (options) => connect(options, { clock: systemClock }),
};

/** UpdateFeatures (57), versions 0-2: levels that the whole cluster works at; the controller decides. */
import { updateFeatures } from '../../protocol/apis/update-features.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleUpdateFeatures = (services: BrokerServices) =>
  handler(updateFeatures, (request, { header }) => services.controller.updateFeatures(request, header.apiVersion), {
    forController: true,
  });

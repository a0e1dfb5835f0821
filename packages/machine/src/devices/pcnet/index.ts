export { Pcnet, type PcnetOptions } from './pcnet';
export { PCNET_MODELS, type PcnetModel, type PcnetModelName } from './models';

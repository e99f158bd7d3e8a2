import { keptSecret } from './data-folder.ts';
import type { ServerUrls } from './servers.ts';
import type { Settings } from './settings.ts';

export type Service = { name: string; main: string; env: Record<string, string> };

/** Our own processes by name, and the settings that each gets besides the stack's own environment. */
export function servicesOf(options: {
  settings: Settings;
  dataDir: string;
  urls: ServerUrls;
  /** Of HTTP. */
  port: number;
}): Record<'ledger' | 'projector' | 'api', Service> {
  const { settings, dataDir, urls, port } = options;
  const servers = { EVENTSTORE_URL: urls.eventstore, DATABASE_URL: urls.postgres };
  const natsOf = (client: string) => {
    const { user, pass } = urls.nats.clients[client] ?? { user: client, pass: '' };
    return { NATS_URL: urls.nats.url, NATS_USER: user, NATS_PASS: pass };
  };
  const common = { NODE_ENV: 'development', LOG_LEVEL: settings.logLevel, HEALTH_PORT: '0' };
  const service = (name: string, env: Record<string, string>): Service => ({
    name,
    main: `services/${name}/src/main.ts`,
    env: { ...common, ...env },
  });
  return {
    ledger: service('ledger', { ...servers, ...natsOf('ledger') }),
    projector: service('projector', { ...servers, ...natsOf('relay') }),
    api: service('api', {
      ...servers,
      ...natsOf('api'),
      HOST: settings.host,
      PORT: String(port),
      AUTH_MODE: 'dev',
      JWT_SECRET: keptSecret(dataDir, 'jwt-secret'),
      JWKS_URL: '',
    }),
  };
}

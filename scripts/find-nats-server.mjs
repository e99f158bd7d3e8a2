import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where packages put nats-server although an ordinary user's PATH does not name the folder. */
const USUAL_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/local/bin',
  join(homedir(), 'go', 'bin'),
];

/** The path of the nats-server program on this machine (the one that NATS_SERVER names, if set), or null. */
export function findNatsServer(env = process.env) {
  if (env.NATS_SERVER) return isProgram(env.NATS_SERVER) ? env.NATS_SERVER : null;
  const folders = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...USUAL_FOLDERS];
  const names = process.platform === 'win32' ? ['nats-server.exe'] : ['nats-server'];
  for (const folder of folders) {
    for (const name of names) {
      const path = join(folder, name);
      if (isProgram(path)) return path;
    }
  }
  return null;
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

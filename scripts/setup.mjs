// Makes this clone ready to run, before `npm start` and `npm test`: Node's version, the packages of
// package-lock.json, nats-server. Says nothing when there is nothing to do. Plain Node, because it
// runs before any package is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNatsServer } from './find-nats-server.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_FLOOR = [20, 19];

checkNode();
installPackages();
installNatsServer();

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [floorMajor, floorMinor] = NODE_FLOOR;
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return;
  fail(
    `Node ${NODE_FLOOR.join('.')} or later is needed, this is ${process.versions.node}: install a newer one from https://nodejs.org.`,
  );
}

function installPackages() {
  if (packagesAreInstalled()) return;
  say('installing the packages (npm ci) …');
  const strict = runNpm(['ci'], 'pipe');
  if (strict.status === 0) return;
  // Some versions of npm refuse a lock file that lacks packages of other platforms, although they
  // would not install them. The other command takes the same versions from the lock file.
  const isRefused = String(strict.stderr).includes('EUSAGE');
  if (isRefused) say('npm ci does not accept package-lock.json, trying npm install …');
  else process.stderr.write(strict.stderr ?? '');
  if (isRefused && runNpm(['install', '--no-save'], 'inherit').status === 0) return;
  fail(
    'the packages could not be installed (npm says why above): mend that and run the command again.',
  );
}

/** The npm that runs this script, or the one on PATH. */
function runNpm(command, stderr) {
  const npm = process.env.npm_execpath;
  // Dev packages also under NODE_ENV=production: the stack and the tests are made of them.
  const args = [...command, '--include=dev', '--no-audit', '--no-fund'];
  const options = { cwd: ROOT, stdio: ['ignore', 'inherit', stderr] };
  if (npm) return spawnSync(process.execPath, [npm, ...args], options);
  return spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
}

/** True when node_modules holds what package-lock.json asks for; npm keeps its own list inside it. */
function packagesAreInstalled() {
  const wanted = readPackages('package-lock.json');
  const installed = readPackages(join('node_modules', '.package-lock.json'));
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/')) return true;
    const found = installed[path];
    // Optional ones are those of other platforms, too.
    if (!found) return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch {
    return undefined; // not there, or half written by an interrupted npm
  }
}

function installNatsServer() {
  if (process.env.NATS_URL || findNatsServer()) return;
  const { NATS_SERVER } = process.env;
  if (NATS_SERVER)
    fail(`NATS_SERVER names ${NATS_SERVER}, which is not a program: correct it or leave it out.`);
  const mayInstall =
    process.getuid?.() === 0 &&
    spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
  if (mayInstall) {
    say('installing nats-server (apt-get install nats-server) …');
    const options = {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    };
    spawnSync('apt-get', ['update'], options);
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'nats-server'], options);
    // The package starts a server of its own on port 4222, without permissions. Nobody asked for it.
    spawnSync('systemctl', ['disable', '--now', 'nats-server'], { stdio: 'ignore' });
    if (findNatsServer()) return;
  }
  fail(
    `nats-server is not installed: ${howToInstallNats()}. Then run the command again. (Or name the program in NATS_SERVER, or a running server in NATS_URL.)`,
  );
}

function howToInstallNats() {
  const download =
    'download it from https://github.com/nats-io/nats-server/releases and put it into a folder of your PATH';
  switch (process.platform) {
    case 'darwin':
      return `run \`brew install nats-server\`, or ${download}`;
    case 'linux':
      return `run \`sudo apt-get install nats-server\` (Debian, Ubuntu), \`sudo pacman -S nats-server\` (Arch) or \`sudo apk add nats-server\` (Alpine), or ${download}`;
    default:
      return download;
  }
}

function say(text) {
  process.stdout.write(`points-ledger: ${text}\n`);
}

function fail(sentence) {
  process.stderr.write(`points-ledger: ${sentence}\n`);
  process.exit(1);
}

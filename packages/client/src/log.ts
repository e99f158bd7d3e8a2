/** What the SDK has to say; a pino logger fits. */
export interface ClientLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For callers without a log: what needs attention goes to standard error, one JSON line each. */
export const stderrLog: ClientLog = {
  info: () => {},
  warn: (fields, message) => print('warn', fields, message),
  error: (fields, message) => print('error', fields, message),
};

function print(level: string, fields: object, message: string): void {
  const line = { level, name: 'points-ledger client', ...fields, msg: message };
  process.stderr.write(
    `${JSON.stringify(line, (_, value: unknown) => (value instanceof Error ? value.message : value))}\n`,
  );
}

export const silentLog: ClientLog = { info: () => {}, warn: () => {}, error: () => {} };

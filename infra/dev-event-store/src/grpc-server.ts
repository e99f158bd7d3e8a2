import http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { createMessageDecoder, encodeFrame } from './grpc-frames.ts';

/**
 * A minimal gRPC server on node:http2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
 *
 * Not @grpc/grpc-js's own server, because three things that a real event store does cannot be done with it: it never
 * compresses a response, it hides `grpc-accept-encoding` from handlers, and it gives no way to reset a connection.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const sockets = new Set<Socket>();
  const responses: ResponseCounters = { compressed: 0, uncompressed: 0, lastAcceptEncoding: null };
  let openCalls = 0;
  const server = http2.createServer(HTTP2_OPTIONS);
  // http2 makes the session of a new connection at once, so the latest socket is the session's own.
  let latestSocket: Socket | null = null;
  const socketOf = new WeakMap<http2.Http2Session, Socket>();
  server.prependListener('connection', (socket: Socket) => {
    latestSocket = socket;
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    if (latestSocket !== null) socketOf.set(session, latestSocket);
    session.setLocalWindowSize(RECEIVE_WINDOW_BYTES);
    session.on('error', () => session.destroy());
  });
  server.on('stream', (stream, headers) => {
    // A client that goes away shows as an error of its streams; 'close' follows and frees the call.
    stream.on('error', () => undefined);
    openCalls += 1;
    stream.once('close', () => {
      openCalls -= 1;
    });
    const handler = options.handlers.get(headers[':path'] ?? '');
    const resetConnection = (): void => {
      if (stream.session !== undefined) socketOf.get(stream.session)?.resetAndDestroy();
    };
    const call = createCall({ stream, headers, responses, resetConnection });
    if (handler === undefined) {
      call.fail({ code: status.UNIMPLEMENTED, details: 'Service is unimplemented.' });
      return;
    }
    handler(call);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  server.on('error', options.onError);
  const address = server.address();
  return {
    port: isAddressInfo(address) ? address.port : options.port,
    responses,
    get openCalls() {
      return openCalls;
    },
    resetConnections: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** As Kestrel, which the real server runs on: a client that leaks this many reads cannot send anything more. */
const MAX_CONCURRENT_STREAMS = 100;
const RECEIVE_WINDOW_BYTES = 1024 * 1024;
const MAX_SESSION_MEMORY_MB = 1024;
const HTTP2_OPTIONS = {
  settings: {
    maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
    initialWindowSize: RECEIVE_WINDOW_BYTES,
  },
  maxSessionMemory: MAX_SESSION_MEMORY_MB,
  // Clients cancel every read they leave early; Node's default takes a thousand of those for an attack.
  streamResetBurst: 1_000_000,
  streamResetRate: 1_000_000,
};
/** Answers gathered in one turn leave as one write; a call takes no more once this much waits for the socket. */
const HIGH_WATER_MARK_BYTES = 64 * 1024;

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Handler by path, such as `/event_store.client.streams.Streams/Read`. */
  readonly handlers: ReadonlyMap<string, GrpcHandler>;
  readonly onError: (error: Error) => void;
}

export interface GrpcServer {
  readonly port: number;
  readonly responses: Readonly<ResponseCounters>;
  /** Calls that neither side has ended: reads left open, subscriptions, batch append streams. */
  readonly openCalls: number;
  /** Ends every connection with RST, without a goodbye. */
  resetConnections(): void;
  /** Stops listening and drops every connection. */
  close(): Promise<void>;
}

export interface ResponseCounters {
  /** Response messages sent with gzip, and without. */
  compressed: number;
  uncompressed: number;
  /** `grpc-accept-encoding` of the latest call; null when it had none. */
  lastAcceptEncoding: string | null;
}

export type GrpcHandler = (call: GrpcCall) => void;

export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  /** Trailers besides grpc-status and grpc-message. */
  readonly trailers?: Readonly<Record<string, string>>;
}

/** One call, of any kind. After `end`, `fail` or the client's leaving, everything written is dropped. */
export interface GrpcCall {
  readonly closed: boolean;
  /** Request messages in order, then `end` once the client has finished sending. */
  onRequest(listener: { message(bytes: Buffer): void; end(): void }): void;
  /** Called once, when the call is over for whatever reason. */
  onClosed(listener: () => void): void;
  /** Sends messages; false = wait for `drained()` before sending more. */
  write(messages: readonly Uint8Array[]): boolean;
  /** Resolves when more may be written, or when the call is over. */
  drained(): Promise<void>;
  end(): void;
  fail(status: GrpcStatus): void;
  /** Ends the connection that carries the call with RST, without an answer. */
  resetConnection(): void;
}

function createCall(deps: {
  stream: http2.ServerHttp2Stream;
  headers: http2.IncomingHttpHeaders;
  responses: ResponseCounters;
  resetConnection: () => void;
}): GrpcCall {
  const { stream, headers, responses } = deps;
  const acceptEncoding = headers['grpc-accept-encoding'];
  responses.lastAcceptEncoding = typeof acceptEncoding === 'string' ? acceptEncoding : null;
  const gzip = typeof acceptEncoding === 'string' && /\bgzip\b/.test(acceptEncoding);
  let over = false;
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  const respond = (): void => {
    if (stream.headersSent) return;
    stream.respond(
      { ...RESPONSE_HEADERS, 'grpc-encoding': gzip ? 'gzip' : 'identity' },
      { waitForTrailers: true },
    );
  };
  const flush = (): void => {
    if (pending.length === 0) return;
    const frames = Buffer.concat(pending, pendingBytes);
    pending = [];
    pendingBytes = 0;
    if (stream.destroyed || stream.writableEnded) return;
    respond();
    stream.write(frames);
  };
  const finish = ({ code, details, trailers }: GrpcStatus): void => {
    if (over) return;
    flush();
    over = true;
    if (stream.destroyed) return;
    const trailer: http2.OutgoingHttpHeaders = {
      'grpc-status': code,
      'grpc-message': encodeURI(details),
    };
    for (const [name, value] of Object.entries(trailers ?? {})) {
      // Header values are ASCII; a stream's name need not be.
      trailer[name] = /^[ -~]*$/.test(value) ? value : encodeURI(value);
    }
    if (!stream.headersSent) {
      stream.respond({ ...RESPONSE_HEADERS, ...trailer }, { endStream: true });
    } else {
      stream.once('wantTrailers', () => stream.sendTrailers(trailer));
      stream.end();
    }
    // The client may still be sending: what comes is dropped, so that its flow control does not stand still.
    stream.resume();
  };
  stream.once('close', () => {
    over = true;
  });

  return {
    get closed() {
      return over;
    },
    onRequest: ({ message, end }) => {
      const decoder = createMessageDecoder(message);
      stream.on('data', (chunk: Buffer) => {
        if (over) return;
        const refusal = decoder(chunk);
        if (refusal !== null) finish(refusal);
      });
      stream.once('end', () => {
        if (!over) end();
      });
    },
    onClosed: (listener) => {
      stream.once('close', listener);
    },
    write: (messages) => {
      if (over) return true;
      if (pending.length === 0) process.nextTick(flush);
      for (const message of messages) {
        const frame = encodeFrame(message, gzip);
        pending.push(frame);
        pendingBytes += frame.length;
      }
      if (gzip) responses.compressed += messages.length;
      else responses.uncompressed += messages.length;
      return pendingBytes + stream.writableLength < HIGH_WATER_MARK_BYTES;
    },
    drained: () =>
      new Promise((resolve) => {
        flush();
        if (over || stream.writableLength < HIGH_WATER_MARK_BYTES) {
          setImmediate(resolve);
          return;
        }
        const done = (): void => {
          stream.off('drain', done);
          stream.off('close', done);
          resolve();
        };
        stream.on('drain', done);
        stream.on('close', done);
      }),
    end: () => finish({ code: status.OK, details: '' }),
    fail: finish,
    resetConnection: () => {
      over = true;
      deps.resetConnection();
    },
  };
}

const RESPONSE_HEADERS = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': 'identity,gzip',
};

function isAddressInfo(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

import featuresGrpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import sharedPb from '@eventstore/db-client/generated/shared_pb.js';
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js';
import type { Connection } from './eventstoredb-connection.ts';

/**
 * Opens the stream. No `requires-leader`: a follower forwards, which is right, while insisting would end the stream, and
 * every append on it, each time the leader changes.
 */
export async function openBatchStream(
  connection: Connection,
  listeners: {
    readonly onReply: (reply: streamsPb.BatchAppendResp) => void;
    readonly onDrain: (stream: BatchStream) => void;
    readonly onEnd: (stream: BatchStream, error: Error | null) => void;
  },
): Promise<BatchStream> {
  const { client } = connection;
  const opened: BatchStream[] = [];
  const [metadata, options] = client['callArguments']({}, { deadline: Number.POSITIVE_INFINITY });
  await client['GRPCStreamCreator'](streamsGrpc.StreamsClient, 'batchAppend', (stubs) => {
    const call = stubs.batchAppend(metadata, options);
    const stream: BatchStream = { connection, call, full: false, ended: false };
    const end = (error: Error | null): void => {
      if (stream.ended) return;
      stream.ended = true;
      listeners.onEnd(stream, error);
    };
    // Listeners go on before anything can happen, and the one for errors stays: an unheard error ends the process.
    call.on('data', listeners.onReply);
    call.on('drain', () => listeners.onDrain(stream));
    call.on('error', end);
    call.on('end', () => end(null));
    call.on('close', () => end(null));
    opened.push(stream);
    return call;
  })();
  const [stream] = opened;
  if (stream === undefined) throw new Error('the client opened no stream');
  return stream;
}

export interface BatchStream {
  readonly connection: Connection;
  readonly call: { write(request: streamsPb.BatchAppendReq): boolean };
  /** The transport asked to wait for its `drain`. */
  full: boolean;
  ended: boolean;
}

/**
 * Asks the server whether it has BatchAppend. That also proves that there is a connection, while nothing can have been
 * appended yet. Asked here and not through the client's `supports`, which has no deadline and keeps a failure for good.
 */
export async function checkBatchAppend({ client }: Connection, timeoutMs: number): Promise<void> {
  const [metadata, options] = client['callArguments']({ deadline: timeoutMs });
  const reply = await client['execute'](
    featuresGrpc.ServerFeaturesClient,
    'getSupportedMethods',
    (stubs) =>
      new Promise<SupportedMethods>((resolve, reject) => {
        stubs.getSupportedMethods(new sharedPb.Empty(), metadata, options, (error, methods) => {
          if (error === null) resolve(methods);
          else if (error.code === GRPC_UNIMPLEMENTED)
            reject(new NoBatchAppendError(NO_BATCH_APPEND));
          else reject(error);
        });
      }),
  );
  const has = reply
    .getMethodsList()
    .some(
      (method) =>
        `/${method.getServiceName()}/${method.getMethodName()}`.toLowerCase() === BATCH_APPEND_PATH,
    );
  if (!has) throw new NoBatchAppendError(NO_BATCH_APPEND);
}

/** A server too old to know the question is too old for the answer. */
const GRPC_UNIMPLEMENTED = 12;

const NO_BATCH_APPEND = 'the server has no batch append (EventStoreDB 21.10 and newer have it)';

const BATCH_APPEND_PATH = streamsGrpc.StreamsService.batchAppend.path.toLowerCase();

export class NoBatchAppendError extends Error {
  override readonly name = 'NoBatchAppendError';
}

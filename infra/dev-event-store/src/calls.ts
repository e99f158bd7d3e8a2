import type { GrpcCall, GrpcHandler } from './grpc-server.ts';
import { BadMessageError } from './messages.ts';
import { callStatus } from './statuses.ts';

/** A call with one request message. */
export function unary(handle: (bytes: Buffer, call: GrpcCall) => void): GrpcHandler {
  return (call) => {
    let request: Buffer | null = null;
    call.onRequest({
      message: (bytes) => {
        request = bytes;
      },
      end: guarded(call, () => {
        if (request === null) throw new BadMessageError('a call without a request');
        handle(request, call);
      }),
    });
  };
}

/** A malformed request ends its call as an exception ends it on the real server; any other error is a bug. */
export function guarded<Arguments extends unknown[]>(
  call: GrpcCall,
  handle: (...args: Arguments) => void,
): (...args: Arguments) => void {
  return (...args) => {
    try {
      handle(...args);
    } catch (error) {
      if (!(error instanceof BadMessageError)) throw error;
      call.fail(callStatus.unhandled(error));
    }
  };
}

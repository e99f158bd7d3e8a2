import type { FastifyReply } from 'fastify';
import { HttpError } from '../error-body.ts';

/** Fires when the client leaves before its answer is complete: nobody needs what is still being read. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new HttpError('request_timeout'));
  });
  return gone.signal;
}

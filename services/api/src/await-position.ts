import type { FastifyReply, FastifyRequest } from 'fastify';
import { POSITION_HEADER } from './parameters.ts';
import type { PositionWait } from './position-wait.ts';
import { toAnswer } from './read-tables.ts';

/** A preHandler hook of reads. */
export type AwaitPosition = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * A read that names a position waits until the read tables have got that far, 2 s at most. The answer's header says
 * how far they were at least when the read was made; the caller compares.
 */
export function createAwaitPosition(positions: Pick<PositionWait, 'waitFor'>): AwaitPosition {
  return async (request, reply) => {
    const wanted = request.headers[POSITION_HEADER];
    // The schema of the route has let pass nothing but a decimal.
    if (typeof wanted !== 'string') return;
    const applied = await positions.waitFor(BigInt(wanted)).catch((error: unknown) => {
      throw toAnswer(error);
    });
    reply.header(POSITION_HEADER, applied.toString());
  };
}

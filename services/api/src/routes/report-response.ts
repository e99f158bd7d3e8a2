import { z } from 'zod';

/** A report of the audit in the usual envelope; `known` are the members that are told apart, the others as they are. */
export function reportResponse<Shape extends z.ZodRawShape>(known: Shape) {
  return z.object({
    code: z.literal(200),
    message: z.literal('success'),
    data: z.looseObject(known),
  });
}

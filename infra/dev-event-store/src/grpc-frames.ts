import { gunzipSync, gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import type { GrpcStatus } from './grpc-server.ts';

/** A message as it goes over the wire: a flag for compression, the length, the bytes. */
export function encodeFrame(message: Uint8Array, gzip: boolean): Buffer {
  const body = gzip ? gzipSync(message) : message;
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + body.length);
  frame[0] = gzip ? 1 : 0;
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into messages. The returned function takes the next bytes, and answers why to refuse the call. */
export function createMessageDecoder(
  onMessage: (bytes: Buffer) => void,
): (chunk: Buffer) => GrpcStatus | null {
  let chunks: Buffer[] = [];
  let bytes = 0;
  /** Bytes needed before the next step can be done, so that a large message is joined once only. */
  let wanted = FRAME_HEADER_BYTES;
  return (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < wanted) return null;
    let buffer = chunks.length === 1 ? chunk : Buffer.concat(chunks, bytes);
    wanted = FRAME_HEADER_BYTES;
    while (buffer.length >= FRAME_HEADER_BYTES) {
      const length = buffer.readUInt32BE(1);
      if (length > MAX_REQUEST_MESSAGE_BYTES) {
        return {
          code: status.RESOURCE_EXHAUSTED,
          details: 'Received message exceeds the maximum configured message size.',
        };
      }
      if (buffer.length < FRAME_HEADER_BYTES + length) {
        wanted = FRAME_HEADER_BYTES + length;
        break;
      }
      const body = buffer.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length);
      const message = buffer[0] === 1 ? gunzip(body) : body;
      if (message === null)
        return { code: status.INTERNAL, details: 'Failed to decompress the message.' };
      onMessage(message);
      buffer = buffer.subarray(FRAME_HEADER_BYTES + length);
    }
    chunks = buffer.length === 0 ? [] : [buffer];
    bytes = buffer.length;
    return null;
  };
}

function gunzip(body: Buffer): Buffer | null {
  try {
    return gunzipSync(body, { maxOutputLength: MAX_REQUEST_MESSAGE_BYTES });
  } catch {
    return null;
  }
}

const FRAME_HEADER_BYTES = 5;
/** What the real server takes in one message. */
const MAX_REQUEST_MESSAGE_BYTES = 17 * 1024 * 1024;

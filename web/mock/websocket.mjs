// Just enough of RFC 6455 for the mock: text frames up to 64 KiB in, any size out, ping and close.
import { createHash } from 'node:crypto';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function accept(request, socket, onText, onClose) {
  const key = request.headers['sec-websocket-key'];
  const answer = createHash('sha1')
    .update(key + MAGIC)
    .digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${answer}\r\n\r\n`,
  );
  let buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      if (buffer.length < 6) return;
      const opcode = buffer[0] & 15;
      let length = buffer[1] & 127;
      let at = 2;
      if (length === 126) {
        length = buffer.readUInt16BE(2);
        at = 4;
      }
      if (buffer.length < at + 4 + length) return;
      const mask = buffer.subarray(at, at + 4);
      const body = Buffer.from(buffer.subarray(at + 4, at + 4 + length));
      for (let i = 0; i < body.length; i += 1) body[i] ^= mask[i % 4];
      buffer = buffer.subarray(at + 4 + length);
      if (opcode === 8) {
        socket.end();
        return;
      }
      if (opcode === 1) onText(body.toString());
    }
  });
  socket.on('close', onClose);
  socket.on('error', () => socket.destroy());
  return (text) => {
    const body = Buffer.from(text);
    const head =
      body.length < 126
        ? Buffer.from([0x81, body.length])
        : body.length < 65536
          ? Buffer.from([0x81, 126, body.length >> 8, body.length & 255])
          : Buffer.concat([Buffer.from([0x81, 127, 0, 0, 0, 0]), uint32(body.length)]);
    socket.write(Buffer.concat([head, body]));
  };
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

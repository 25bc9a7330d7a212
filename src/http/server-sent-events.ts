/** One message of a stream of server-sent events. */
export interface ServerSentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

const decode = (block: string): ServerSentEvent | null => {
  const fields = { id: "", event: "message", data: "" };
  let hasData = false;
  for (const line of block.split("\n")) {
    const match = /^(id|event|data): ?(.*)$/.exec(line);
    if (match === null) continue;
    const [, name, value = ""] = match;
    if (name === "data") {
      fields.data += hasData ? `\n${value}` : value;
      hasData = true;
    } else fields[name as "id" | "event"] = value;
  }
  return hasData ? fields : null;
};

/** The messages of a stream; comments are passed over, and a message that was cut off is no message. */
export async function* readServerSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const message = decode(block);
        if (message !== null) yield message;
      }
    }
  } finally {
    await reader.cancel();
  }
}

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A line to a server that a test can cut or hold up. */
export interface CutLine {
  readonly port: number;
  /** From here on nothing that clients send arrives, as at a server that hangs. */
  hang(): void;
  /** From here on nothing passes on the connections there are, as on a network that drops their packets; others may be opened. */
  strand(): void;
  /** Lets through what was held up, and all that follows. */
  release(): void;
  /** Ends the connection on which the server's next answer arrives, in place of passing it on. */
  cutNextAnswer(): void;
  /** Ends every connection there is. */
  cut(): void;
  close(): void;
}

/** Listens at a free port, and passes everything on to the server of a URL. */
export async function cutLine(url: string): Promise<CutLine> {
  const { hostname, port } = new URL(url);
  const clients = new Set<Socket>();
  let hanging = false;
  let cutting = false;

  const listener = createServer((client) => {
    const server = connect(Number(port), hostname);
    clients.add(client);
    for (const socket of [client, server]) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        clients.delete(client);
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (data) => server.write(data));
    if (hanging) client.pause();
    server.on("data", (data) => {
      if (!cutting) client.write(data);
      else {
        cutting = false;
        client.destroy();
      }
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("the line has no port");

  const cut = () => {
    for (const client of clients) client.destroy();
  };
  return {
    port: address.port,
    hang() {
      hanging = true;
      for (const client of clients) client.pause();
    },
    strand() {
      for (const client of clients) client.pause();
    },
    release() {
      hanging = false;
      for (const client of clients) client.resume();
    },
    cutNextAnswer() {
      cutting = true;
    },
    cut,
    close() {
      listener.close();
      cut();
    },
  };
}

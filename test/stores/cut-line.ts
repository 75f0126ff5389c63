import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A line to a server that a test can cut or hold up. */
export interface CutLine {
  readonly port: number;
  /** `hang`: takes what the client sends, and answers nothing. `cut`: ends the connection where the server's next answer would arrive. */
  mode: "through" | "hang" | "cut";
  close(): void;
}

/** Listens at a free port, and passes everything on to the server of a URL. */
export async function cutLine(url: string): Promise<CutLine> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const line: CutLine & { port: number } = {
    port: 0,
    mode: "through",
    close() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  const listener = createServer((client) => {
    const server = connect(Number(port), hostname);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (data) => {
      if (line.mode !== "hang") server.write(data);
    });
    server.on("data", (data) => {
      if (line.mode === "cut") {
        line.mode = "through";
        client.destroy();
      } else client.write(data);
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("the line has no port");
  line.port = address.port;
  return line;
}

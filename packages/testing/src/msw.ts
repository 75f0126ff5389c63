import { type HttpHandler, HttpResponse, http } from "msw";
import type { MockHttpOptions } from "./mock-http.ts";
import type { MockUpstream } from "./mock-upstream.ts";

/**
 * Puts a mock upstream behind a URL (MCP's Streamable HTTP transport), so that code under test keeps its own client and its own URL.
 *
 * @example
 * const server = setupServer(...upstreamHandlers(upstream, "https://mcp.example.com/mcp", { answers: "sse" }));
 * server.listen({ onUnhandledRequest: "error" });
 */
export function upstreamHandlers(upstream: Pick<MockUpstream, "http">, url: string, options: MockHttpOptions = {}): readonly HttpHandler[] {
  const answer = upstream.http(options);
  return [
    http.all(url, async ({ request }) => {
      try {
        return await answer(request);
      } catch (error) {
        // What `fetch` rejects with where a connection breaks; anything else is a defect, and is not to look like one.
        if (error instanceof TypeError) return HttpResponse.error();
        throw error;
      }
    }),
  ];
}

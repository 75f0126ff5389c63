import type { Session } from "@holdpoint/core";
import { guardClient } from "@holdpoint/mcp";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

export interface Order {
  readonly id: string;
  /** In cents. */
  readonly amount: number;
}

/** Refunds late orders, and answers the ids of those that it could not refund. In place of a model, it always knows what to do next. */
export async function refundLateOrders(orders: readonly Order[], session: Session): Promise<readonly string[]> {
  const client = guardClient(new Client({ name: "refunds-agent", version: "1.0.0" }), session);
  await client.connect(new StreamableHTTPClientTransport(new URL("https://mcp.shop.example/mcp")));
  const left: string[] = [];
  for (const { id, amount } of orders) {
    const result = await client.callTool({ name: "create_refund", arguments: { order: id, amount, reason: "arrived late" } });
    if (result.isError) left.push(id);
  }
  await client.close();
  return left;
}

/** The tools of a payment server, with every shape that arguments take: nested, optional, listed, recursive, open and untyped. */
export interface PaymentTools {
  pay: PayArguments;
  list_payments: Record<never, never>;
  free: { [key: string]: unknown };
  raw: unknown;
}

interface PayArguments {
  amount: number;
  currency: "gbp" | "eur" | "usd";
  price: string;
  note?: string;
  live: boolean;
  level?: 1 | 2 | 3;
  items: { sku: string; qty: number; tags?: string[] }[];
  customer?: { id: string; address: { city: string; zip: string | null } };
  metadata?: { [key: string]: string };
  extra?: unknown;
  open?: { id: string; [key: string]: unknown };
  target: string | { account: string; iban?: string };
  count: number | string;
  "resource-group"?: string;
  "odd.key"?: number;
  'quoted"key'?: number;
  tree?: Category;
  mode: { type: "a"; x: number } | { type: "b"; y: string };
  matrix?: number[][];
}

interface Category {
  name: string;
  children?: Category[];
}

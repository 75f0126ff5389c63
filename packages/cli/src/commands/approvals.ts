import { userInfo } from "node:os";
import { type ApprovalRecord, type ApprovalStatus, printable, shortFingerprint, withoutSecrets } from "@holdpoint/core";
import { type Command, Option } from "commander";
import { asking, type OpenedApprovals, openApprovals } from "../approval-store.ts";
import { Failure } from "../failure.ts";
import { type Terminal, table, writeJson, writeLine } from "../terminal.ts";

interface Options {
  readonly store: string;
  readonly prefix?: string;
  readonly schema?: string;
  readonly json?: boolean;
}

interface AnswerOptions extends Options {
  readonly by?: string;
  readonly reason?: string;
  readonly widen?: boolean;
}

const statuses = ["pending", "approved", "refused", "expired", "used", "revoked"] as const satisfies readonly ApprovalStatus[];

export function addApprovals(program: Command, terminal: Terminal): void {
  const approvals = program
    .command("approvals")
    .summary("list and answer requests for approval")
    .description("Lists and answers the requests that wait in an approval store.");
  const subcommand = (name: string) =>
    approvals
      .command(name)
      .addOption(new Option("--store <url>", "sqlite:file, redis://… or postgres://…").env("HOLDPOINT_STORE").makeOptionMandatory())
      .option("--prefix <prefix>", "of the keys in Redis, as the application gives it")
      .option("--schema <schema>", "of the tables in PostgreSQL, as the application gives it")
      .option("--json", "print JSON");

  subcommand("list")
    .summary("the requests in the store")
    .addOption(new Option("--status <status>", "only these").choices(statuses).default("pending"))
    .option("--all", "those that have ended, too")
    .action((options: Options & { status: ApprovalStatus; all?: boolean }) =>
      opened(options, async ({ store }) => {
        const filter = options.all ? {} : { status: options.status };
        const records = await asking(options.store, () => store.list(filter, Date.now()));
        if (options.json) return writeJson(terminal, records.map(withoutSecrets));
        return printList(terminal, records);
      }),
    );
  subcommand("show")
    .summary("one request, with its arguments")
    .argument("<id>")
    .action((id: string, options: Options) =>
      opened(options, async ({ store }) => {
        const record = await asking(options.store, () => store.get(id, Date.now()));
        if (!record) throw new Failure(`no request \`${id}\` is in the store`);
        return options.json ? writeJson(terminal, withoutSecrets(record)) : printRecord(terminal, withoutSecrets(record));
      }),
    );
  subcommand("approve")
    .summary("say yes to a request")
    .argument("<id>")
    .option("--by <name>", "who answers", defaultName())
    .option("--widen", "let the yes reach as far as the rule offers")
    .action((id: string, options: AnswerOptions) => answer(terminal, id, options, true));
  subcommand("refuse")
    .summary("say no to a request")
    .argument("<id>")
    .option("--by <name>", "who answers", defaultName())
    .option("--reason <text>", "why; the model is told")
    .action((id: string, options: AnswerOptions) => answer(terminal, id, options, false));
}

async function opened(options: Options, work: (approvals: OpenedApprovals) => Promise<void>): Promise<void> {
  const approvals = await openApprovals(options.store, options);
  try {
    await work(approvals);
  } finally {
    await approvals.close();
  }
}

async function answer(terminal: Terminal, id: string, options: AnswerOptions, approved: boolean): Promise<void> {
  await opened(options, async ({ store }) => {
    const { by, reason, widen } = options;
    const record = await asking(options.store, () =>
      store.answer(id, { approved, by, ...(reason !== undefined && { reason }), ...(widen && { widen }) }, Date.now()),
    );
    if (!record) {
      const known = await asking(options.store, () => store.get(id, Date.now()));
      throw new Failure(
        known ? `request \`${id}\` is ${known.status}: only a pending one can be answered` : `no request \`${id}\` is in the store`,
      );
    }
    if (options.json) await writeJson(terminal, withoutSecrets(record));
    else
      await writeLine(
        terminal.stdout,
        `${approved ? "approved" : "refused"} ${id}: ${printable(record.tool)} on ${printable(record.server)}`,
      );
  });
}

/** Who answers is on the record; the name of the account is the best guess that there is. */
function defaultName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}

async function printList(terminal: Terminal, records: readonly ApprovalRecord[]): Promise<void> {
  if (records.length === 0) return writeLine(terminal.stdout, "no requests");
  const rows = records.map((record) => [record.id, record.status, record.server, record.tool, timeLeft(record), record.reasons.join("; ")]);
  await writeLine(terminal.stdout, table(terminal.stdout, ["id", "status", "server", "tool", "expires", "why"], rows));
}

function timeLeft({ status, expiresAt }: ApprovalRecord): string {
  return status === "pending" || status === "approved" ? `in ${Math.max(0, Math.ceil((expiresAt - Date.now()) / 1000))} s` : "";
}

async function printRecord(terminal: Terminal, record: ApprovalRecord): Promise<void> {
  const lines = [
    ["id", record.id],
    ["status", record.status],
    ["fingerprint", shortFingerprint(record.binding)],
    ["server", record.server],
    ["tool", record.tool],
    ["who", JSON.stringify(record.context)],
    ...record.reasons.map((reason) => ["why", reason]),
    ["requested", new Date(record.requestedAt).toISOString()],
    ["expires", new Date(record.expiresAt).toISOString()],
    ...(record.by === undefined ? [] : [["answered by", record.by]]),
    ...(record.refusal === undefined ? [] : [["reason", record.refusal]]),
  ] as const;
  for (const [name, value] of lines) await writeLine(terminal.stdout, `${String(name).padEnd(12)} ${printable(String(value), 2_000)}`);
  await writeLine(terminal.stdout, "arguments");
  const shown = record.arguments === undefined ? "(gone: the request has ended)" : JSON.stringify(record.arguments, null, 2);
  for (const line of shown.split("\n")) await writeLine(terminal.stdout, `  ${printable(line, 10_000)}`);
}

import type { Category } from "./category.ts";

/**
 * The words that risk is read from. To extend the classifier, extend these tables: each is a plain list of lower-case words in base form; inflections
 * (`creates`, `creating`) are derived. What a word means depends on its kind:
 *
 * - `verb`: never a noun in a tool's name. Decides wherever it stands (`create_issue`, `pull_request_create`).
 * - `either`: a verb where it leads (`run_script`), a noun where another verb leads or follows (`get_run`, `run_get`).
 * - `noun`: mostly a noun (`order_status`, `post_list`); a verb only where it leads and nothing speaks against it (`post_update`, `order_pizza`).
 * - `told`: what a description says of an answer ("Returns the …", "Provides …"); in a name it says nothing (`return_order`, `collect_payment`).
 */
export type Kind = "verb" | "either" | "noun" | "told";

export const verbs: Readonly<Record<Category, Readonly<Partial<Record<Kind, string>>>>> = {
  read: {
    verb: `get retrieve describe show fetch inspect browse explore discover enumerate analyze analyse explain calculate compute estimate preview validate
      verify summarize summarise detect identify introspect recall whoami ping lookup is has can crawl scrape diagnose predict recommend suggest infer
      translate convert parse decode encode tokenize detokenize extract geocode correlate observe visualize visualise examine investigate determine measure
      tail peek grep troubleshoot rerank interpret assess profile transcribe autocomplete simulate think reason reflect echo wait sleep stat exists classify categorize categorise ask
      consult scan download export pwd ls cat ps whois traceroute nslookup help render screenshot monitor traverse walk aggregate sequentialthinking
      mget hget hgetall hexists hkeys hvals lrange llen lindex smembers sismember scard zrange zrangebyscore zscore zcard xrange xlen ttl pttl dbsize`,
    either: "list search find read query view check count look compare diff research status trace audit lint match dump",
    told: `return display obtain receive collect provide surface gather access expand filter sort learn teach solve intersect narrow load output
      illustrate reveal answer`,
  },
  write: {
    verb: `create add edit write insert upsert modify set put save store append prepend rename replace assign unassign associate attach detach hide defer enable disable mark
      unmark move copy duplicate send reply respond publish unpublish subscribe unsubscribe register submit configure customize customise init
      initialize initialise provision invite join approve reject accept decline dismiss close reopen resolve complete finish archive unarchive restore
      recover undo redo pin unpin lock unlock mute unmute follow unfollow star unstar unlike unlink unvote upvote downvote bookmark connect disconnect bind unbind
      login logout authenticate authorize authorise grant allow deny ban unban block unblock kick switch toggle change alter adjust reorder
      rearrange resize increment decrement generate compose remember memorize memorise ingest embed train sync synchronize synchronise
      migrate transition escalate notify broadcast announce capture persist apply rebase squash unstash checkin manage fill type upload confirm
      acknowledge ack snooze prioritize prioritise promote demote reassign delegate allocate deallocate unreserve cancel reschedule
      postpone renew extend rotate regenerate encrypt decrypt scaffold bootstrap define redefine declare mount unmount expose advertise
      onboard offboard enroll enrol unenroll deactivate activate reactivate prepare propose transform compress decompress zip unzip unpack expire rpush
      lpush sadd zadd hset hmset mset xadd setex incr decr geoadd ensure adopt impersonate overwrite inject paste seed populate optimize optimise
      normalize normalise dedupe deduplicate relay redirect queue enqueue dequeue make take use handle turn keep begin end raise lower
      claim unclaim favorite unfavorite favourite crop flip instrument retweet unretweet repost crosspost rewrite amend substitute contribute
      commit reserve finalize finalise reduce initiate dial acquire void settle`,
    either: `update push pull import schedule release share draft select record log request upgrade downgrade branch tag label fork merge patch clone backup backfill
      fix refactor reindex plot draw design open touch stage stash link pair focus watch review track forward bridge wrap unwrap shift vote react hold`,
    noun: `post comment message email note mention issue feedback rate like annotation address text mail file tweet index report flag host sign route chart map place leave`,
  },
  execute: {
    verb: `execute exec evaluate invoke deploy redeploy launch restart reboot shutdown rerun spawn install reinstall compile rebuild rollback rollout
      dispatch orchestrate act click tap press swipe scroll navigate hover doubleclick start stop pause suspend automate recompile boot
      hibernate wake perform exploit bruteforce fuzz attack transact`,
    either: `run trigger call build scale test drain cordon uncordon operate play drag shell bash terminal python repl powershell cmd npm npx pip cargo
      resume retry replay control continue visit`,
    noun: "command script process eval ssh drive kubectl adb gcloud",
  },
  destructive: {
    verb: `delete remove destroy erase wipe purge truncate uninstall revoke terminate kill nuke obliterate shred expunge prune forget unregister deregister
      deprovision decommission teardown cleanup clear flush flushdb flushall reset revert del rm rmdir hdel srem zrem xdel evict discard trash invalidate
      rmi demolish`,
    either: "drop clean empty abort",
  },
  financial: {
    verb: `pay purchase buy sell refund withdraw reimburse donate remit disburse checkout repay prepay stake unstake liquidate mint redeem tip airdrop`,
    either: "charge swap trade bid fund deposit payout invest borrow lend hedge hire rent",
    noun: "transfer order invoice payment wire bill subscription book",
  },
};

/** Two words that act as one verb. */
export const phrasalVerbs: Readonly<Record<string, Category>> = {
  "look up": "read",
  "self test": "read",
  "health check": "read",
  "dry run": "read",
  "wait for": "read",
  "sign in": "write",
  "sign up": "write",
  "sign out": "write",
  "log in": "write",
  "log out": "write",
  "log event": "write",
  "check in": "write",
  "check off": "write",
  "set up": "write",
  "opt in": "write",
  "opt out": "write",
  "fill out": "write",
  "track event": "write",
  "track time": "write",
  "report issue": "write",
  "report bug": "write",
  "report spam": "write",
  "roll back": "execute",
  "turn on": "execute",
  "turn off": "execute",
  "fine tune": "write",
  "cherry pick": "write",
  "find replace": "write",
  "shut down": "execute",
  "git log": "read",
  "git show": "read",
  "git blame": "read",
  "terraform plan": "read",
  "compose up": "execute",
  "compose down": "execute",
  "go back": "execute",
  "go forward": "execute",
  "power on": "execute",
  "power off": "execute",
  "power cycle": "execute",
  "step in": "execute",
  "step into": "execute",
  "step out": "execute",
  "step over": "execute",
  "kick off": "execute",
  "spin up": "execute",
  "port forward": "execute",
  "clean up": "destructive",
  "tear down": "destructive",
  "wipe out": "destructive",
  "check out": "financial",
  "top up": "financial",
  "cash out": "financial",
  "pay out": "financial",
};

/** Pairs in which a word that could be a verb is part of a thing's name. */
export const nounPairs: ReadonlySet<string> = new Set(
  `pay run, pull request, merge request, feature request, change request, order book, work order, sort order, purchase order,
    test case, test suite, test run, test plan, test result, call log, call history, run log, build log, release note,
    patch note, branch protection, delete protection, deletion protection, post type, blog post, access log, audit log,
    change log, check run, check suite, read replica, read receipt, write access, read access, read model, message queue,
    task list, check list, price list, watch list, wish list, to do, block list, allow list, access list, mailing list,
    contact list, issue type, log group, log stream, log entry, share link, upload link, import job, export job, call stack,
    file system, make file, set list, data set, rule set, result set, change set, record type, address book, search index,
    search engine, search console, query plan, build status, run status, delete status, update status, create status,
    link preview, computer use, purchase invoice, purchase receipt, purchase history`.split(/,\s+/),
);

/** A thing that is looked at: a name or a description that is nothing but such a noun ("db-stats") is a read, unless something else speaks. */
export const readNouns =
  words(`info information details detail status stats statistics schema tree log logs history metrics summary overview size count version docs documentation
  forecast usage report reports list results metadata indexes indices health help diff search lookup analysis reference insights price prices news
  weather snapshot screenshot transcript definition definitions replies timeline availability support trends leaderboard rankings outline changelog glossary activity
  topology quote quotes balance breakdown trend revenue profit margin kpi funnel`);

/** The parts of a name that say nothing about what the tool does. */
export const fillers =
  words(`api tool mcp server v1 v2 v3 the a an of for by with in on at from to as my new all bulk batch mass multi multiple many async force
  admin global local current`);

/** Verbs of reading that a resource in front of them is read with: `run_get` gets a run, where `trigger_scan` triggers a scan. */
export const resourceReads = words("get list show describe view read retrieve find fetch");

/** What a name opens with to say where its verb acts: `ssh_list_files`, `drive_search`, `npm_audit`. Alone they are what they say. */
export const places = words("ssh drive shell bash terminal python npm npx pip cargo kubectl adb gcloud");

/** Names spelt with a capital inside, which are one word: the `Press` of `WordPress` presses nothing. */
export const brands =
  words(`WordPress PayPal BigQuery SendGrid RunPod DocuSign ClickUp ClickHouse PlayStation CloudWatch OneDrive JavaScript PushOver
  PushBullet TestRail OpenAI OpenSearch OpenAPI SharePoint PostHog PostGIS GetResponse BrowserStack BuildKite ShareFile LiveShare CallRail SignNow
  TypeScript AppleScript CoffeeScript PostScript BookStack ShipStation PageSpeed`);

/** What looks like one who does a verb, and is a thing: a `browser` may do more than browse. */
export const agentThings = words("browser user helper counter order number buffer filter printer driver player editor router monitor");

/**
 * Verbs of Chinese and Japanese descriptions, which are found anywhere in the first sentence; its leading verb decides in Chinese, the closing one in Japanese.
 */
export const cjkVerbs: Readonly<Record<Category, string>> = {
  read: "获取 查询 转换 解析为 规划 测量 提供 推荐 翻译 识别 導航 搜索 检索 列出 查看 查找 读取 返回 计算 检查 分析 解析 獲取 查詢 搜尋 取得 検索 一覧 表示 確認 参照 閲覧 照会",
  write:
    "创建 新增 添加 更新 修改 编辑 上传 保存 写入 设置 发送 提交 移动 复制 重命名 生成 創建 發送 作成 追加 編集 変更 設定 送信 登録 保存 切り替え アップロード",
  execute: "执行 运行 调用 启动 停止 重启 部署 触发 点击 執行 実行 起動 再起動 デプロイ",
  destructive: "删除 移除 清空 清除 销毁 撤销 卸载 刪除 削除 消去 クリア 破棄",
  financial: "支付 付款 退款 转账 购买 充值 提现 下单 決済 支払 返金 購入 振込 送金",
};

/** Joins two verbs that both happen: `create_or_update`, "Find and replace". */
export const conjunctions = words("and or then");

/**
 * What a verb means with a certain object. The first row that fits wins over the verb's own category.
 * `unless` names words beside which the row does not fit; `last` asks that the object end the name (its head noun).
 */
export interface Combination {
  readonly verbs: string;
  readonly objects: string;
  readonly category: Category;
  readonly unless?: string;
  readonly last?: true;
}

const neutralHeads = `note notes tag tags comment comments template templates policy metadata webhook webhooks report reports category categories reminder setting settings address
  label labels notification notifications profile terms attachment export view filter column field fields draft status alert alerts tracking method methods`;
const notMoney = `${neutralHeads} webhook event events topic pubsub sns feed newsletter alert notification channel calendar repository thread stream push graphql
  email sort column display list work db database sql`;

export const combinations: readonly Combination[] = [
  { verbs: "map", objects: "website websites site sites url codebase repository dependencies", category: "read" },
  { verbs: "add", objects: "numbers integers", category: "read", unless: "phone" },
  { verbs: "approve", objects: "token tokens spender spending allowance erc20", category: "financial", unless: "access auth request" },
  { verbs: "evaluate", objects: "mathematical math arithmetic formula", category: "read" },
  { verbs: "generate", objects: "random", category: "read", unless: "image" },
  { verbs: "show display", objects: "notification alert toast dialog popup banner", category: "write" },
  { verbs: "subscribe upgrade downgrade", objects: "plan plans tier membership", category: "financial" },
  { verbs: "release fund", objects: "escrow", category: "financial" },
  { verbs: "renew", objects: "domain domains membership license plan policy", category: "financial" },
  { verbs: "approve submit process finalize run", objects: "payrun payroll", category: "financial" },
  { verbs: "run execute perform start begin", objects: "report search select", category: "read" },
  { verbs: "cancel abort discard", objects: "run runs workflow pipeline job jobs build execution deployment", category: "execute" },
  { verbs: "checkout", objects: "git branch branches commit ref revision svn", category: "write" },
  { verbs: "write", objects: "contract", category: "execute" },
  { verbs: "apply", objects: "terraform plan infrastructure changeset", category: "execute" },
  { verbs: "complete finalize submit", objects: "order orders", category: "financial", unless: "work sort" },
  { verbs: "track", objects: "package packages parcel shipment shipments delivery flight flights order orders status", category: "read" },
  { verbs: "convert render", objects: "file files document documents pdf video videos image images audio animation", category: "write" },
  { verbs: "return", objects: "order orders item items purchase book feedback", category: "write" },
  { verbs: "provide answer", objects: "feedback rating ratings call input response", category: "write" },
  { verbs: "collect", objects: "payment payments fee fees money", category: "financial" },
  { verbs: "load", objects: "extension plugin module", category: "execute" },
  { verbs: "book", objects: "appointment appointments meeting slot demo", category: "write" },
  {
    verbs: "resolve",
    objects:
      "id ids identifier library name names address dns host hostname url path symbol entity entities reference references location user users domain ip handle ens",
    category: "read",
  },
  {
    verbs: "take capture",
    objects: "droplet droplets vm vms volume volumes disk disks server servers instance instances database cluster machine machines",
    category: "write",
  },
  {
    verbs: "convert",
    objects:
      "issue issues task tasks subtask lead leads quote quotes estimate opportunity draft ticket card contact account order proposal",
    category: "write",
  },
  { verbs: "take capture", objects: "screenshot screenshots snapshot snapshots heapsnapshot photo", category: "read" },
  { verbs: "open", objects: "node nodes file document resource page details detail info", category: "read" },
  { verbs: "open launch", objects: "app application url browser program terminal link tab simulator emulator editor", category: "execute" },
  { verbs: "open close reduce", objects: "position positions", category: "financial" },
  { verbs: "load", objects: "skill skills docs documentation context guide instructions", category: "read" },
  { verbs: "test", objects: "self connection connectivity auth authentication credentials regex", category: "read", unless: "run" },
  { verbs: "generate", objects: "types hash uuid summary report diff typings", category: "read" },
  { verbs: "request", objects: "http api url raw rpc graphql", category: "execute" },
  {
    verbs: "make send perform issue",
    objects: "request requests rpc",
    category: "execute",
    unless: "review pull merge feature friend access payment money connection approval",
  },
  {
    verbs: "send write type enqueue",
    objects: "command commands keystroke keystrokes keys stdin signal input",
    category: "execute",
    unless: "field form message",
  },
  {
    verbs: "create add start submit begin schedule",
    objects: "execution executions deployment deployments invocation dispatch build process pipeline run",
    category: "execute",
    last: true,
  },
  { verbs: "apply complete", objects: "migration migrations", category: "execute" },
  {
    verbs: "reset",
    objects: "password passwords counter zoom view mfa session filter filters layout style cursor position",
    category: "write",
  },
  { verbs: "remove", objects: "background backgrounds watermark noise", category: "write" },
  {
    verbs: "clear remove",
    objects: "filter filters selection override overrides highlight highlights field reaction label labels assignee assignees star",
    category: "write",
    last: true,
  },
  { verbs: "empty", objects: "trash bin bucket folder", category: "destructive" },
  {
    verbs: "book",
    objects: "flight flights hotel hotels room ticket tickets ride car cab taxi trip travel stay rental",
    category: "financial",
  },
  {
    verbs: "create make place initiate start dial",
    objects: "call calls",
    category: "financial",
    last: true,
    unless: "api tool function rpc system method service video meeting log",
  },
  {
    verbs: "create start initiate trigger",
    objects: "verification",
    category: "financial",
    last: true,
    unless: "domain email dns address sender",
  },
  { verbs: "create provision order rent acquire", objects: "phone number numbers", category: "financial", unless: "contact pool list" },
  { verbs: "send submit sign broadcast", objects: "transaction transactions userop", category: "financial", unless: "sql db database" },
  {
    verbs: "send transfer move bridge wrap unwrap wire",
    objects:
      "money fund funds token tokens eth ether sol btc bitcoin usdc usdt xrp nft crypto coin coins asset payment payments cash lamports sats erc20 balance",
    category: "financial",
    unless: "push access auth refresh device request",
  },
  { verbs: "request", objects: "payment payout refund withdrawal", category: "financial", unless: notMoney },
  {
    verbs: "transfer",
    objects: "issue file files repository repo ownership owner domain call chat conversation ticket data property playback",
    category: "write",
  },
  { verbs: "trade", objects: "idea ideas offer", category: "write" },
  {
    verbs: "delete remove destroy purge clear",
    objects: "payment payments invoice invoices order orders subscription subscriptions charge charges",
    category: "destructive",
  },
  {
    verbs:
      "create make send submit place execute issue process capture confirm finalize finalise approve authorize cancel void update modify renew upgrade downgrade change retry schedule initiate start record post add adjust settle release pause resume close complete accept reject",
    objects:
      "charge charges payment payments refund refunds payout payouts invoice invoices subscription subscriptions paymentintent checkout withdrawal deposit remittance reimbursement purchase donation wager bet",
    category: "financial",
    unless: notMoney,
  },
  {
    verbs: "create make submit place execute process capture confirm cancel modify amend replace schedule initiate add complete",
    objects: "order orders trade trades transfer transfers swap bid",
    category: "financial",
    unless: `${notMoney} issue file repository ownership domain data`,
  },
  { verbs: "create issue add", objects: "bill bills giftcard gift creditnote credit payroll loan", category: "financial", last: true },
];

/** Words a description uses for what is read when a verb such as "run" or "perform" says nothing itself: "Run a find query". */
export const lightVerbs = words("run execute perform conduct use call generate start build prepare compile");
export const lightObjects =
  words(`query queries search searches lookup analysis aggregation aggregations check checks find diagnostic diagnostics self-test selftest inspection
  comparison calculation probe report select screenshot snapshot list summary overview research request`);
/** Effects that no noun is spelt like, so that "and send email alerts" needs no article to be believed. */
export const plainEffects =
  words(`send delete remove execute publish purchase pay insert upload deploy install save notify erase append sends deletes removes executes publishes pays
  inserts uploads deploys installs saves notifies erases appends creates writes adds marks updates posts`);

/** What a later sentence says of how a tool works, or of its answer, as often as of an effect: "It handles pagination", "The link expires". */
export const weakEffects = words(
  "handle capture reduce resolve allow unlock expire use make take keep turn begin end raise lower generate open attach log record track map select",
);

/** Beside these, "run" or "execute" is no mere way of reading. */
export const codeWords = words(
  "sql cypher command commands script scripts code javascript python shell bash program arbitrary mutation graphql statement statements",
);
/** What makes even a query in such a language a read. */
export const readOnlyWords = words("read-only readonly");

/** Databases whose query language can change what it queries: "query" alone shows no read there. */
export const writableQueries = words(
  "sql d1 postgres postgresql mysql mariadb sqlite mssql snowflake duckdb redshift cypher neo4j graphql surrealdb surrealql cockroachdb tsql plsql",
);

/** Words that carry a message for which a carrier charges its sender; others beside them make the channel a choice, not a carrier's service. */
export const carrierChannels = words("sms mms");
export const otherChannels = words("email slack chat push telegram discord teams conversation inbox");
export const carriers = words("twilio vonage nexmo plivo telnyx sinch bandwidth messagebird infobip clicksend");

export function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter(Boolean));
}

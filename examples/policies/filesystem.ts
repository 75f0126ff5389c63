import { definePolicy } from "@holdpoint/core";
import type { FilesystemTools } from "./filesystem.types.ts";

/**
 * The reference file system server (@modelcontextprotocol/server-filesystem): reads and writes below one folder, `root`, an absolute path. The server has
 * bounds of its own; these are narrower, and hold for whoever starts it with wider ones. Symbolic links are the server's to refuse.
 */
export function filesystemPolicy(root: string) {
  const inside = <Path extends string>(path: Path) =>
    ({ path, op: "within_path", value: root, on_deny: `Only files below ${root} may be touched.` }) as const;
  const secrets = {
    any: [
      { path: "args.path", op: "glob", value: "**/.env" },
      { path: "args.path", op: "glob", value: "**/.git/**" },
      { path: "args.path", op: "regex", value: "(^|/)(id_[a-z0-9]+|[^/]*\\.pem)$" },
    ],
    on_deny: "Keys and settings stay closed.",
  } as const;
  const reads = { require: [inside("args.path")], deny_if: [secrets] } as const;
  const writes = { ...reads, limits: [{ counter: "writes", window: "minute", max: 30, scope: "grant" }] } as const;

  return definePolicy<FilesystemTools>()({
    version: "1",
    description: `Files below ${root}`,
    default: "deny",
    tools: {
      read_file: reads,
      read_text_file: reads,
      read_media_file: reads,
      read_multiple_files: {
        require: [{ path: "args.paths[*]", op: "within_path", value: root, on_deny: `Only files below ${root} may be touched.` }],
        deny_if: [
          {
            path: "args.paths[*]",
            op: "regex",
            value: "(^|/)(\\.env|\\.git/.*|id_[a-z0-9]+|[^/]*\\.pem)$",
            on_deny: "Keys and settings stay closed.",
          },
        ],
      },
      list_directory: reads,
      list_directory_with_sizes: reads,
      directory_tree: reads,
      search_files: reads,
      get_file_info: reads,
      list_allowed_directories: {},
      write_file: writes,
      edit_file: writes,
      create_directory: writes,
      move_file: { require: [inside("args.source"), inside("args.destination")], limits: writes.limits },
    },
  });
}

export default filesystemPolicy("/workspace");

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Failure, reasonOf } from "./failure.ts";
import { note, type Terminal } from "./terminal.ts";

/**
 * Writes a file that is not there yet; one that is there is only replaced where the person has said so.
 *
 * @throws {Failure} where it is there, or cannot be written.
 */
export async function writeNewFile(
  terminal: Terminal,
  path: string,
  text: string,
  { force = false }: { readonly force?: boolean | undefined } = {},
): Promise<void> {
  if (!force && existsSync(path)) throw new Failure(`${path} is there already: remove it, write elsewhere, or say \`--force\``);
  try {
    await writeFile(path, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    throw new Failure(`${path} cannot be written: ${reasonOf(error)}`);
  }
  await note(terminal, `wrote ${path}`);
}

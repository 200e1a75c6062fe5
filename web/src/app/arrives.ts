/** The code of a page could not be fetched: no connection, or a newer version has replaced it. */
export class CodeMissing extends Error {
  override readonly name = 'CodeMissing';
}

/** Code on its way, as `import()` promises it; throws `CodeMissing`. */
export async function arrives<Module>(code: Promise<Module>): Promise<Module> {
  try {
    return await code;
  } catch (cause) {
    throw new CodeMissing('A part of the app could not be fetched.', { cause });
  }
}

export interface Document {
  /** The head's `key: value` lines, in their order. */
  fields: { key: string; value: string }[];
  body: string;
}

const HEAD = /^---\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/;

/** Splits Markdown from its YAML head, as far as a person reads it: nested values are left out. */
export function splitFrontMatter(text: string): Document {
  const match = HEAD.exec(text);
  if (match === null) return { fields: [], body: text };
  const fields = (match[1] ?? '').split('\n').flatMap((line) => {
    const pair = /^([A-Za-z][\w-]*):\s*(\S.*?)\s*$/.exec(line);
    if (pair === null) return [];
    return [{ key: pair[1] ?? '', value: (pair[2] ?? '').replace(/^(['"])(.*)\1$/, '$2') }];
  });
  return { fields, body: text.slice(match[0].length).trimStart() };
}

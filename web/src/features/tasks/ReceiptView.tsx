import type { Receipt, Task } from '@/api/types';
import { Markdown } from '@/components/ui/Markdown';
import { Section } from '@/components/ui/Section';

import { CommandList } from './CommandList';

const number = new Intl.NumberFormat('en');

type Result = NonNullable<Task['result']>;

/** What a task left behind: what the platform saw itself, and apart from it what is only said. */
export function ReceiptView({ result }: { result: Result }) {
  const { receipt } = result;
  if (receipt == null) {
    return (
      <Section title="Result">
        <Markdown text={result.summary} />
      </Section>
    );
  }
  const { claim } = receipt;
  return (
    <>
      <Section title="What the platform recorded">
        <Facts receipt={receipt} />
      </Section>
      {claim.trim() !== '' && (
        <Section title="What the agent says">
          <p className="mb-2 text-[13px] text-ink-faint">Its own words; nobody has checked them.</p>
          <blockquote className="border-l-3 border-line pl-4 text-ink-soft">
            <Markdown text={claim} />
          </blockquote>
        </Section>
      )}
    </>
  );
}

function Facts({ receipt }: { receipt: Receipt }) {
  const { commands, failed_commands: failed, files, left_out: leftOut, commit, branch, tokens } = receipt;
  return (
    <dl className="grid gap-x-5 gap-y-3 text-sm sm:grid-cols-[7rem_minmax(0,1fr)]">
      {failed.length > 0 && (
        <>
          <dt className="text-danger">Careful</dt>
          <dd>
            {failed.length === 1 ? 'This command' : 'These commands'} ended without exit code 0:
            <CommandList commands={failed} />
          </dd>
        </>
      )}
      <dt className="text-ink-faint">Commit</dt>
      <dd>
        {commit == null ? 'None: no file changed' : <code>{commit.slice(0, 10)}</code>}
        {branch != null && (
          <>
            {' on '}
            <code>{branch}</code>
          </>
        )}
      </dd>
      {files.length > 0 && <Paths name="Files" paths={files.map((path) => [path, ''])} />}
      {Object.keys(leftOut).length > 0 && (
        <Paths name="Left out" paths={Object.entries(leftOut)} />
      )}
      {commands.length > 0 && (
        <>
          <dt className="text-ink-faint">Commands</dt>
          <dd>
            <CommandList commands={commands} />
          </dd>
        </>
      )}
      {tokens > 0 && (
        <>
          <dt className="text-ink-faint">Model</dt>
          <dd>{number.format(tokens)} tokens</dd>
        </>
      )}
    </dl>
  );
}

/** Paths, each with what is to be said about it. */
function Paths({ name, paths }: { name: string; paths: [string, string][] }) {
  return (
    <>
      <dt className="text-ink-faint">{name}</dt>
      <dd>
        <ul className="space-y-1">
          {paths.map(([path, why]) => (
            <li key={path}>
              <code>{path}</code>
              {why !== '' && <span className="text-ink-soft">: {why}</span>}
            </li>
          ))}
        </ul>
      </dd>
    </>
  );
}

